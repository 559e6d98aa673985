"""Who judged, how much of it by more than one, and how far they agree."""

from __future__ import annotations

import math

from llull.judgments.agreement import Agreement
from llull.judgments.describing import Description, Overlap
from llull.report.content import Report
from llull.report.markup import Markup, element, joined
from llull.report.tables import facts, table
from llull.report.wording import UNKNOWN, count, decimal, percent

_MOST_VALUES = 8


def section(report: Report) -> Markup | None:
    """Annotators, their kinds and groups, overlap and agreement; None without a description."""
    found = report.description
    if found is None:
        return None
    return joined(_workload(found), _kinds(found), *(_group(k, v) for k, v in found.groups.items()), _agreement(found))


def _workload(found: Description) -> Markup:
    who = found.annotators
    if who.number == 0:
        return element("p", "No judgment says who made it, so nothing can be said of single annotators.")
    numbers = [
        ("annotators", count(who.number)),
        ("judgments by the median annotator", f"{who.median:,.0f}"),
        ("judgments by the busiest", count(who.largest)),
        ("judgments by unknown", count(who.unknown)),
    ]
    return facts(numbers)


def _kinds(found: Description) -> Markup:
    rows = [[kind, count(n), percent(n / found.judgments)] for kind, n in found.annotator_kinds.items()]
    return table("Kinds of annotator", ["Kind", "Judgments", "Share"], rows)


def _group(key: str, values: dict[str, int]) -> Markup:
    total = sum(values.values())
    rows = [[name, count(n), percent(n / total)] for name, n in list(values.items())[:_MOST_VALUES]]
    more = f", the {_MOST_VALUES} largest of {count(len(values))}" if len(values) > _MOST_VALUES else ""
    return table(f"Annotators by {key}{more}", [key, "Judgments", "Share"], rows)


def _agreement(found: Description) -> Markup:
    measured = [("pairs", found.overlap, found.agreement)]
    measured += [(f"ratings of {aspect}", r.overlap, r.agreement) for aspect, r in found.ratings.items()]
    rows = [_agreement_row(name, overlap, agreement) for name, overlap, agreement in measured if overlap.items]
    if not any(overlap.shared for _, overlap, _ in measured):
        text = "Nothing was judged by two annotators, so agreement and label noise cannot be known."
        return joined(element("h3", "Agreement"), element("p", text))
    head = ["", "Items", "Judged twice or more", "Same answer", "Alpha, nominal", "Alpha, ordinal"]
    note = (
        "Same answer: the chance that another annotator of the same item says the same. Alpha is Krippendorff's: 1 is "
        "full agreement, 0 what chance would give."
    )
    if math.isfinite(found.label_noise):
        note += (
            f" If every disagreement were a slip, {percent(found.label_noise)} of votes would be reversed; real "
            "differences of taste count as slips here, so this is an upper bound."
        )
    return joined(
        element("h3", "Agreement"),
        table("Overlap and agreement", head, rows),
        element("p", note, class_="quiet"),
    )


def _agreement_row(name: str, overlap: Overlap, agreement: Agreement | None) -> list[str]:
    row = [name, count(overlap.items), count(overlap.shared)]
    if agreement is None:
        return [*row, UNKNOWN, UNKNOWN, UNKNOWN]
    return [*row, percent(agreement.percent), decimal(agreement.alpha_nominal, 2), decimal(agreement.alpha_ordinal, 2)]
