"""Rows for the writers of trainers' formats: which judgments a format can hold, and one file of JSON.

What a format has no place for is left out with a count and a reason, never bent into something else.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any

from llull.errors import InputError
from llull.judgments import files
from llull.judgments.formats.choices import whole
from llull.judgments.preferences import Preferences
from llull.judgments.record import Judgment, Message


class DoesNotFit(ValueError):
    """A judgment that the format being written cannot hold; its message says what the judgment is or has."""


def write_rows(
    name: str,
    preferences: Preferences,
    path: Path,
    rows_of: Callable[[Judgment], Iterable[dict[str, Any]]],
    whole_choices: bool = False,
) -> Counter[str]:
    """Write the rows of each judgment as JSON lines, or as a JSON array if the file's name ends in ``.json``.

    Args:
        name: the format's name, for messages.
        preferences: what is written.
        path: ``.jsonl`` or ``.json``, either with ``.gz`` after it; its folder is there.
        rows_of: the rows of a judgment; raises `DoesNotFit` where the format cannot hold it.
        whole_choices: give ``rows_of`` the choices that `best_of` took apart as one judgment each.

    Raises:
        InputError: the file's name ends otherwise, or no judgment at all fits the format.

    Returns:
        How many judgments were left out because they do not fit, by reason; `llull.write` tells the user.
    """
    kind = files.ending(path)
    if kind not in (".jsonl", ".json"):
        raise InputError(f"{path}: {name} is written as .jsonl or .json (or either with .gz); give it such a name")
    unfit: Counter[str] = Counter()
    written = 0
    before, between, after = ("[\n", ",\n", "\n]\n") if kind == ".json" else ("", "\n", "\n")
    with _open_text(path) as stream:
        stream.write(before)
        for judgment, parts in whole(preferences) if whole_choices else ((judgment, 1) for judgment in preferences):
            try:
                rows = list(rows_of(judgment))
            except DoesNotFit as reason:
                unfit[str(reason)] += parts
                continue
            for row in rows:
                stream.write((between if written else "") + json.dumps(row, ensure_ascii=False))
                written += 1
        stream.write(after)
    if not written:
        why = "; ".join(f"{count:,} {reason}" for reason, count in unfit.most_common()) or "no rows"
        raise InputError(f"{path}: {name} can hold none of the {len(preferences):,} judgments ({why})")
    return unfit


def winning_pairs(judgment: Judgment) -> list[tuple[int, int]]:
    """Each pair of option indexes (better, worse) that a ranking states, best pairs first.

    >>> from llull.judgments import Judgment, named_option
    >>> winning_pairs(Judgment([named_option(name) for name in "abc"], ranking=[[2], [0, 1]]))
    [(2, 0), (2, 1)]

    Raises:
        DoesNotFit: it names no winner.
    """
    tiers = judgment.ranking
    pairs = [
        (better, worse)
        for place, tier in enumerate(tiers)
        for lower in tiers[place + 1 :]
        for better in tier
        for worse in lower
    ]
    if not pairs:
        raise DoesNotFit("that name no winner")
    return pairs


def margin_of(judgment: Judgment) -> float | None:
    """A judgment's strength as the margin of its pair; None where it ranks more than two options."""
    return judgment.strength if len(judgment.options) == 2 else None


def only_text(messages: list[Message], role: str, what: str) -> str:
    """The text of a message list that must be one message of this role, without media.

    Raises:
        DoesNotFit: it is something else; ``what`` names it.
    """
    if len(messages) != 1 or messages[0].role != role or messages[0].media:
        raise DoesNotFit(f"whose {what} is not one text of the {role}")
    return messages[0].content


def refuse_media(messages: Iterable[Message]) -> None:
    """Raise `DoesNotFit` if any message has media."""
    if any(message.media for message in messages):
        raise DoesNotFit("that have media")


def _open_text(path: Path) -> IO[str]:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "wt", encoding="utf-8")
    return path.open("w", encoding="utf-8")
