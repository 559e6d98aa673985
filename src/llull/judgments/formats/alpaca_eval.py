"""AlpacaEval and AlpacaFarm annotations: two outputs compared (Li et al., 2023; Dubois et al., 2023).

``preference`` is 1 plus the probability that the second output is better: 1 and 2 are choices, 1.5 (0 in older files)
is a draw, and null or NaN is a judge that failed. Where it lies between, the strength is its distance from 1.5.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llull.judgments.format import Beside, RowFormat
from llull.judgments.formats.nested_values import is_missing
from llull.judgments.record import Judgment, prompt, text_option
from llull.judgments.rows import BadRow, Row, as_number

_DRAW = 1.5
_OLD_DRAW = 0.0


def _convert(row: Row, beside: Beside) -> Iterator[Judgment]:
    given = row.fields.get("preference")
    if is_missing(given):
        raise BadRow("the judge gave no preference")
    preference = as_number(given, "preference")
    if preference != _OLD_DRAW and not 1.0 <= preference <= 2.0:
        raise BadRow(f"its preference {preference} is neither 0 nor between 1 and 2")
    drawn = preference in (_DRAW, _OLD_DRAW)
    judge, person = row.take("annotator", None), row.take("annotator_index", None)
    graded = not drawn and preference not in (1.0, 2.0)
    more = row.take("input", None)
    yield Judgment(
        context=prompt(row.text("instruction") + (f"\n\n{more}" if more else "")),
        options=[text_option(row.text(f"output_{side}"), _model(row, side)) for side in (1, 2)],
        ranking=[[0, 1]] if drawn else [[0], [1]] if preference < _DRAW else [[1], [0]],
        strength=abs(preference - _DRAW) if graded else None,
        annotator=str(person) if is_missing(judge) and person is not None else judge,
        annotator_kind="human" if is_missing(judge) and person is not None else "model",
        tags={"strength_range": [0.0, 0.5]} if graded else {},
    )


def _model(row: Row, side: int) -> Any:
    return row.take(f"generator_{side}", None)


FORMATS = (
    RowFormat(
        name="alpaca-eval",
        title="AlpacaEval and AlpacaFarm annotations (Li et al., 2023; Dubois et al., 2023)",
        fields=frozenset({"instruction", "output_1", "output_2", "preference"}),
        convert=_convert,
    ),
)
