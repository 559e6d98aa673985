"""UKPConvArg: which of two web arguments on the same side of a debate is more convincing (Habernal and Gurevych, 2016).

ConvArg1: a row is a pair with its crowd votes, and each vote is a judgment; the arguments and the debates stand in
files beside it. ConvArg2: a row is a pair, with the winner always as ``a1``, and the labels of why it won.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from llull.judgments.format import Beside, RowFormat
from llull.judgments.record import Judgment, Message, Option, named_option, prompt, text_option
from llull.judgments.rows import BadRow, Reject, Row

_RANKINGS = {"a1": [[0], [1]], "a2": [[1], [0]], "equal": [[0, 1]]}
_CRITERION = "more convincing"
_MOVED = ("turkID", "value", "reason", "assignmentSubmitTime")
_AUXILIARY = frozenset({"convarg1_arguments", "convarg1_debates"})


def _convert_pairs(row: Row, beside: Beside) -> Iterator[Judgment | Reject]:
    arguments = beside.table("convarg1_arguments", "id")
    names = [row.text("arg1"), row.text("arg2")]
    options = [_option(row, name, arguments.get(name)) for name in names]
    context = _context(row, beside, arguments.get(names[0]))
    votes = row.take("votes")
    if not isinstance(votes, list) or not votes:
        raise BadRow("it has no votes")
    for vote in votes:
        try:
            yield _vote(row, vote, context, options, names)
        except BadRow as bad:
            yield row.reject(str(bad))


def _vote(row: Row, vote: Any, context: list[Message], options: list[Option], names: list[str]) -> Judgment:
    if not isinstance(vote, dict):
        raise BadRow("a vote is not an object")
    # As a row of its own, so that an unknown value stops the read like any unknown label.
    ranking = Row(vote, row.file, row.line, Counter()).label("value", _RANKINGS)
    return Judgment(
        context=context,
        options=options,
        ranking=[list(tier) for tier in ranking],
        criterion=_CRITERION,
        rationale=vote.get("reason") or None,
        annotator=vote.get("turkID"),
        annotator_kind="human",
        time=_time(vote.get("assignmentSubmitTime")),
        tags={"arguments": names, **{key: held for key, held in vote.items() if key not in _MOVED}},
    )


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f UTC").replace(tzinfo=UTC)
    except ValueError:
        raise BadRow(f"the time {text!r} of a vote is not like 2016-01-31 16:59:52.0 UTC") from None


def _convert_reasons(row: Row, beside: Beside) -> Iterator[Judgment]:
    winner = str(row.fields.get("pair_id")).split("_")[0]
    yield Judgment(
        context=_context(row, beside, beside.table("convarg1_arguments", "id").get(winner)),
        options=[text_option(row.text(side), role="user") for side in ("a1", "a2")],
        ranking=[[0], [1]],
        criterion=_CRITERION,
        annotator_kind="human",
    )


def _option(row: Row, name: str, argument: dict[str, Any] | None) -> Option:
    if argument is None:
        row.note("an argument whose text is not beside it")
        return named_option(name)
    return text_option(argument["text"], role="user")


def _context(row: Row, beside: Beside, argument: dict[str, Any] | None) -> list[Message]:
    """The debate and the side that both arguments take; the name of the side where the debate is not beside."""
    # ConvArg2 names three of the sides differently, so the argument's own word for its side comes first.
    side = argument["debate_side"] if argument else row.fields.get("debate_side")
    debate = beside.table("convarg1_debates", "debate_side").get(side)
    if debate is None:
        return prompt(str(side))
    stance = argument.get("stance") if argument else None
    return prompt("\n\n".join(part for part in (debate["title"], debate.get("description"), stance) if part))


FORMATS = (
    RowFormat(
        name="ukp-convarg1",
        title="UKPConvArg1: crowd votes on which argument convinces more (Habernal and Gurevych, 2016)",
        fields=frozenset({"id", "debate_side", "arg1", "arg2", "goldLabel", "votes"}),
        auxiliary=_AUXILIARY,
        convert=_convert_pairs,
    ),
    RowFormat(
        name="ukp-convarg2",
        title="UKPConvArg2: why one argument convinces more (Habernal and Gurevych, 2016)",
        fields=frozenset({"debate_side", "pair_id", "label", "a1", "a2"}),
        auxiliary=_AUXILIARY,
        convert=_convert_reasons,
    ),
)
