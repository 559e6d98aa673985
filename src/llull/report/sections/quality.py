"""Accuracy and loss of every model, on all pairs and on each part, beside the best simple rule."""

from __future__ import annotations

import math
from collections.abc import Sequence

from llull.evaluate import METRICS, Comparison, Evaluation, Slice
from llull.evaluate.evaluation import ALL
from llull.report.content import Report
from llull.report.markup import Markup, element, joined
from llull.report.plots import Mark, Row, dot_plot
from llull.report.tables import table
from llull.report.wording import (
    UNKNOWN,
    count,
    decimal,
    part_name,
    percent,
    percent_interval,
    points,
    points_interval,
    turned,
)

_MOST_PARTS = 24


def section(report: Report) -> Markup:
    """A plot, a table of all metrics by part, the comparison of models, and the simple rules."""
    found = report.main
    shown = _shown(found)
    return joined(
        element("p", f"Measured by {found.protocol}. {_ties(found)}"),
        _plot(report.evaluations, shown),
        _left_out(found, shown),
        _metrics(found, shown),
        _compared(report.comparison, shown),
        _rules(found, shown),
        _meanings(),
    )


def _ties(found: Evaluation) -> str:
    whole = found.overall
    if whole.n_ties == 0:
        return "No pair is a tie."
    return f"{count(whole.n_ties)} of {count(whole.n_pairs)} pairs are ties: {found.tie_rule}."


def _shown(found: Evaluation) -> list[Slice]:
    """All pairs, then the largest parts of each key, in the order of the evaluation."""
    shown = [found.overall]
    for key in found.keys:
        parts = found.by(key)
        largest = sorted(parts, key=lambda part: -part.n_pairs)[:_MOST_PARTS]
        shown += [part for part in parts if part in largest]
    return shown


def _left_out(found: Evaluation, shown: Sequence[Slice]) -> Markup | None:
    missing = len(found.slices) - len(shown)
    if not missing:
        return None
    text = f"{count(missing)} smaller parts are not shown here; metrics.json has them all."
    return element("p", text, class_="quiet")


def _same(evaluation: Evaluation, part: Slice) -> Slice:
    return next(other for other in evaluation.slices if (other.by, other.name) == (part.by, part.name))


def _plot(evaluations: Sequence[Evaluation], shown: Sequence[Slice]) -> Markup | None:
    names = [e.model for e in evaluations]
    has_rules = bool(evaluations[0].baselines)
    rows = []
    for part in shown:
        parts = [_same(e, part) for e in evaluations]
        estimates = [p["accuracy"] for p in parts]
        if has_rules:
            estimates.append(evaluations[0].best_baseline(part.by, part.name)[1]["accuracy"])
        if not math.isfinite(estimates[0].value):
            continue
        marks = tuple(Mark(i, e.value, e.low, e.high) for i, e in enumerate(estimates))
        rows.append(Row(part_name(part), percent(estimates[0].value), marks))
    if not rows:
        return None
    series = [*names, "best simple rule"] if has_rules else names
    said = "; ".join(f"{row.label} {row.note}" for row in rows[:12])
    return dot_plot(
        rows,
        series=series,
        reference=0.5,
        reference_name="a coin",
        tick=lambda x: percent(x).replace(".0", ""),
        described=f"Accuracy of {names[0]} with intervals. {said}. The table below has all numbers.",
        axis="Accuracy on decided pairs",
    )


def _metrics(found: Evaluation, shown: Sequence[Slice]) -> Markup:
    rows = []
    for part in shown:
        accuracy = part["accuracy"]
        rows.append(
            [
                part_name(part),
                count(part.n_pairs),
                count(part.n_contexts),
                percent(accuracy.value),
                percent_interval(accuracy),
                decimal(part["log_loss"].value),
                decimal(part["brier"].value),
                percent(part["ece"].value),
                decimal(part["calibration_slope"].value, 2),
            ]
        )
    head = ["Pairs of", "Pairs", "Contexts", "Accuracy", "Interval", "Log-loss", "Brier", "ECE", "Slope"]
    return table(f"{found.model}, by part", head, rows)


def _compared(comparison: Comparison | None, shown: Sequence[Slice]) -> Markup | None:
    if comparison is None:
        return None
    first, *others = comparison.evaluations
    changes = {(d.by, d.name, d.second, d.metric): d for d in comparison.differences}
    rows = []
    for part in shown:
        for other in others:
            accuracy = changes[part.by, part.name, other.model, "accuracy"]
            loss = changes[part.by, part.name, other.model, "log_loss"]
            rows.append(
                [
                    part_name(part),
                    other.model,
                    accuracy.verdict or "no clear difference",
                    points(turned(accuracy.change).value),
                    points_interval(turned(accuracy.change)),
                    decimal(turned(loss.change).value),
                ]
            )
    head = ["Pairs of", "Compared with", "More accurate", "Accuracy, points", "Interval", "Log-loss"]
    caption = f"{first.model} minus each other model, pair by pair"
    return joined(element("h3", "Is one model enough?"), table(caption, head, rows, text_columns=3))


def _rules(found: Evaluation, shown: Sequence[Slice]) -> Markup | None:
    if not found.baselines:
        return None
    parts = [part for part in shown if part.by == ALL or len(found.by(part.by)) <= 6]
    rows = []
    for rule, measured in found.baselines.items():
        cells = {(part.by, part.name): part for part in measured}
        whole = cells[ALL, ""]
        values = []
        for part in parts:
            mine = cells[part.by, part.name]
            values.append(percent(mine["accuracy"].value) if mine.n_undecided < mine.n_pairs else UNKNOWN)
        rows.append([rule, *values, percent(whole.n_undecided / whole.n_pairs)])
    head = ["Always prefer", *(part_name(part) for part in parts), "Cannot tell"]
    caption = "Accuracy of simple rules; where a rule cannot tell it counts half"
    return joined(element("h3", "Simple rules for comparison"), table(caption, head, rows))


def _meanings() -> Markup:
    items = [
        element("li", element("b", metric.short), f": {metric.description}")
        for metric in METRICS.values()
        if metric.name in ("accuracy", "log_loss", "brier", "ece", "calibration_slope")
    ]
    return element("details", element("summary", "What the metrics mean"), element("ul", *items), class_="quiet")
