"""WMT MQM: experts mark the errors of translations, one row for each error (Freitag et al., 2021).

The rows of one segment, system and rater are one judgment: the rating ``mqm`` is minus the sum of the usual weights
(5 for a major error, 1 for a minor one, 0.1 for minor punctuation, 25 for what is no translation at all), so that 0 is
best. Each error is kept, with its marked span, in the tag ``errors``.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from typing import Any

from llull.judgments.format import Beside, GroupFormat
from llull.judgments.record import Judgment, Rating, prompt, text_option
from llull.judgments.rows import BadRow, Reject, Row

_MARK = re.compile(r"</?v>")
_SEVERITIES = {"Major": 5.0, "Minor": 1.0, "No-error": 0.0, "HOTW-test": None}
_MINOR_PUNCTUATION = 0.1
_NON_TRANSLATION = 25.0


def _segment(fields: dict[str, Any]) -> Hashable:
    number = fields["globalSegId"] if "globalSegId" in fields else fields["seg_id"]
    return fields["lp"], fields["system"], fields["doc"], number, fields["rater"]


def _convert(rows: list[Row], beside: Beside) -> Iterator[Judgment | Reject]:
    weights = [_weight(row) for row in rows]
    first = rows[0]
    marked = [(row.text("source"), row.text("target")) for row in rows]
    texts = [(_MARK.sub("", source), _MARK.sub("", target)) for source, target in marked]
    if len(set(texts)) > 1:
        first.note("rows of one segment differ in their text beyond the marks; the first is taken")
    errors = [
        {"category": row.take("category"), "severity": row.fields["severity"], "source": source, "target": target}
        for row, (source, target) in zip(rows, marked, strict=True)
    ]
    counted = [weight for weight in weights if weight is not None]
    if not counted:
        raise BadRow("its rows are attention checks only")
    source, target = texts[0]
    (system, rater), *_ = [(row.take("system"), row.take("rater")) for row in rows]
    yield Judgment(
        context=prompt(source),
        options=[text_option(target, source=system)],
        verdict="rated",
        # Adding 0 turns the -0.0 of a faultless segment into 0.0.
        ratings=[Rating(0, "mqm", -sum(counted) + 0.0, None, 0.0)],
        annotator=rater,
        annotator_kind="human",
        tags={"errors": errors},
    )


def _weight(row: Row) -> float | None:
    """What an error costs; None for the planted errors of attention checks, which are not the system's."""
    weight = row.label("severity", _SEVERITIES)
    if row.fields.get("category") == "Non-translation!":
        return _NON_TRANSLATION
    if row.fields.get("category") == "Fluency/Punctuation" and weight == _SEVERITIES["Minor"]:
        return _MINOR_PUNCTUATION
    return weight


FORMATS = (
    GroupFormat(
        name="wmt-mqm",
        title="WMT MQM: expert error annotation of translations (Freitag et al., 2021)",
        fields=frozenset({"lp", "system", "doc", "rater", "source", "target", "category", "severity"}),
        together=_segment,
        convert=_convert,
    ),
)
