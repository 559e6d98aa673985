"""Whether more judgments would make the model better."""

from __future__ import annotations

import math

from llull.report.content import Report
from llull.report.markup import Markup, element, joined
from llull.report.plots import learning_plot
from llull.report.tables import table
from llull.report.wording import count, decimal, percent


def section(report: Report) -> Markup | None:
    """The learning curve; None if it was not measured."""
    curve = report.learning
    if curve is None:
        return None
    points = [p for p in curve.mean() if math.isfinite(p[1])]
    if len(points) < 2:
        return None
    losses = {n: mean for n, mean, _, _ in curve.mean("log_loss")}
    (half, before, *_), (full, after, *_) = points[-2], points[-1]
    said = (
        f"From {count(half)} to {count(full)} training contexts, accuracy goes from {percent(before)} to "
        f"{percent(after)}."
    )
    rows = [
        [count(n), percent(mean), f"{100 * low:.1f} to {100 * high:.1f}%", decimal(losses[n])]
        for n, mean, low, high in points
    ]
    seeds = len({point.seed for point in curve.points})
    described = "Learning curve: " + "; ".join(f"{count(n)} contexts {percent(mean)}" for n, mean, *_ in points) + "."
    caption = f"{curve.model}: mean over {seeds} seeds"
    return joined(
        element("p", said),
        learning_plot(curve, described),
        table(caption, ["Training contexts", "Accuracy", "Range over seeds", "Log-loss"], rows),
    )
