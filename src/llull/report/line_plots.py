"""Lines over the updates of a training, as small plots side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llull.report.drawing import across, figure, level_line, part_of_range, scale, up
from llull.report.markup import Markup, element, joined

MOST_POINTS = 60
"""Of one line; longer ones are drawn by means of neighbors."""

_MOST_DOTS = 25


@dataclass(frozen=True)
class Line:
    """Values over updates."""

    name: str
    points: Sequence[tuple[float, float]]
    """(update, value)"""
    style: int
    """From 0 to 3: the color, and whether it is dashed (odd)."""


def condensed(points: Sequence[tuple[float, float]], most: int = MOST_POINTS) -> list[tuple[float, float]]:
    """Means of equally many neighbors, so that there are no more than so many; points without value are left out.

    >>> condensed([(1, 2.0), (2, 4.0), (3, 5.0)], most=2)
    [(1.5, 3.0), (3.0, 5.0)]
    """
    finite = [(x, y) for x, y in points if math.isfinite(y)]
    size = neighbors(len(finite), most)
    if size == 1:
        return finite
    groups = [finite[i : i + size] for i in range(0, len(finite), size)]
    return [(sum(x for x, _ in g) / len(g), sum(y for _, y in g) / len(g)) for g in groups]


def neighbors(number: int, most: int = MOST_POINTS) -> int:
    """How many neighbors `condensed` takes the mean of."""
    return max(1, math.ceil(number / most))


def line_plot(
    title: str,
    lines: Sequence[Line],
    *,
    best: float | None,
    level: float | None,
    tick: Callable[[float], str],
    caption: str,
    end: float,
) -> Markup | None:
    """One small plot; None where no line has a point.

    Args:
        title: what is drawn.
        lines: each with a name, which the legend gives.
        best: the update of the best evaluation, marked by an upright line.
        level: a value to compare with, such as that of a coin, drawn across.
        tick: how a value is written.
        caption: said below.
        end: the last update, at the right end.
    """
    drawn = [Line(line.name, condensed(line.points), line.style) for line in lines]
    drawn = [line for line in drawn if line.points]
    if not drawn:
        return None
    end = max(end, 1.0)
    values = [y for line in drawn for _, y in line.points] + ([] if level is None else [level])
    low, high, ticks = scale(values)
    marks = [level_line(up(t, low, high), tick(t)) for t in ticks]
    for place in (0.0, end):
        anchor = "tick first" if place == 0 else "tick last"
        marks.append(element("text", f"{place:,.0f}", x=across(place, 0, end), y="100%", dy="18", class_=anchor))
    marks.append(element("text", "updates", x="50%", y="100%", dy="18", class_="tick"))
    if level is not None:
        y = up(level, low, high)
        marks.append(element("line", x1="0%", x2="100%", y1=y, y2=y, class_="reference"))
    if best is not None:
        x = across(best, 0, end)
        marks.append(element("line", x1=x, x2=x, y1="0%", y2="100%", class_="best"))
        side = "tick last" if best > end / 2 else "tick first"
        shift = "-5" if best > end / 2 else "5"
        marks.append(element("text", "best", x=x, y="0%", dx=shift, dy="12", class_=f"{side} halo"))
    marks += [_path(line, end, low, high) for line in drawn]
    marks += [_dots(line, end, low, high) for line in drawn]
    said = "; ".join(f"{line.name} from {tick(line.points[0][1])} to {tick(line.points[-1][1])}" for line in drawn)
    described = f"{title} over {end:,.0f} updates: {said}." + ("" if best is None else f" Best after {best:,.0f}.")
    plot = element("svg", *marks, role="img", aria_label=described, width="100%", height="100%")
    legend = element("ul", *(element("li", _key(line), line.name) for line in drawn), class_="legend")
    heading = element("h3", title)
    return element("div", heading, figure(plot, caption, legend, class_="plot small"), class_="multiple")


def _path(line: Line, end: float, low: float, high: float) -> Markup | None:
    if len(line.points) < 2:
        return None
    places = (f"{part_of_range(x, 0, end):.2f} {100 - part_of_range(y, low, high):.2f}" for x, y in line.points)
    path = element("path", d="M" + " L".join(places), class_=_kind(line), vector_effect="non-scaling-stroke")
    return element("svg", path, viewBox="0 0 100 100", preserveAspectRatio="none", width="100%", height="100%")


def _dots(line: Line, end: float, low: float, high: float) -> Markup | None:
    if len(line.points) > _MOST_DOTS:
        return None
    kind = f"dot s{line.style % 4}" + (" open" if line.style % 2 else "")
    return joined(
        *(element("circle", cx=across(x, 0, end), cy=up(y, low, high), r="3", class_=kind) for x, y in line.points)
    )


def _key(line: Line) -> Markup:
    stroke = element("line", x1="1", x2="25", y1="9", y2="9", class_=_kind(line))
    return element("svg", stroke, width="26", height="18", aria_hidden="true")


def _kind(line: Line) -> str:
    return f"curve s{line.style % 4}" + (" dashed" if line.style % 2 else "")
