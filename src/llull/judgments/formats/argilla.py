"""Argilla: flattened records, with the answers of several people and the suggestions of models to several questions.

Each answer of a person to a question is one judgment, the question is its criterion. Rankings name fields. Labels
that name a field are choices of it (see `choices`); other labels are options in themselves, and several labels share
the first tier. Numbers are ratings of the one answer that the record holds. Answers of several words are taken for
reasons of that person's other answers. Discarded answers are ``cannot_judge``; drafts are rejects, for nobody has
submitted them. A suggestion is a model's judgment.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llull.judgments.format import Beside, RowFormat, Sample
from llull.judgments.formats.choices import best_of
from llull.judgments.formats.nested_values import is_missing, tiers_by_rank, unpacked
from llull.judgments.formats.platform_records import context_of, index_of, is_tie, option_named, options_of
from llull.judgments.record import AnnotatorKind, Judgment, Message, Option, Rating, named_option
from llull.judgments.rows import BadRow, Reject, Row, as_number

_STATUSES = ("submitted", "draft", "discarded")


def _convert(row: Row, beside: Beside) -> Iterator[Judgment | Reject]:
    questions, record = _parted(row.fields)
    context, options = context_of(record), options_of(record)
    held = {question: _answers(row, question) for question in questions}
    reasons: dict[Any, list[str]] = {}
    for question in [q for q in questions if _is_text(held[q])]:
        for user, value, status in held.pop(question):
            if status != "draft" and isinstance(value, str):
                reasons.setdefault(user, []).append(value)
    for question, answers in held.items():
        for user, value, status in answers:
            if status not in _STATUSES:
                yield row.reject(f"an answer to {question!r} has the unknown status {status!r}")
            elif status == "draft":
                yield row.reject(f"an answer to {question!r} is a draft that was never submitted")
            else:
                why = "\n".join(reasons.get(user, [])) or None
                yield from _judged(
                    row, question, None if status == "discarded" else value, context, options, user, why, "human"
                )
        suggested = _unpacked(row.take(f"{question}.suggestion", None))
        agent, score = (row.take(f"{question}.suggestion.{part}", None) for part in ("agent", "score"))
        if not is_missing(suggested):
            for outcome in _judged(row, question, suggested, context, options, agent, None, "model"):
                if isinstance(outcome, Judgment) and score is not None:
                    outcome.tags["suggestion_score"] = score
                yield outcome


def _parted(fields: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """The names of the questions, and the fields that are none of theirs."""
    questions = sorted({key.split(".")[0] for key in fields if key.endswith((".responses", ".suggestion"))})
    starts = tuple(f"{question}." for question in questions)
    return questions, {key: value for key, value in fields.items() if not key.startswith(starts)}


def _answers(row: Row, question: str) -> list[tuple[Any, Any, Any]]:
    """Who answered what, with which status."""
    values = _unpacked(row.take(f"{question}.responses", None)) or []
    users = _unpacked(row.take(f"{question}.responses.users", None)) or [None] * len(values)
    statuses = _unpacked(row.take(f"{question}.responses.status", None)) or ["submitted"] * len(values)
    if not len(values) == len(users) == len(statuses):
        raise BadRow(
            f"question {question!r} has {len(values)} answers of {len(users)} users in {len(statuses)} statuses"
        )
    return [(user, _unpacked(value), status) for user, value, status in zip(users, values, statuses, strict=True)]


def _unpacked(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in "[{":
        try:
            return unpacked(value, "")
        except BadRow:
            return value
    return value


def _is_text(answers: list[tuple[Any, Any, Any]]) -> bool:
    # A label is one of few short words; what people write has several.
    said = [value for _, value, _ in answers if value is not None]
    return bool(said) and all(isinstance(value, str) and " " in value.strip() for value in said)


def _judged(
    row: Row,
    question: str,
    value: Any,
    context: list[Message],
    fields: dict[str, Option],
    user: Any,
    why: str | None,
    kind: AnnotatorKind,
) -> Iterator[Judgment | Reject]:
    try:
        options, ranking, ratings = _read(question, value, fields)
    except BadRow as bad:
        yield row.reject(str(bad))
        return
    judgment = Judgment(
        context=context,
        options=options,
        ranking=ranking,
        verdict="ranked" if ranking else "rated" if ratings else "cannot_judge",
        ratings=ratings,
        criterion=question,
        rationale=why,
        annotator=None if user is None else str(user),
        annotator_kind=kind,
        tags={"value": value},
    )
    is_choice = len(ranking) == 2 and not _are_ranks(value)
    yield from best_of(judgment) if is_choice else [judgment]


def _read(question: str, value: Any, fields: dict[str, Option]) -> tuple[list[Option], list[list[int]], list[Rating]]:
    options = list(fields.values())
    if is_missing(value):
        if not options:
            raise BadRow(f"question {question!r} was discarded on a record without a known answer")
        return options, [], []
    if _are_ranks(value):
        named = [option_named(str(item["value"]), fields) for item in value]
        return named, tiers_by_rank((n, as_number(item["rank"], "rank")) for n, item in enumerate(value)), []
    if isinstance(value, int | float) and not isinstance(value, bool):
        if len(options) != 1:
            raise BadRow(
                f"question {question!r} is a rating, and the record holds {len(options)} answers it could be of"
            )
        return options, [], [Rating(0, question, float(value))]
    labels = [str(label) for label in value] if isinstance(value, list) else [str(value)]
    if len(labels) == 1 and len(options) > 1:
        if is_tie(labels[0]):
            return options, [list(range(len(options)))], []
        if (best := index_of(labels[0], fields)) is not None:
            return options, [[best], [index for index in range(len(options)) if index != best]], []
    return [named_option(label) for label in labels], [list(range(len(labels)))], []


def _are_ranks(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) and "rank" in item for item in value)


def _is_argilla(sample: Sample) -> bool:
    return all(any(key.endswith((".responses", ".suggestion")) for key in row) for row in sample.rows)


def _more_fields(sample: Sample) -> int:
    """The fields of the questions, and those of the record that ask or answer, whatever the project calls them."""
    fields = sample.rows[0]
    _, record = _parted(fields)
    return len(fields) - len(record) + bool(context_of(record)) + len(options_of(record))


FORMATS = (
    RowFormat(
        name="argilla",
        title="Argilla: flattened records",
        fields=frozenset({"id"}),
        check=_is_argilla,
        more_fields=_more_fields,
        convert=_convert,
    ),
)
