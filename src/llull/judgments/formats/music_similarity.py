"""Music similarity: crowd workers say which of two melodies is more like a query (Urbano et al., SIGIR 2010)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from llull.judgments.format import Beside, RowFormat
from llull.judgments.record import Judgment, Message, named_option
from llull.judgments.rows import Row

_RANKINGS = {"a": [[0], [1]], "b": [[1], [0]], "s": [[0, 1]]}
_CLOCK = "%a %b %d %H:%M:%S GMT %Y"


def _convert(row: Row, beside: Beside) -> Iterator[Judgment]:
    if row.fields.get("Input.query") in (row.fields.get("Input.docA"), row.fields.get("Input.docB")):
        row.note("one of the melodies is the query itself, as a control")
    background = row.take("Answer.bground", "")
    yield Judgment(
        context=[Message("user", row.text("Input.query"))],
        options=[named_option(row.text("Input.docA")), named_option(row.text("Input.docB"))],
        ranking=[list(tier) for tier in row.label("Answer.radio", _RANKINGS)],
        criterion="similarity to the query",
        rationale=row.take("Answer.comment", "") or None,
        annotator=str(row.take("WorkerId")),
        annotator_kind="human",
        groups={"musical background": background} if background else {},
        time=_submitted(row),
        tags={"HITId": row.take("HITId")},
        id=f"music-similarity/{row.fields['HITId']}/{row.fields['WorkerId']}",
    )


def _submitted(row: Row) -> datetime | None:
    """The time of the answer; one in another time zone stays in the tags as it was."""
    value: Any = row.fields.get("SubmitTime")
    try:
        time = datetime.strptime(value, _CLOCK).replace(tzinfo=UTC)
    except (TypeError, ValueError):
        return None
    row.take("SubmitTime")
    return time


FORMATS = (
    RowFormat(
        name="music-similarity",
        title="Music similarity judgments (Urbano et al., 2010)",
        fields=frozenset({"HITId", "WorkerId", "Input.query", "Input.docA", "Input.docB", "Answer.radio"}),
        convert=_convert,
    ),
)
