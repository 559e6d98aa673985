"""BIG-Bench Mistake: reasoning traces with the place of the first wrong step (Tyen et al., 2023).

Each step is an option that continues the step before. Steps before the first mistake are accepted, the mistake is
not, and the steps after it are not labeled and carry no rating.
"""

from __future__ import annotations

from collections.abc import Iterator

from llull.judgments.format import Beside, RowFormat
from llull.judgments.record import Judgment, Rating, prompt, text_option
from llull.judgments.rows import BadRow, Row

_BY_RULE = "dyck_languages"


def _convert(row: Row, beside: Beside) -> Iterator[Judgment]:
    steps, mistake = row.take("steps"), row.take("mistake_index")
    if not isinstance(steps, list) or not all(isinstance(step, str) for step in steps):
        raise BadRow("its steps are not a list of texts")
    if mistake is not None and not (isinstance(mistake, int) and 0 <= mistake < len(steps)):
        raise BadRow(f"its mistake_index {mistake!r} is none of its {len(steps)} steps")
    options = [text_option(step) for step in steps]
    for place, option in enumerate(options[1:]):
        option.parent = place
    labeled = len(steps) if mistake is None else mistake + 1
    yield Judgment(
        context=prompt(row.text("input")),
        options=options,
        verdict="rated",
        ratings=[Rating(place, "accept", float(place != mistake), 0.0, 1.0) for place in range(labeled)],
        criterion="the step is correct",
        annotator_kind="rule" if row.fields["task"] == _BY_RULE else "human",
        tags={"mistake_index": mistake},
    )


FORMATS = (
    RowFormat(
        name="big-bench-mistake",
        title="BIG-Bench Mistake: first wrong step of reasoning traces (Tyen et al., 2023)",
        fields=frozenset({"task", "input", "target", "answer", "steps", "mistake_index"}),
        convert=_convert,
    ),
)
