"""The ground: what a judgment is, reading and writing every known format, views of many judgments."""

from llull.judgments.preferences import Preferences
from llull.judgments.record import Judgment, Media, Message, Option, Rating, named_option, prompt, text_option

__all__ = ["Judgment", "Media", "Message", "Option", "Preferences", "Rating", "named_option", "prompt", "text_option"]
