"""All metrics before and after, with their meaning."""

from __future__ import annotations

from llull.evaluate import Estimate
from llull.report.alignment_content import GENERATION, AlignmentReport
from llull.report.alignment_sections.amounts import amount, interval, moved, moved_interval, plain
from llull.report.markup import Markup, element, joined
from llull.report.tables import table
from llull.report.wording import UNKNOWN, counted

_HEAD = ["Metric", "Before", "After", "Interval after", "Change", "Interval of the change"]


def section(report: AlignmentReport) -> Markup:
    """One table of the held-out judgments, one of samples, and what all of it means."""
    return joined(_judged(report), _generated(report), _meanings(report))


def _judged(report: AlignmentReport) -> Markup:
    names = [*report.after, *(name for name in report.before if name not in report.after)]
    if not names:
        return element("p", "No judgments were held out, so there is nothing to compare.")
    rows = [_row(name, report.before.get(name), report.after.get(name), report.change(name)) for name in names]
    some = next(iter((report.after or report.before).values()))
    on = f"{counted(some.n, 'judgment')} of {counted(some.clusters, 'context')}"
    return table(f"On held-out judgments ({on})", _HEAD, rows)


def _generated(report: AlignmentReport) -> Markup:
    if not report.generation:
        return element("p", "Nothing was measured on samples of the policy.")
    rows = [
        _row(name, before, after, report.generated_change(name)) for name, (before, after) in report.generation.items()
    ]
    return table("On samples of the policy", _HEAD, rows)


def _row(name: str, before: Estimate | None, after: Estimate | None, change: Estimate | None) -> list[str]:
    return [
        plain(name),
        UNKNOWN if before is None else amount(name, before.value),
        UNKNOWN if after is None else amount(name, after.value),
        UNKNOWN if after is None else interval(name, after),
        UNKNOWN if change is None else moved(name, change),
        UNKNOWN if change is None else moved_interval(name, change),
    ]


def _meanings(report: AlignmentReport) -> Markup | None:
    shown = [*report.after, *report.generation]
    meanings = {**GENERATION, **report.meanings}
    items = [element("li", element("b", plain(name)), f": {meanings[name]}") for name in shown if meanings.get(name)]
    if not items:
        return None
    how = (
        "Changes of shares are in percentage points. Where judgments were not compared one by one, the interval of a "
        "change is taken from both intervals and is wider than need be."
    )
    return joined(element("h3", "What the metrics mean"), element("ul", *items), element("p", how, class_="quiet"))
