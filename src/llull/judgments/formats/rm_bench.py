"""RM-Bench: right and subtly wrong answers in three styles each (Liu et al., 2024).

Each row gives nine judgments: every right answer is better than every wrong one. Answers are listed by style: concise,
detailed in plain text, detailed in Markdown; the tag ``styles`` says which two meet.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llull.judgments.format import Beside, RowFormat, Sample
from llull.judgments.record import Judgment, prompt, text_option
from llull.judgments.rows import BadRow, Row

_STYLES = ("concise", "detailed_plain", "detailed_markdown")


def _is_rm_bench(sample: Sample) -> bool:
    return all(_three(row["chosen"]) and _three(row["rejected"]) for row in sample.rows)


def _three(answers: Any) -> bool:
    return isinstance(answers, list) and len(answers) == len(_STYLES) and all(isinstance(a, str) for a in answers)


def _convert(row: Row, beside: Beside) -> Iterator[Judgment]:
    right, wrong = row.take("chosen"), row.take("rejected")
    if not (_three(right) and _three(wrong)):
        raise BadRow("it does not have three chosen and three rejected answers")
    context = prompt(row.text("prompt"))
    name = row.fields.get("file", beside.split_name)
    for chosen, style in zip(right, _STYLES, strict=True):
        for rejected, other_style in zip(wrong, _STYLES, strict=True):
            yield Judgment(
                context=context,
                options=[text_option(chosen), text_option(rejected)],
                ranking=[[0], [1]],
                annotator_kind="rule",
                tags={"styles": [style, other_style], "source": name.removesuffix("_filtered.json")},
            )


FORMATS = (
    RowFormat(
        name="rm-bench",
        title="RM-Bench: content against style (Liu et al., 2024)",
        fields=frozenset({"id", "prompt", "chosen", "rejected"}),
        check=_is_rm_bench,
        convert=_convert,
    ),
)
