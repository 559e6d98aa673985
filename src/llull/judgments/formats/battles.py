"""What the arenas share: the words for a vote, and two conversations that begin alike."""

from __future__ import annotations

from typing import Any

from llull.judgments.formats.conversations import is_conversation, option_of, shared_turns, to_messages
from llull.judgments.formats.nested_values import unpacked, without
from llull.judgments.record import Message, Option, Verdict, named_option
from llull.judgments.rows import Row

BOTH_BAD = "tie (bothbad)"
VOTES: dict[str, tuple[list[list[int]], Verdict]] = {
    "model_a": ([[0], [1]], "ranked"),
    "model_b": ([[1], [0]], "ranked"),
    "tie": ([[0, 1]], "ranked"),
    BOTH_BAD: ([[0, 1]], "both_bad"),
    "both_bad": ([[0, 1]], "both_bad"),
}


def sides_of(row: Row, keys: tuple[str, str], models: tuple[str, str]) -> tuple[list[Message], list[Option]]:
    """The context that two conversations share, and what follows it on each side as an option.

    Where the row has no conversations, the options are known by the names of their models.
    """
    held = [unpacked(row.fields.get(key), key) for key in keys]
    if any(turns is None for turns in held):
        return [], [named_option(model) for model in models]
    sides = [to_messages(turns, key) for turns, key in zip(held, keys, strict=True)]
    return parted(row, sides, models)


def parted(row: Row, sides: list[list[Message]], models: tuple[str, str]) -> tuple[list[Message], list[Option]]:
    """The turns that two conversations share, and what follows on each side as an option."""
    count = shared_turns(*sides)
    if not count:
        row.note("two conversations that begin differently")
    return sides[0][:count], [option_of(side[count:], model) for side, model in zip(sides, models, strict=True)]


def turn_details(row: Row, keys: tuple[str, str]) -> dict[str, Any]:
    """What the turns of two conversations hold beside roles and contents, for the tags; takes both fields."""
    held = {key: unpacked(row.take(key, None), key) for key in keys}
    details = {
        key: [without(turn, ("role", "content")) for turn in turns]
        for key, turns in held.items()
        if is_conversation(turns) and not _is_bare(turns)
    }
    return {"turn_details": details} if details else {}


def _is_bare(turns: Any) -> bool:
    return is_conversation(turns) and all(
        value is None for turn in turns for key, value in turn.items() if key not in ("role", "content")
    )
