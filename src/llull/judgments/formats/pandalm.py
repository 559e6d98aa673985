"""PandaLM test set: votes of three people and labels of two model judges on the same pairs (Wang et al., 2023).

A judge's labels stand in ``judge-labels``, which names pairs by number; their texts are looked up beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llull.judgments.format import Beside, RowFormat, Sample
from llull.judgments.record import Judgment, Message, Option, prompt, text_option
from llull.judgments.rows import BadRow, Reject, Row

_VOTES = {0: [[0, 1]], 1: [[0], [1]], 2: [[1], [0]]}
_ANNOTATORS = ("annotator1", "annotator2", "annotator3")
_RESULTS = {**_VOTES, "1": _VOTES[1], "2": _VOTES[2], "Tie": _VOTES[0], "garbage": None}
_JUDGES = ("gpt", "pandalm")


def _convert_votes(row: Row, beside: Beside) -> Iterator[Judgment | Reject]:
    context, options = _pair(row.fields)
    for key in ("instruction", "input", "response1", "response2"):
        row.take(key)
    votes = {annotator: row.take(annotator, None) for annotator in _ANNOTATORS}
    for annotator, vote in votes.items():
        if vote is None:
            yield row.reject(f"{annotator} gave no vote")
            continue
        yield Judgment(
            context=context,
            options=options,
            ranking=[list(tier) for tier in row.label(annotator, _VOTES)],
            annotator=annotator,
            annotator_kind="human",
        )


def _convert_labels(row: Row, beside: Beside) -> Iterator[Judgment]:
    index = row.fields["idx"]
    pairs = beside.table("testset-v1", key="idx")
    if index not in pairs:
        raise BadRow(f"pair {index} is not in the file testset-v1 beside it")
    judge = next((name for name in _JUDGES if f"{name}_result" in row), None)
    if judge is None:
        raise BadRow("it has no judge's result")
    context, options = _pair(pairs[index])
    tiers = row.label(f"{judge}_result", _RESULTS)
    if tiers is None:
        row.note("a judge's answer that could not be read counts as cannot_judge")
    yield Judgment(
        context=context,
        options=options,
        ranking=[list(tier) for tier in tiers or ()],
        verdict="cannot_judge" if tiers is None else "ranked",
        rationale=row.take(f"{judge}_reason", None) or None,
        annotator=row.text("file").removesuffix("-testset-v1"),
        annotator_kind="model",
        tags={f"{judge}_result": row.fields[f"{judge}_result"]},
    )


def _pair(fields: dict[str, Any]) -> tuple[list[Message], list[Option]]:
    asked = "\n\n".join(part for part in (fields["instruction"], fields["input"]) if part)
    models = fields["cmp_key"].split("_")
    if len(models) != 2:
        raise BadRow(f"its cmp_key {fields['cmp_key']!r} does not name two models")
    return prompt(asked), [_answer(fields[f"response{n}"], model) for n, model in enumerate(models, 1)]


def _answer(value: Any, model: str) -> Option:
    # The release turned answers that say no more than "True" into JSON's true.
    return text_option(str(value) if isinstance(value, bool) else value, model)


def _is_labels(sample: Sample) -> bool:
    return all(any(f"{name}_result" in row for name in _JUDGES) for row in sample.rows)


FORMATS = (
    RowFormat(
        name="pandalm",
        title="PandaLM test set: three human votes for each pair (Wang et al., 2023)",
        fields=frozenset({"idx", "cmp_key", "instruction", "input", "response1", "response2", *_ANNOTATORS}),
        convert=_convert_votes,
    ),
    RowFormat(
        name="pandalm-judges",
        title="PandaLM test set: labels of model judges (Wang et al., 2023)",
        fields=frozenset({"file", "idx"}),
        check=_is_labels,
        convert=_convert_labels,
    ),
)
