"""Community Alignment: people of five countries choose one of four replies, up to four turns (Zhang et al., 2025).

One row is one conversation of several turns, each with one choice, which gives one judgment for each reply that was
not chosen (see `choices`), all with the turn's feedback as their reason. The context is the earlier prompts and
preferred replies. A turn that did not take place is absent; a turn with a prompt but no known choice is a reject.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llull.judgments.format import Beside, RowFormat
from llull.judgments.formats.choices import best_of
from llull.judgments.formats.nested_values import is_missing
from llull.judgments.record import Judgment, Message, text_option
from llull.judgments.rows import Reject, Row

_TURNS = ("first", "second", "third", "fourth")
_LETTERS = ("a", "b", "c", "d")
_CHOICES = {f"{start}{letter}": letter for start in ("response_", "") for letter in _LETTERS}
_DEMOGRAPHICS = ("age", "gender", "education_level", "political", "ethnicity", "country")


def _convert(row: Row, beside: Beside) -> Iterator[Judgment | Reject]:
    annotator = row.take("annotator_id")
    groups = _groups(row)
    history: list[Message] = []
    for number, turn in enumerate(_TURNS, 1):
        asked, feedback = _part(row, turn, "prompt"), _part(row, turn, "feedback")
        candidates = {letter: _part(row, turn, f"response_{letter}") for letter in _LETTERS}
        preferred = row.label(f"{turn}_turn_preferred_response", _CHOICES, default=None)
        if asked is None:
            if preferred is not None:
                yield row.reject(f"the {turn} turn has no prompt")
            continue
        given = [letter for letter in _LETTERS if candidates[letter] is not None]
        fault = _fault(preferred, given)
        if fault:
            yield row.reject(f"the {turn} turn {fault}")
            history = [*history, Message("user", asked)]
            continue
        history = [*history, Message("user", asked)]
        best = given.index(preferred)
        choice = Judgment(
            context=history,
            options=[text_option(candidates[letter]) for letter in given],
            ranking=[[best], [index for index in range(len(given)) if index != best]],
            rationale=feedback,
            annotator=None if annotator is None else str(annotator),
            annotator_kind="human",
            groups=groups,
            tags={"turn": number},
        )
        yield from best_of(choice)
        history = [*history, Message("assistant", candidates[preferred])]


def _part(row: Row, turn: str, part: str) -> Any:
    value = row.take(f"{turn}_turn_{part}", None)
    return None if is_missing(value) else value


def _fault(preferred: str | None, given: list[str]) -> str | None:
    if preferred is None:
        return "has no preferred reply"
    if preferred not in given:
        return f"prefers reply {preferred!r}, which is not there"
    return "has only one reply" if len(given) < 2 else None


def _groups(row: Row) -> dict[str, str]:
    held = {name: row.take(f"annotator_{name}", None) for name in _DEMOGRAPHICS}
    return {name: str(value) for name, value in held.items() if not is_missing(value)}


FORMATS = (
    RowFormat(
        name="community-alignment",
        title="Community Alignment: one of four replies, five countries (Zhang et al., 2025)",
        fields=frozenset(
            {
                "conversation_id",
                "annotator_id",
                "first_turn_prompt",
                "first_turn_preferred_response",
                *(f"first_turn_response_{letter}" for letter in _LETTERS),
            }
        ),
        convert=_convert,
    ),
)
