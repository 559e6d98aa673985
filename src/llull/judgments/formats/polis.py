"""Polis: people vote agree, disagree or pass on each other's statements (Small et al., 2021).

A row of ``votes`` is one person's vote on one statement. Agree and disagree rate the statement under the aspect
``agree`` (1 and 0); a pass is a ``cannot_judge``. The statements, the opinion groups that Polis found and the topics
stand in files beside it. The votes of Collective Constitutional AI (Huang et al., 2024) are a Polis export
of a single conversation.

Votes have no context. A statement does not answer the conversation's topic as a response answers a prompt: all of a
conversation stands under one topic, and parts that share no context could then only be whole conversations. The topic
is a tag.

A person may vote again on the same statement. All votes are kept, in the order of the file, and the repeats are noted.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from llull.judgments.format import Beside, RowFormat
from llull.judgments.record import Judgment, Option, Rating, named_option, text_option
from llull.judgments.rows import BadRow, Reject, Row

_VOTES = {1: 1.0, -1: 0.0, 0: None}
"""The value of aspect ``agree``; None for a pass."""
_START = datetime(1970, 1, 1, tzinfo=UTC)
_AUXILIARY = frozenset({"comments", "participants", "summary"})


@dataclass(frozen=True, kw_only=True)
class _VoteFormat(RowFormat):
    voter: str
    """The field that holds the id of who voted."""

    def outcomes(self, rows: Iterable[Row], beside: Beside) -> Iterator[tuple[list[Row], Judgment | Reject]]:
        return super().outcomes(self._noting_repeats(rows), beside)

    def _noting_repeats(self, rows: Iterable[Row]) -> Iterator[Row]:
        seen: set[Any] = set()
        for row in rows:
            get = row.fields.get
            vote = (get("conversation"), get(self.voter), get("comment-id"))
            if vote in seen:
                row.note("a person votes again on the same statement")
            seen.add(vote)
            yield row


def _convert_open_data(row: Row, beside: Beside) -> Iterator[Judgment]:
    conversation, comment, voter = row.text("conversation"), row.fields.get("comment-id"), row.take("voter-id")
    statement = beside.table("comments", _statement_key).get((conversation, comment))
    person = beside.table("participants", _person_key).get((conversation, voter))
    summary = beside.table("summary", "conversation").get(conversation)
    topic = summary.get("topic") if summary else None
    judgment = _judgment(row, f"{conversation}/", comment, voter, statement, person)
    judgment.tags["source"] = conversation
    if topic:
        judgment.tags["topic"] = topic
    if "source" in row:
        judgment.tags["file"] = row.take("source")
    yield judgment


def _convert_ccai(row: Row, beside: Beside) -> Iterator[Judgment]:
    comment, voter = row.fields.get("comment-id"), row.take("participant")
    statement = beside.table("comments", "comment-id").get(comment)
    person = beside.table("participants", "participant").get(voter)
    judgment = _judgment(row, "", comment, voter, statement, person)
    for joined, flag in ((statement, "in_clean_comments"), (person, "in_clean_votes")):
        if joined and flag in joined:
            judgment.tags[flag] = joined[flag]
    yield judgment


def _judgment(
    row: Row,
    prefix: str,
    comment: Any,
    voter: Any,
    statement: dict[str, Any] | None,
    person: dict[str, Any] | None,
) -> Judgment:
    value = row.label("vote", _VOTES)
    if comment is None or voter is None:
        raise BadRow("it does not say who voted on what")
    return Judgment(
        options=[_option(row, prefix, comment, statement)],
        verdict="cannot_judge" if value is None else "rated",
        ratings=[] if value is None else [Rating(0, "agree", value, 0.0, 1.0)],
        annotator=f"{prefix}{voter}",
        annotator_kind="human",
        groups=_groups(prefix, person),
        time=_time(row.take("timestamp", None)),
    )


def _option(row: Row, prefix: str, comment: Any, statement: dict[str, Any] | None) -> Option:
    if statement is None:
        row.note("a vote on a statement whose text is not beside it")
        return named_option(f"{prefix}{comment}")
    author = statement.get("author-id")
    return text_option(statement["comment-body"], None if author is None else f"{prefix}{author}", role="user")


def _groups(prefix: str, person: dict[str, Any] | None) -> dict[str, str]:
    group = person.get("group-id") if person else None
    return {} if group is None else {"community": f"{prefix}{group}"}


def _time(milliseconds: Any) -> datetime | None:
    return None if milliseconds is None else _START + timedelta(milliseconds=milliseconds)


def _statement_key(fields: dict[str, Any]) -> Hashable:
    return fields["conversation"], fields["comment-id"]


def _person_key(fields: dict[str, Any]) -> Hashable:
    return fields["conversation"], fields["participant"]


FORMATS = (
    _VoteFormat(
        name="polis",
        title="Polis open data: votes on statements (Computational Democracy Project)",
        fields=frozenset({"conversation", "comment-id", "voter-id", "vote"}),
        auxiliary=_AUXILIARY,
        convert=_convert_open_data,
        voter="voter-id",
    ),
    _VoteFormat(
        name="ccai",
        title="Collective Constitutional AI: votes on how an AI should behave (Huang et al., 2024)",
        fields=frozenset({"participant", "comment-id", "vote"}),
        auxiliary=_AUXILIARY,
        convert=_convert_ccai,
        voter="participant",
    ),
)
