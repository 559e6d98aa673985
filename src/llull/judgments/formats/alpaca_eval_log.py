"""The judge log of AlpacaEval: language models compare 103 models with a reference model (Li et al., 2023).

``preference`` is 1 where the reference is better, 2 where the candidate is, 1.5 for a tie (0 in older files) and null
where the judge failed. For judges whose token probabilities were read it is 1 plus the probability that the candidate
is better, and the strength is its distance from 1.5.

The outputs beside the log are not always those that were judged, so a text is taken only if it is as long as the log
says; otherwise the option is known by the name of its model.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

from llull.judgments.format import Beside, RowFormat
from llull.judgments.record import Judgment, Option, named_option, prompt, text_option
from llull.judgments.rows import BadRow, Row, as_number

_TIE = 1.5
_OLD_TIE = 0.0
_GRADED = "weighted"
"""How the names of judges begin that give probabilities."""


def _convert(row: Row, beside: Beside) -> Iterator[Judgment]:
    given = row.take("preference")
    if given is None:
        raise BadRow("the judge gave no preference")
    preference = as_number(given, "preference")
    if preference != _OLD_TIE and not 1.0 <= preference <= 2.0:
        raise BadRow(f"its preference {preference} is neither 0 nor between 1 and 2")
    judge, number = row.text("annotator"), row.fields.get("instruction_id")
    asked = beside.table("instructions", "instruction_id").get(number)
    if asked is None:
        row.note("an instruction whose text is not beside it")
    judgment = Judgment(
        context=prompt(asked["instruction"] if asked else f"instruction {number}"),
        options=[
            _option(row, beside, row.text("generator_1"), row.fields.get("generator_1"), "len_1"),
            _option(row, beside, row.text("generator_2"), row.fields.get("path"), "len_2"),
        ],
        ranking=[[0, 1]] if preference in (_TIE, _OLD_TIE) else [[0], [1]] if preference < _TIE else [[1], [0]],
        strength=abs(preference - _TIE) if judge.startswith(_GRADED) else None,
        annotator=judge,
        annotator_kind="model",
        tags={"preference": given},
    )
    if judgment.strength is not None:
        judgment.tags["strength_range"] = [0.0, 0.5]
    if asked and "dataset" in asked:
        judgment.tags["dataset"] = asked["dataset"]
    yield judgment


def _option(row: Row, beside: Beside, model: str, path: Any, length: str) -> Option:
    held = beside.table("outputs", _output_key).get((row.fields.get("instruction_id"), path))
    if held is None:
        return named_option(model)
    if len(held["output"]) != row.fields.get(length):
        row.note("an output that is not as long as the one judged is not taken for it")
        return named_option(model)
    return text_option(held["output"], model)


def _output_key(fields: dict[str, Any]) -> Hashable:
    return fields["instruction_id"], fields["path"]


FORMATS = (
    RowFormat(
        name="alpaca-eval-log",
        title="AlpacaEval: log of language models as judges (Li et al., 2023)",
        fields=frozenset(
            {"instruction_id", "annotator", "generator_1", "generator_2", "preference", "len_1", "len_2", "path"}
        ),
        auxiliary=frozenset({"instructions", "outputs"}),
        convert=_convert,
    ),
)
