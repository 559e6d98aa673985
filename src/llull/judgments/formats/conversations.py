"""Conversations as released files hold them: lists of turns with a role and a content, read and written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from llull.judgments.record import Media, Message, Option, text_option
from llull.judgments.rows import BadRow

_MEDIA_PARTS = {"image": "image", "image_url": "image", "video": "video", "audio": "audio"}


def is_conversation(value: Any, role: str = "role", content: str = "content") -> bool:
    """Whether a value is a list of turns, each an object with a role and a content. An empty list is one."""
    return isinstance(value, list) and all(
        isinstance(turn, dict) and role in turn and content in turn for turn in value
    )


def is_plain(turns: list[dict[str, Any]]) -> bool:
    """Whether `to_messages` keeps all there is: each turn has a role, a text and nothing else."""
    return all(
        isinstance(turn["role"], str)
        and isinstance(turn["content"], str)
        # Parquet gives every turn the keys of all turns, with null where a turn has none.
        and all(value is None for key, value in turn.items() if key not in ("role", "content"))
        for turn in turns
    )


def to_messages(
    turns: Any,
    field: str,
    *,
    role: str = "role",
    content: str = "content",
    roles: Mapping[str, str] | None = None,
) -> list[Message]:
    """The messages of a list of turns.

    A content may be text, null, or a list of parts as chat templates take them; of parts, texts are put one
    after another and pictures, sounds and clips that have an address become media.

    Args:
        turns: list of objects.
        field: name of the field they come from, for the reason of a rejected row.
        role: key of a turn's role.
        content: key of a turn's content.
        roles: what the format's role names mean; a name that is not in it stays as it is.

    Raises:
        BadRow: it is not a list of turns.
    """
    if not is_conversation(turns, role, content):
        raise BadRow(f"field {field!r} is not a list of turns with {role!r} and {content!r}")
    return [_message(turn[role], turn[content], field, roles or {}) for turn in turns]


def to_turns(messages: Iterable[Message]) -> list[dict[str, str]]:
    """Messages as a list of {role, content}; media are left to the caller."""
    return [{"role": message.role, "content": message.content} for message in messages]


def shared_turns(first: list[Message], second: list[Message]) -> int:
    """How many leading messages two conversations share, of which each keeps at least its last for itself.

    >>> ask, yes, no = Message("user", "Is it?"), Message("assistant", "Yes."), Message("assistant", "No.")
    >>> shared_turns([ask, yes], [ask, no]), shared_turns([ask, yes], [ask, yes])
    (1, 1)
    """
    most = min(len(first), len(second)) - 1
    return next((turn for turn in range(most) if first[turn] != second[turn]), max(most, 0))


def option_of(messages: list[Message], source: str | None = None) -> Option:
    """An option that consists of these messages."""
    if len(messages) == 1 and not messages[0].media:
        return text_option(messages[0].content, source, messages[0].role)
    return Option(messages, source=source)


def _message(role: Any, content: Any, field: str, roles: Mapping[str, str]) -> Message:
    if not isinstance(role, str):
        raise BadRow(f"field {field!r} has a turn whose role is not text")
    role = roles.get(role, role)
    if isinstance(content, str):
        return Message(role, content)
    if content is None:
        return Message(role, "")
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise BadRow(f"field {field!r} has a turn whose content is neither text nor a list of parts")
    texts = [part["text"] for part in content if isinstance(part.get("text"), str)]
    media = [medium for part in content if (medium := _medium(part)) is not None]
    return Message(role, "".join(texts), media)


def _medium(part: dict[str, Any]) -> Media | None:
    kind = _MEDIA_PARTS.get(part.get("type", ""))
    if kind is None:
        return None
    held = part.get(part["type"], part.get("url", part.get("path")))
    if isinstance(held, dict):
        held = held.get("url", held.get("path"))
    return Media(kind, held) if isinstance(held, str) else None
