"""Auto-J: human labels of pairs of responses in 58 scenarios (Li et al., 2023)."""

from __future__ import annotations

from collections.abc import Iterator

from llull.judgments.format import Beside, RowFormat
from llull.judgments.record import Judgment, prompt, text_option
from llull.judgments.rows import Row

_RANKINGS = {0: [[0], [1]], 1: [[1], [0]], 2: [[0, 1]]}


def _convert(row: Row, beside: Beside) -> Iterator[Judgment]:
    yield Judgment(
        context=prompt(row.text("prompt")),
        options=[text_option(row.text("response 1")), text_option(row.text("response 2"))],
        ranking=[list(tier) for tier in row.label("label", _RANKINGS)],
        annotator_kind="human",
    )


FORMATS = (
    RowFormat(
        name="autoj",
        title="Auto-J test set of response pairs (Li et al., 2023)",
        fields=frozenset({"scenario", "label", "prompt", "response 1", "response 2"}),
        convert=_convert,
    ),
)
