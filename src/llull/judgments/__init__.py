"""The ground: what a judgment is, reading and writing every known format, views of many judgments."""

from llull.judgments.preferences import Preferences
from llull.judgments.reading import Reading, read
from llull.judgments.record import Judgment, Media, Message, Option, Rating, named_option, prompt, text_option
from llull.judgments.writing import Writing, write

__all__ = [
    "Judgment",
    "Media",
    "Message",
    "Option",
    "Preferences",
    "Rating",
    "Reading",
    "Writing",
    "named_option",
    "prompt",
    "read",
    "text_option",
    "write",
]
