"""Ranges, ticks, places and frames that all plots share."""

from __future__ import annotations

import math
from collections.abc import Sequence

from llull.report.markup import Markup, element, joined


def figure(plot: Markup, caption: str, legend: Markup | None, class_: str) -> Markup:
    """A plot with its legend above and its caption below."""
    return element("figure", legend, element("div", plot, class_=class_), element("figcaption", caption))


def level_line(y: str, label: str) -> Markup:
    """A horizontal line of the grid, with its label to the left of the area."""
    line = element("line", x1="0%", x2="100%", y1=y, y2=y, class_="grid")
    return joined(line, element("text", label, x="-8", y=y, dy="4", class_="tick side"))


def part_of_range(value: float, low: float, high: float) -> float:
    """Where a value lies between two others, in percent."""
    return 100 * (value - low) / (high - low)


def across(value: float, low: float, high: float) -> str:
    """The place of a value from left to right."""
    return f"{part_of_range(value, low, high):.2f}%"


def up(value: float, low: float, high: float) -> str:
    """The place of a value from bottom to top, counted from the top as SVG does."""
    return f"{100 - part_of_range(value, low, high):.2f}%"


def scale(values: Sequence[float]) -> tuple[float, float, list[float]]:
    """A range that holds all values, ending on round numbers, and three to six ticks on it."""
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite), max(finite)
    spread = max(high - low, 1e-3)
    unit = 10 ** math.floor(math.log10(spread))
    step = next(unit * m for m in (0.25, 0.5, 1, 2, 2.5) if spread / (unit * m) <= 4)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    if first == last:
        first, last = first - 1, last + 1
    low, high = first * step, last * step
    return low, high, steps(low, high, step)


def steps(low: float, high: float, step: float) -> list[float]:
    """Numbers from low to high, one step apart."""
    return [low + i * step for i in range(round((high - low) / step) + 1)]
