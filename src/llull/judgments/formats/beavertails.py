"""BeaverTails: answers labelled safe or not, with fourteen kinds of harm (Ji et al., 2023).

A row is one judgment that rates; the kinds of harm stay in the tag ``category``. The comparisons that were released
with it have the layout of PKU-SafeRLHF (`llull.judgments.formats.pku_saferlhf`).
"""

from __future__ import annotations

from collections.abc import Iterator

from llull.judgments.format import Beside, RowFormat
from llull.judgments.formats.pku_saferlhf import SAFE
from llull.judgments.record import Judgment, Rating, prompt, text_option
from llull.judgments.rows import Row


def _convert(row: Row, beside: Beside) -> Iterator[Judgment]:
    safe = row.label("is_safe", SAFE)
    category = row.fields["category"]
    if isinstance(category, dict) and any(category.values()) == bool(safe):
        row.note("the label 'is_safe' contradicts the kinds of harm")
    yield Judgment(
        context=prompt(row.text("prompt")),
        options=[text_option(row.text("response"))],
        ratings=[Rating(0, "safe", safe, 0.0, 1.0)],
        verdict="rated",
        criterion="harmless",
        annotator_kind="human",
    )


FORMATS = (
    RowFormat(
        name="beavertails",
        title="BeaverTails (Ji et al., 2023)",
        fields=frozenset({"prompt", "response", "category", "is_safe"}),
        convert=_convert,
    ),
)
