"""Whether the model's probabilities come true."""

from __future__ import annotations

from llull.report.content import Report
from llull.report.markup import Markup, element, joined
from llull.report.plots import reliability_plot
from llull.report.tables import table
from llull.report.wording import count, decimal, percent, percent_interval


def section(report: Report) -> Markup:
    """The reliability plot, the same as a table, and the calibration metrics."""
    found = report.main
    whole = found.overall
    ece, slope, over = whole["ece"], whole["calibration_slope"], whole["overconfidence"]
    said = (
        f"Mean calibration error is {percent(ece.value)} ({percent_interval(ece)}), the calibration slope "
        f"{decimal(slope.value, 2)} ({decimal(slope.low, 2)} to {decimal(slope.high, 2)}; 1 is best, below it the "
        f"model is too sure), and mean confidence exceeds accuracy by {100 * over.value:.1f} points."
    )
    bins = [
        f"at confidence {percent(b.confidence)} it is right {percent(b.correct.value)} of the time"
        for b in found.reliability
    ]
    rows = [
        [
            f"{percent(b.low)} to {percent(b.high)}".replace(".0", ""),
            percent(b.confidence),
            percent(b.correct.value),
            percent_interval(b.correct),
            count(b.correct.n),
        ]
        for b in found.reliability
    ]
    return joined(
        element("p", said.replace("exceeds accuracy by -", "falls short of accuracy by ")),
        reliability_plot(found.reliability, f"Reliability of {found.model}: " + "; ".join(bins) + "."),
        table("Confidence and correctness", ["Confidence", "Mean", "Right", "Interval", "Pairs"], rows),
    )
