"""Plots as inline SVG that is styled by the page.

Positions are percentages of the plotting area and text has the size of text, so a plot is as readable on a phone as on
a wide screen. Labels outside the area lie in the padding that the page gives it. Series differ by shape as well as
by color.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llull.evaluate import LearningCurve, ReliabilityBin
from llull.report.drawing import across, figure, level_line, part_of_range, scale, steps, up
from llull.report.markup import Markup, element, joined
from llull.report.wording import count, percent

ENOUGH_CONTEXTS = 20
"""Contexts that a stretch of confidence needs to be drawn."""

_ROW = 32
_STEP = 20


@dataclass(frozen=True)
class Mark:
    """One value of a series in one row of a dot plot, with its interval."""

    series: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """One line of a dot plot."""

    label: str
    note: str
    """Said at the right end of the label's line."""
    marks: tuple[Mark, ...]


def dot_plot(
    rows: Sequence[Row],
    *,
    series: Sequence[str],
    reference: float,
    reference_name: str,
    tick: Callable[[float], str],
    described: str,
    axis: str,
) -> Markup:
    """Values with intervals, one below the other, against a line of reference.

    Args:
        rows: from top to bottom.
        series: what the marks are of; named in a legend if there is more than one.
        reference: where the line stands.
        reference_name: what it means.
        tick: how a position on the axis is written.
        described: what the plot shows, for those who cannot see it.
        axis: what the axis measures.
    """
    ends = [end for row in rows for mark in row.marks for end in (mark.low, mark.high, mark.value)]
    low, high, ticks = scale([*ends, reference])
    drawn: list[Markup] = []
    y = 0.0
    for row in rows:
        drawn.append(element("text", row.label, x="0", y=y + 15, class_="label"))
        drawn.append(element("text", row.note, x="100%", y=y + 15, class_="note"))
        drawn += [_interval(mark, y + _ROW + _STEP * mark.series, low, high) for mark in row.marks]
        y += _ROW + _STEP * max(len(series), 1) + 14
    grid = [_upright(across(t, low, high), y, tick(t)) for t in ticks]
    base = element(
        "line", x1=across(reference, low, high), x2=across(reference, low, high), y1="0", y2=y, class_="reference"
    )
    plot = element("svg", *grid, base, *drawn, role="img", aria_label=described, width="100%", height=y + 26)
    return figure(plot, f"{axis}. The dashed line is {reference_name}.", legend(series), class_="plot rows")


def reliability_plot(curve: Sequence[ReliabilityBin], described: str) -> Markup:
    """How often the model is right against how sure it is, with the share of pairs at each confidence.

    Stretches of confidence with few contexts have intervals so wide that they would hide the others, and are left out.
    """
    total = sum(b.correct.n for b in curve) or 1
    told = [b for b in curve if b.correct.clusters >= ENOUGH_CONTEXTS]
    left_out = len(told) >= 2 and len(told) < len(curve)
    curve = told if left_out else curve
    lows = [b.correct.low if math.isfinite(b.correct.low) else b.correct.value for b in curve]
    low = min(0.5, math.floor(min(lows, default=0.5) * 10) / 10)
    drawn = [
        level_line(up(t, low, 1.0), percent(t).replace(".0", "")) for t in steps(low, 1.0, 0.1 if low > 0.25 else 0.25)
    ]
    for t in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
        label = percent(t).replace(".0", "")
        drawn.append(element("text", label, x=across(t, 0.5, 1.0), y="100%", dy="18", class_="tick"))
    drawn.append(element("line", x1="0%", x2="100%", y1=up(0.5, low, 1.0), y2="0%", class_="reference"))
    for found in curve:
        left, right = part_of_range(found.low, 0.5, 1.0), part_of_range(found.high, 0.5, 1.0)
        height = 22 * found.correct.n / total
        drawn.append(
            element(
                "rect",
                x=f"{left + 0.4:.2f}%",
                width=f"{right - left - 0.8:.2f}%",
                y=f"{100 - height:.2f}%",
                height=f"{height:.2f}%",
                class_="share",
            )
        )
    drawn += [_segment(before, after, low) for before, after in itertools.pairwise(curve)]
    for found in curve:
        x, y = across(found.confidence, 0.5, 1.0), up(found.correct.value, low, 1.0)
        if math.isfinite(found.correct.low):
            ends = up(found.correct.low, low, 1.0), up(found.correct.high, low, 1.0)
            drawn.append(element("line", x1=x, x2=x, y1=ends[0], y2=ends[1], class_="interval s0"))
        drawn.append(element("circle", cx=x, cy=y, r="4.5", class_="dot s0"))
    plot = element("svg", *drawn, role="img", aria_label=described, width="100%", height="100%")
    caption = (
        "Up: how often the option that the model prefers was preferred. Across: the model's confidence in it. A "
        "perfectly calibrated model lies on the dashed line. Bars at the bottom: share of pairs."
    )
    if left_out:
        caption += f" Stretches with fewer than {ENOUGH_CONTEXTS} contexts are in the table only."
    return figure(plot, caption, None, class_="plot square")


def learning_plot(curve: LearningCurve, described: str) -> Markup:
    """Accuracy against the number of training contexts, on a logarithmic axis."""
    points = curve.mean()
    low, high, ticks = scale([end for _, _, bottom, top in points for end in (bottom, top)])
    first, last = math.log(points[0][0]), math.log(points[-1][0])
    place = [part_of_range(math.log(n), first, last) if last > first else 50.0 for n, *_ in points]
    drawn = [level_line(up(t, low, high), percent(t)) for t in ticks]
    shown = math.inf
    for (n, *_), x in zip(reversed(points), reversed(place), strict=True):
        # Labels closer than this would touch on a phone.
        if shown - x >= 16:
            drawn.append(element("text", count(n), x=f"{x:.2f}%", y="100%", dy="18", class_="tick"))
            shown = x
    for i in range(len(points) - 1):
        ends = up(points[i][1], low, high), up(points[i + 1][1], low, high)
        across = f"{place[i]:.2f}%", f"{place[i + 1]:.2f}%"
        drawn.append(element("line", x1=across[0], x2=across[1], y1=ends[0], y2=ends[1], class_="link"))
    for (_, mean, bottom, top), x in zip(points, place, strict=True):
        at = f"{x:.2f}%"
        drawn.append(
            element("line", x1=at, x2=at, y1=up(bottom, low, high), y2=up(top, low, high), class_="interval s0")
        )
        drawn.append(element("circle", cx=at, cy=up(mean, low, high), r="4.5", class_="dot s0"))
    plot = element("svg", *drawn, role="img", aria_label=described, width="100%", height="100%")
    caption = (
        "Up: accuracy on contexts held out. Across: contexts trained on, on a logarithmic scale. Dots are means and "
        "bars the range over seeds."
    )
    return figure(plot, caption, None, class_="plot wide")


def legend(series: Sequence[str]) -> Markup | None:
    """The names of series beside their shapes; None for fewer than two."""
    if len(series) < 2:
        return None
    items = [
        element("li", element("svg", shape("9", "9", index), width="18", height="18", aria_hidden="true"), name)
        for index, name in enumerate(series)
    ]
    return element("ul", *items, class_="legend")


def _interval(mark: Mark, y: float, low: float, high: float) -> Markup:
    line = None
    if math.isfinite(mark.low) and math.isfinite(mark.high):
        ends = across(mark.low, low, high), across(mark.high, low, high)
        line = element("line", x1=ends[0], x2=ends[1], y1=y, y2=y, class_=f"interval s{mark.series % 4}")
    if not math.isfinite(mark.value):
        return joined(line)
    return joined(line, shape(across(mark.value, low, high), f"{y:g}", mark.series))


def shape(x: str, y: str, series: int, size: float = 5.0, kind: str = "") -> Markup:
    """A filled circle, an open circle, a filled square or an open square, by the number of its series.

    Args:
        x: its place from the left.
        y: its place from the top.
        series: from 0; shapes repeat after the fourth.
        size: the radius of circles and half the side of squares, in pixels.
        kind: a further class for the style sheet.
    """
    kind = f"dot s{series % 4}" + (" open" if series % 2 else "") + (f" {kind}" if kind else "")
    if series % 4 < 2:
        return element("circle", cx=x, cy=y, r=f"{size:g}", class_=kind)
    side = f"{2 * size:g}"
    square = element("rect", x=f"{-size:g}", y=f"{-size:g}", width=side, height=side, class_=kind)
    return element("svg", square, x=x, y=y, class_="at")


def _segment(before: ReliabilityBin, after: ReliabilityBin, low: float) -> Markup:
    return element(
        "line",
        x1=across(before.confidence, 0.5, 1.0),
        x2=across(after.confidence, 0.5, 1.0),
        y1=up(before.correct.value, low, 1.0),
        y2=up(after.correct.value, low, 1.0),
        class_="link",
    )


def _upright(x: str, height: float, label: str) -> Markup:
    line = element("line", x1=x, x2=x, y1="0", y2=height, class_="grid")
    return joined(line, element("text", label, x=x, y=height + 18, class_="tick"))
