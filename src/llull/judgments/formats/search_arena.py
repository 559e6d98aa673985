"""Search Arena: people compare two models that search the web (Miroyan et al., 2025).

``winner`` is null where nobody voted: that is no judgment, so such conversations are rejects with that reason.
"""

from __future__ import annotations

from collections.abc import Iterator

from llull.judgments.format import Beside, RowFormat
from llull.judgments.formats.battles import VOTES, sides_of, turn_details
from llull.judgments.formats.nested_values import is_missing
from llull.judgments.formats.timestamps import take_time
from llull.judgments.record import Judgment
from llull.judgments.rows import BadRow, Row

_SIDES = ("messages_a", "messages_b")


def _convert(row: Row, beside: Beside) -> Iterator[Judgment]:
    models = row.text("model_a"), row.text("model_b")
    if is_missing(row.fields.get("winner")):
        raise BadRow("nobody voted on it")
    ranking, verdict = row.label("winner", VOTES)
    context, options = sides_of(row, _SIDES, models)
    details = turn_details(row, _SIDES)
    judge = row.take("judge", None)
    yield Judgment(
        context=context,
        options=options,
        ranking=[list(tier) for tier in ranking],
        verdict=verdict,
        annotator=None if is_missing(judge) else str(judge),
        annotator_kind="human",
        time=take_time(row, "timestamp"),
        tags=details,
    )


FORMATS = (
    RowFormat(
        name="search-arena",
        title="Search Arena: models that search the web (Miroyan et al., 2025)",
        fields=frozenset({"model_a", "model_b", "winner", "messages_a", "messages_b"}),
        convert=_convert,
    ),
)
