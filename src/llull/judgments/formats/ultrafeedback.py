"""UltraFeedback: four completions a prompt, rated by GPT-4 under four aspects and overall (Cui et al., 2023).

A row is one judgment that rates and does not rank. Ratings are text in the release, "1" to "5" or "N/A"; those
not given are left out. What the judge said of each completion is kept in the tag ``completions``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llull.judgments.format import Beside, RowFormat, Sample
from llull.judgments.record import Judgment, Rating, prompt, text_option
from llull.judgments.rows import BadRow, Row, as_number

_ABSENT = (None, "", "N/A")
# Name in the release, worst value, best value.
_OVERALL = (("overall_score", 1.0, 10.0), ("fine-grained_score", 1.0, 5.0))
_MOVED = ("model", "response", "overall_score", "fine-grained_score")


def _convert(row: Row, beside: Beside) -> Iterator[Judgment]:
    completions = row.take("completions")
    if not isinstance(completions, list) or not completions:
        raise BadRow("it has no completions")
    if any(not isinstance(completion.get("response"), str) for completion in completions):
        raise BadRow("a completion has no text under 'response'")
    for completion in completions:
        _note_known_fault(row, completion)
    ratings = [rating for index, completion in enumerate(completions) for rating in _ratings(index, completion)]
    if not ratings:
        raise BadRow("none of its completions is rated")
    yield Judgment(
        context=prompt(row.text("instruction")),
        options=[text_option(completion["response"], completion.get("model")) for completion in completions],
        ratings=ratings,
        verdict="rated",
        annotator="gpt-4",
        annotator_kind="model",
        tags={"completions": [{k: v for k, v in c.items() if k not in _MOVED} for c in completions]},
    )


def _ratings(index: int, completion: dict[str, Any]) -> Iterator[Rating]:
    for aspect, annotation in (completion.get("annotations") or {}).items():
        value = (annotation or {}).get("Rating")
        if value not in _ABSENT:
            yield Rating(index, aspect, as_number(value, f"{aspect} rating"), 1.0, 5.0)
    for aspect, low, high in _OVERALL:
        value = completion.get(aspect)
        if value not in _ABSENT:
            yield Rating(index, aspect, as_number(value, aspect), low, high)


def _note_known_fault(row: Row, completion: dict[str, Any]) -> None:
    # The first release wrote 10 for many completions whose critique said 1; the authors' rule tells them by
    # the mean of the aspects: at most 2 means 1, above 4 means 10, between them it takes another judge.
    if completion.get("overall_score") not in (10, "10"):
        return
    mean = completion.get("fine-grained_score")
    if mean in _ABSENT:
        row.note("an overall_score of 10 that no aspect ratings confirm")
    elif as_number(mean, "fine-grained_score") <= 2:
        row.note("an overall_score of 10 with aspects of at most 2: the first release wrote 10 for 1")
    elif as_number(mean, "fine-grained_score") <= 4:
        row.note("an overall_score of 10 with aspects of at most 4: doubtful, the first release wrote 10 for some 1s")


def _is_annotated(sample: Sample) -> bool:
    lists = [row["completions"] for row in sample.rows if isinstance(row["completions"], list)]
    return any(isinstance(each, dict) and "annotations" in each for completions in lists for each in completions)


FORMATS = (
    RowFormat(
        name="ultrafeedback",
        title="UltraFeedback (Cui et al., 2023)",
        fields=frozenset({"source", "instruction", "models", "completions"}),
        check=_is_annotated,
        convert=_convert,
    ),
)
