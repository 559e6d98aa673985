"""The training as small plots: loss, accuracy, margin, drift."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from llull.report.alignment_content import AlignmentReport
from llull.report.line_plots import MOST_POINTS, Line, line_plot, neighbors
from llull.report.markup import Markup, element, joined
from llull.report.wording import percent

_Rows = Sequence[Mapping[str, float]]


def section(report: AlignmentReport) -> Markup | None:
    """Four plots side by side; None where nothing was recorded."""
    updates, held = report.updates, report.evaluations
    end = max((row["update"] for row in (*updates, *held)), default=0.0)
    trained = [Line("training", _values(updates, "loss"), 1), Line("held out", _values(held, "loss"), 0)]
    ranked = [Line("training", _values(updates, "accuracy"), 1), Line("held out", _values(held, "accuracy"), 0)]
    margin = [Line("held out", _values(held, "margin"), 0)]
    margin_means = "Mean difference of the options' log-ratios to the reference, in nats."
    if not margin[0].points:
        margin = [Line("training", _values(updates, "margin"), 1)]
        margin_means = "Mean gap between the options, on the objective's own scale."
    drift = [Line("better", _values(held, "chosen_drift"), 0), Line("worse", _values(held, "rejected_drift"), 1)]

    def plot(
        title: str, lines: list[Line], level: float | None, caption: str, tick: Callable[[float], str]
    ) -> Markup | None:
        return line_plot(title, lines, best=report.best, level=level, tick=tick, caption=caption, end=end)

    plots = [
        plot("Loss", trained, None, "The objective; lower is better.", _number),
        plot("Ranking accuracy", ranked, 0.5, "Share ranked rightly. The dashed line is a coin.", _percent),
        plot("Margin", margin, 0.0, margin_means, _number),
        plot("Drift", drift, 0.0, "Mean log-ratio of held-out options to the reference, in nats.", _number),
    ]
    if not any(plots):
        return None
    return joined(element("p", _explained(report, len(updates))), element("div", *plots, class_="multiples"))


def _explained(report: AlignmentReport, updates: int) -> str:
    said = "Training judgments are measured while they are learned from; held-out ones never are."
    if not report.evaluations:
        said = "Nothing was held out: these are judgments that were learned from."
    size = neighbors(updates)
    if size > 1:
        said += f" Each point of training is the mean of {size} updates, so that no line has more than {MOST_POINTS}."
    if report.best is not None:
        said += f" The upright line marks the best evaluation, after update {report.best:,}."
    return said


def _values(rows: _Rows, name: str) -> list[tuple[float, float]]:
    return [(row["update"], row[name]) for row in rows if name in row]


def _number(value: float) -> str:
    return f"{round(value, 10) + 0.0:.4g}".replace("-", "−")


def _percent(value: float) -> str:
    return percent(value).replace(".0", "")
