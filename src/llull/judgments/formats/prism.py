"""PRISM: people of 75 countries talk with 21 models, choose among replies and score them (Kirk et al., 2024).

``utterances`` has one scored reply a row, ``conversations`` one whole conversation; both hold the same judgments, with
the same ids: read one of the two. A turn gives one judgment with the scores and one for each reply that was not
chosen (see `choices`), or a single one with both where there are two replies. A conversation goes on with the reply
that was chosen, so the context is the earlier prompts and chosen replies. Scores are from a slider, 1 to 100, and are
not comparable between people. Demographics are joined from ``survey``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from llull.judgments.format import Beside, GroupFormat, RowFormat
from llull.judgments.formats.choices import best_of
from llull.judgments.formats.nested_values import is_missing, take_list, without
from llull.judgments.record import Judgment, Message, Rating, text_option
from llull.judgments.rows import BadRow, Reject, Row, as_number

_SCORE = (1.0, 100.0)
_CHOSEN = {True: True, False: False, "True": True, "False": False, "true": True, "false": False}
_DEMOGRAPHICS = ("age", "gender", "employment_status", "education", "marital_status", "english_proficiency")
_NESTED_DEMOGRAPHICS = {
    "religion": "simplified",
    "ethnicity": "simplified",
    "location.birth_country": "birth_country",
    "location.reside_country": "reside_country",
}
_CONVERSATION = ("performance_attributes", "choice_attributes", "open_feedback")


def _convert_utterances(rows: list[Row], beside: Beside) -> Iterator[Judgment | Reject]:
    turns: dict[Any, list[Row]] = {}
    for row in rows:
        for key in row.fields:
            row.take(key)
        turns.setdefault(as_number(row.fields["turn"], "turn"), []).append(row)
    first = rows[0].fields
    conversation = beside.table("conversations", "conversation_id").get(first["conversation_id"], {})
    kept = {key: conversation[key] for key in _CONVERSATION if key in conversation}
    context: list[Message] = []
    for turn in sorted(turns):
        replies = sorted((row.fields for row in turns[turn]), key=_place)
        asked = replies[0]["user_prompt"]
        if not isinstance(asked, str) or any(reply["user_prompt"] != asked for reply in replies):
            yield turns[turn][0].reject(f"the prompt of turn {turn:g} is not one text")
            continue
        context = [*context, Message("user", asked)]
        facts = {**_facts(replies, ("user_prompt", "model_response", "model_name", "score", "user_id")), **kept}
        yield from _turn(turns[turn][0], beside, context, replies, "model_response", facts)
        context = [*context, *_chosen(replies, "model_response")]


def _convert_conversation(row: Row, beside: Beside) -> Iterator[Judgment | Reject]:
    if any(beside.path.parent.glob("utterances.*")):
        row.note("utterances beside it hold the same judgments; read one of the two files")
    row.take("user_id")
    context: list[Message] = []
    turns: dict[Any, list[dict[str, Any]]] = {}
    for entry in take_list(row, "conversation_history"):
        turns.setdefault(as_number(entry["turn"], "turn"), []).append(entry)
    for turn in sorted(turns):
        asked = [entry for entry in turns[turn] if entry["role"] == "user"]
        replies = sorted((entry for entry in turns[turn] if entry["role"] == "model"), key=_place)
        context = [*context, *(Message("user", entry["content"]) for entry in asked)]
        if not replies:
            row.note("a turn without replies")
            continue
        facts = _facts(replies, ("content", "model_name", "score"))
        yield from _turn(row, beside, context, replies, "content", facts)
        context = [*context, *_chosen(replies, "content")]


def _turn(
    row: Row,
    beside: Beside,
    context: list[Message],
    replies: list[dict[str, Any]],
    text: str,
    facts: dict[str, Any],
) -> Iterator[Judgment | Reject]:
    turn = replies[0]["turn"]
    try:
        chosen = [index for index, reply in enumerate(replies) if _is_chosen(reply)]
        ratings = [
            Rating(index, "score", as_number(reply["score"], "score"), *_SCORE)
            for index, reply in enumerate(replies)
            if not is_missing(reply["score"])
        ]
    except BadRow as bad:
        yield row.reject(str(bad))
        return
    others = [index for index in range(len(replies)) if index not in chosen]
    ranking = [chosen, others] if chosen and others else []
    if not ranking and not ratings:
        yield row.reject(f"turn {turn} has neither a choice nor a score")
        return
    user = row.fields["user_id"]
    person = beside.table("survey", "user_id").get(user, {})
    judgment = Judgment(
        context=context,
        options=[text_option(reply[text], reply["model_name"]) for reply in replies],
        ranking=ranking,
        verdict="ranked" if ranking else "rated",
        ratings=ratings,
        annotator=user,
        annotator_kind="human",
        groups=_groups(person),
        tags=facts,
        id=f"prism/{row.fields['conversation_id']}/{turn}",
    )
    if person:
        judgment.tags["survey"] = without(person, (*_DEMOGRAPHICS, "user_id"))
    yield from best_of(judgment) if ranking else [judgment]


def _is_chosen(reply: dict[str, Any]) -> bool:
    value = reply["if_chosen"]
    if value is None or value == "":
        return False
    if value not in _CHOSEN:
        raise BadRow(f"'if_chosen' is {value!r}, neither true nor false")
    return _CHOSEN[value]


def _chosen(replies: Iterable[dict[str, Any]], text: str) -> list[Message]:
    return [Message("assistant", reply[text]) for reply in replies if _CHOSEN.get(reply["if_chosen"])][:1]


def _place(reply: dict[str, Any]) -> float:
    return as_number(reply["within_turn_id"], "within_turn_id")


def _facts(replies: list[dict[str, Any]], but: Iterable[str]) -> dict[str, Any]:
    """What else is said of the replies: one value where all agree, else one a reply."""
    facts: dict[str, Any] = {}
    for key in without(replies[0], but):
        values = [reply.get(key) for reply in replies]
        facts[key] = values[0] if all(value == values[0] for value in values) else values
    return facts


def _groups(person: dict[str, Any]) -> dict[str, str]:
    groups = {key: str(person[key]) for key in (*_DEMOGRAPHICS, "study_locale") if not is_missing(person.get(key))}
    for path, key in _NESTED_DEMOGRAPHICS.items():
        held = person.get(path.split(".")[0])
        if isinstance(held, dict) and not is_missing(held.get(key)):
            groups[path.split(".")[-1]] = str(held[key])
    return groups


FORMATS = (
    GroupFormat(
        name="prism-utterances",
        title="PRISM: one scored reply a row (Kirk et al., 2024)",
        fields=frozenset(
            {
                "utterance_id",
                "interaction_id",
                "conversation_id",
                "user_id",
                "turn",
                "within_turn_id",
                "user_prompt",
                "model_response",
                "model_name",
                "score",
                "if_chosen",
            }
        ),
        auxiliary=frozenset({"survey", "metadata"}),
        together=lambda fields: fields["conversation_id"],
        convert=_convert_utterances,
    ),
    RowFormat(
        name="prism",
        title="PRISM: one conversation a row (Kirk et al., 2024)",
        fields=frozenset({"conversation_id", "user_id", "conversation_type", "opening_prompt", "conversation_history"}),
        auxiliary=frozenset({"survey", "metadata"}),
        convert=_convert_conversation,
    ),
)
