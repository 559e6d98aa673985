"""LLMFAO: battles of language models on 13 prompts, judged by a crowd and by GPT-3.5 and GPT-4 (Ustalov, 2023).

``winner`` names the side on which the better answer was shown. Prompts and answers stand in files beside it; without
them the models are known by name.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

from llull.judgments.format import Beside, RowFormat
from llull.judgments.record import AnnotatorKind, Judgment, Option, named_option, prompt, text_option
from llull.judgments.rows import Row

_RANKINGS = {"left": [[0], [1]], "right": [[1], [0]], "tie": [[0, 1]]}
_BATTLE = frozenset({"id", "prompt", "model_x", "model_y", "winner", "left", "right"})
_AUXILIARY = frozenset({"models", "results", "prompts", "pairs-crowd"})


def _convert_crowd(row: Row, beside: Beside) -> Iterator[Judgment]:
    yield _battle(row, beside, str(row.take("worker")), "human")


def _convert_judge(row: Row, beside: Beside) -> Iterator[Judgment]:
    # The judge is named at the beginning of the file that its judgments came from.
    yield _battle(row, beside, str(row.fields["file"]).split("-")[0], "model")


def _battle(row: Row, beside: Beside, annotator: str, kind: AnnotatorKind) -> Judgment:
    asked = beside.table("prompts", "id").get(row.fields.get("prompt"))
    if asked is None:
        row.note("a prompt whose text is not beside it")
    return Judgment(
        context=prompt(asked["text"] if asked else f"prompt {row.fields.get('prompt')}"),
        options=[_answer(row, beside, "model_x", "left"), _answer(row, beside, "model_y", "right")],
        ranking=[list(tier) for tier in row.label("winner", _RANKINGS)],
        shown=[0, 1],
        annotator=annotator,
        annotator_kind=kind,
    )


def _answer(row: Row, beside: Beside, model: str, side: str) -> Option:
    name = row.text(side)
    result = beside.table("results", _result_key).get((row.fields.get(model), row.fields.get("prompt")))
    if result is None:
        row.note("an answer whose text is not beside it")
        return named_option(name)
    return text_option(result["result"], name)


def _result_key(fields: dict[str, Any]) -> Hashable:
    return fields["model"], fields["prompt"]


FORMATS = (
    RowFormat(
        name="llmfao-crowd",
        title="LLMFAO: crowd votes on battles of language models (Ustalov, 2023)",
        fields=_BATTLE | {"worker"},
        auxiliary=_AUXILIARY,
        convert=_convert_crowd,
    ),
    RowFormat(
        name="llmfao-judges",
        title="LLMFAO: language models as judges of the same battles (Ustalov, 2023)",
        fields=_BATTLE | {"file"},
        auxiliary=_AUXILIARY,
        convert=_convert_judge,
    ),
)
