"""LLMBar: pairs of which one follows the instruction and the other only seems to (Zeng et al., 2024)."""

from __future__ import annotations

from collections.abc import Iterator

from llull.judgments.format import Beside, RowFormat
from llull.judgments.record import Judgment, prompt, text_option
from llull.judgments.rows import Row

_RANKINGS = {1: [[0], [1]], 2: [[1], [0]]}


def _convert(row: Row, beside: Beside) -> Iterator[Judgment]:
    yield Judgment(
        context=prompt(row.text("input")),
        options=[text_option(row.text("output_1")), text_option(row.text("output_2"))],
        ranking=[list(tier) for tier in row.label("label", _RANKINGS)],
        annotator_kind="human",
        # Adversarial subsets are built to mislead and must be reported apart.
        tags={"source": row.fields.get("subset", beside.split_name)},
    )


FORMATS = (
    RowFormat(
        name="llmbar",
        title="LLMBar: instruction following with adversarial subsets (Zeng et al., 2024)",
        fields=frozenset({"input", "output_1", "output_2", "label"}),
        convert=_convert,
    ),
)
