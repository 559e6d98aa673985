"""HHH alignment pairs inside the grading prompts of Prometheus (Askell et al., 2021; Kim et al., 2024).

Prompt and answer are cut out of the grading prompt; what stands around them is kept in tags.
"""

from __future__ import annotations

from collections.abc import Iterator

from llull.judgments.format import Beside, RowFormat
from llull.judgments.record import Judgment, prompt, text_option
from llull.judgments.rows import BadRow, Row

_ASKED = "###The instruction to evaluate:\n"
_ANSWERED = "\n\n###Response to evaluate:\n"
_RUBRIC = "\n\n###Score Rubrics:\n"


def _convert(row: Row, beside: Beside) -> Iterator[Judgment]:
    task, asked, chosen, rubric = _parts(row, "chosen_instruction")
    other_task, also_asked, rejected, other_rubric = _parts(row, "rejected_instruction")
    tags = {"task": task, "rubric": rubric}
    if (other_task, other_rubric) != (task, rubric):
        tags |= {"rejected_task": other_task, "rejected_rubric": other_rubric}
    if also_asked != asked:
        row.note("the contexts of the two halves differ; that of the chosen one is taken")
        tags["rejected_context"] = also_asked
    kind = row.text("source")
    yield Judgment(
        context=prompt(asked),
        options=[text_option(chosen), text_option(rejected)],
        ranking=[[0], [1]],
        criterion=kind,
        annotator_kind="human",
        tags={**tags, "source": kind},
    )


def _parts(row: Row, key: str) -> tuple[str, str, str, str]:
    """Task, instruction, response and rubric of a grading prompt."""
    task, asked, rest = row.text(key).partition(_ASKED)
    instruction, answered, rest = rest.partition(_ANSWERED)
    response, graded, rubric = rest.rpartition(_RUBRIC)
    if not (asked and answered and graded):
        raise BadRow(f"field {key!r} is not a grading prompt with instruction, response and rubric")
    return task, instruction, response, rubric


FORMATS = (
    RowFormat(
        name="hhh-alignment",
        title="HHH alignment evaluation in grading prompts (Askell et al., 2021)",
        fields=frozenset({"source", "chosen_instruction", "rejected_instruction"}),
        convert=_convert,
    ),
)
