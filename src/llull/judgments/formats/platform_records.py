"""Records of annotation platforms: which of their fields ask, and which answer.

Platforms let a project name its fields as it likes, so asking fields are known by their usual names and answers are
the other texts whose names begin with a usual one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from llull.judgments.formats.conversations import is_conversation, to_messages
from llull.judgments.record import Message, Option, named_option, prompt, text_option

_ASKING = ("prompt", "instruction", "question", "query", "input", "context", "conversation", "chat", "messages")
_ANSWERING = re.compile(
    r"(response|completion|answer|output|generation|generated|reply|option|candidate|chosen|rejected|left|right|text|"
    r"image|audio|video)s?([-_ ]?\w+)?$",
    re.IGNORECASE,
)
_TIES = frozenset({"tie", "equal", "same", "draw"})


def context_of(fields: Mapping[str, Any]) -> list[Message]:
    """The first field with a usual name for what was asked."""
    for name in _ASKING:
        held = fields.get(name)
        if isinstance(held, str) and held:
            return prompt(held)
        if held and is_conversation(held):
            return to_messages(held, name)
    return []


def options_of(fields: Mapping[str, Any]) -> dict[str, Option]:
    """The answers among the fields, by their names."""
    return {
        name: text_option(value, source=None)
        for name, value in fields.items()
        if isinstance(value, str) and name not in _ASKING and _ANSWERING.match(name)
    }


def option_named(name: str, options: Mapping[str, Option]) -> Option:
    """The answer that a value names, spelled with hyphens or underscores; else an option known by that name only."""
    spelled = {_plain(known): option for known, option in options.items()}
    return options.get(name) or spelled.get(_plain(name)) or named_option(name)


def index_of(name: str, options: Mapping[str, Option]) -> int | None:
    """Which answer a label names: by its whole name, or by the part that tells it from the others."""
    plain = [_plain(known) for known in options]
    if _plain(name) in plain:
        return plain.index(_plain(name))
    ends = [re.split(r"[-_ ]", known)[-1].lower() for known in options]
    return ends.index(name.lower()) if ends.count(name.lower()) == 1 else None


def is_tie(label: str) -> bool:
    """Whether a label says that neither answer is better."""
    return label.lower() in _TIES


def _plain(name: str) -> str:
    return re.sub(r"[-_ ]", "", name).lower()
