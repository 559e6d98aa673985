"""PsychoCounsel-Preference: replies to a client's words, rated by GPT-4o under seven principles (Zhang et al., 2025).

The principles are found by their columns, ``chosen_<principle>_rating`` and ``rejected_<principle>_rating``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from llull.judgments.format import Beside, RowFormat
from llull.judgments.record import Judgment, Rating, prompt, text_option
from llull.judgments.rows import Row, as_number

_SIDES = ("chosen", "rejected")
_RATING = re.compile(rf"({'|'.join(_SIDES)})_(.+)_rating")


def _convert(row: Row, beside: Beside) -> Iterator[Judgment]:
    ratings = [
        Rating(_SIDES.index(found[1]), found[2], as_number(value, key))
        for key, value in row.fields.items()
        if (found := _RATING.fullmatch(key)) and row.take(key) is not None
    ]
    values = {(rating.option, rating.aspect): rating.value for rating in ratings}
    for aspect in dict.fromkeys(rating.aspect for rating in ratings):
        if values.get((1, aspect), float("-inf")) > values.get((0, aspect), float("inf")):
            row.note(f"the rejected reply is rated higher in {aspect}")
    yield Judgment(
        context=prompt(row.text("question")),
        options=[text_option(row.text("chosen")), text_option(row.text("rejected"))],
        ranking=[[0], [1]],
        ratings=ratings,
        annotator="gpt-4o",
        annotator_kind="model",
    )


FORMATS = (
    RowFormat(
        name="psychocounsel",
        title="PsychoCounsel-Preference (Zhang et al., 2025)",
        fields=frozenset({"question", "chosen", "rejected", "chosen_safety_rating", "rejected_safety_rating"}),
        convert=_convert,
    ),
)
