"""Votes of Chatbot Arena as Kaggle's LMSYS competition gave them out: one column for each outcome (LMSYS, 2024).

Prompts and answers are JSON lists of texts, one a turn; an answer may be null, which is read as empty and noted. Ties
are not told apart into good and bad ones, and which side a model was shown on is not said.
"""

from __future__ import annotations

from collections.abc import Iterator

from llull.judgments.format import Beside, RowFormat
from llull.judgments.formats.battles import VOTES, parted
from llull.judgments.formats.nested_values import take_list
from llull.judgments.record import Judgment, Message
from llull.judgments.rows import BadRow, Row

_OUTCOMES = {"winner_model_a": "model_a", "winner_model_b": "model_b", "winner_tie": "tie"}
_FLAGS = {0: False, 1: True, "0": False, "1": True}


def _convert(row: Row, beside: Beside) -> Iterator[Judgment]:
    marked = [outcome for column, outcome in _OUTCOMES.items() if row.label(column, _FLAGS)]
    if len(marked) != 1:
        raise BadRow(f"it marks {len(marked)} of the three outcomes, not one")
    ranking, verdict = VOTES[marked[0]]
    asked = take_list(row, "prompt")
    context, options = parted(
        row,
        [_conversation(row, asked, take_list(row, f"response_{side}"), side) for side in "ab"],
        (row.text("model_a"), row.text("model_b")),
    )
    yield Judgment(
        context=context,
        options=options,
        ranking=[list(tier) for tier in ranking],
        verdict=verdict,
        annotator_kind="human",
    )


def _conversation(row: Row, asked: list[str], answers: list[str | None], side: str) -> list[Message]:
    if not asked or len(asked) != len(answers):
        raise BadRow(f"it has {len(asked)} prompts and {len(answers)} answers of model {side}")
    if None in answers:
        row.note("an answer that is null, read as empty")
    turns = zip(asked, answers, strict=True)
    return [
        message
        for question, answer in turns
        for message in (Message("user", question), Message("assistant", "" if answer is None else answer))
    ]


FORMATS = (
    RowFormat(
        name="lmsys-kaggle",
        title="Chatbot Arena: battles of Kaggle's LMSYS competition (LMSYS, 2024)",
        fields=frozenset({"id", "model_a", "model_b", "prompt", "response_a", "response_b", *_OUTCOMES}),
        convert=_convert,
    ),
)
