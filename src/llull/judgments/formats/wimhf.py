"""WIMHF: a table of pairs, ``label`` 1 where response A is preferred and 0 where B is (Movva et al., 2025)."""

from __future__ import annotations

from collections.abc import Iterator

from llull.judgments.format import Beside, RowFormat
from llull.judgments.record import Judgment, prompt, text_option
from llull.judgments.rows import Row

_FIRST, _SECOND = [[0], [1]], [[1], [0]]
_LABELS = {1: _FIRST, 0: _SECOND, "1": _FIRST, "0": _SECOND, "1.0": _FIRST, "0.0": _SECOND}


def _convert(row: Row, beside: Beside) -> Iterator[Judgment]:
    ranking = row.label("label", _LABELS)
    yield Judgment(
        context=prompt(row.text("prompt")),
        options=[text_option(row.text(f"response_{side}")) for side in "AB"],
        ranking=[list(tier) for tier in ranking],
    )


FORMATS = (
    RowFormat(
        name="wimhf",
        title="WIMHF: pairs with a label (Movva et al., 2025)",
        fields=frozenset({"prompt", "response_A", "response_B", "label"}),
        convert=_convert,
    ),
)
