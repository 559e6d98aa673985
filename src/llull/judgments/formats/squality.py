"""SQuALITY human evaluation: reviewers rate and rank three summaries (Wang et al., 2022).

A row is a story with its questions. One reviewer's ranks of the summaries that answer one question give three
judgments: correctness, coverage (``selection`` in the file) and overall, each with its ratings from 0 to 100.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llull.judgments.format import Beside, RowFormat
from llull.judgments.record import Judgment, Message, Option, Rating, text_option
from llull.judgments.rows import BadRow, Reject, Row, as_number

_CRITERIA = {"correctness": "correctness", "selection": "coverage", "overall": "overall"}


def _convert(row: Row, beside: Beside) -> Iterator[Judgment | Reject]:
    passage = str(row.take("passage-id"))
    questions = row.take("questions")
    if not isinstance(questions, dict):
        raise BadRow("its questions are not an object")
    for question, systems in questions.items():
        options = [text_option(said["response"], source=system) for system, said in systems.items()]
        if len({len(said["reviews"]) for said in systems.values()}) != 1:
            yield row.reject(f"question {question}: its summaries have different numbers of reviews")
            continue
        means = {system: said.get("overall") for system, said in systems.items()}
        for reviews in zip(*(said["reviews"] for said in systems.values()), strict=True):
            yield from _reviewed(row, passage, question, options, list(reviews), means)


def _reviewed(
    row: Row, passage: str, question: str, options: list[Option], reviews: list[dict[str, Any]], means: dict[str, Any]
) -> Iterator[Judgment | Reject]:
    reviewers = {review["worker_id"] for review in reviews}
    if len(reviewers) > 1:
        yield row.reject(f"question {question}: one round of reviews has several reviewers")
        return
    for name, criterion in _CRITERIA.items():
        ranks = [as_number(review[f"{name}-rank"], f"{name}-rank") for review in reviews]
        yield Judgment(
            context=[Message("user", f"passage {passage}, question {question}")],
            options=options,
            ranking=[[i for i, rank in enumerate(ranks) if rank == place] for place in sorted(set(ranks))],
            ratings=[
                Rating(i, criterion, as_number(review[f"{name}-rating"], f"{name}-rating"), 0.0, 100.0)
                for i, review in enumerate(reviews)
            ],
            criterion=criterion,
            annotator=str(reviews[0]["worker_id"]),
            annotator_kind="human",
            tags={
                "passage-id": passage,
                "question": question,
                "annotations": {review["system"]: review["annotations"] for review in reviews},
                "overall": means,
            },
        )


FORMATS = (
    RowFormat(
        name="squality",
        title="SQuALITY human evaluation of summaries (Wang et al., 2022)",
        fields=frozenset({"passage-id", "questions"}),
        convert=_convert,
    ),
)
