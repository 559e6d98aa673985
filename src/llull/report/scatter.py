"""Dots in two dimensions: annotators with their uncertainty, questions by why they are disputed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llull.report.drawing import across, figure, level_line, part_of_range, up
from llull.report.markup import Markup, element, joined
from llull.report.plots import legend, shape


@dataclass(frozen=True)
class Dot:
    """One thing."""

    x: float
    y: float
    series: int
    size: float = 4.0
    """Radius in pixels."""


@dataclass(frozen=True)
class Ellipse:
    """A region of uncertainty: half axes along its own directions, turned against the clock by ``angle`` degrees."""

    x: float
    y: float
    long: float
    short: float
    angle: float
    series: int

    @classmethod
    def of(
        cls, x: float, y: float, errors: tuple[float, float], correlation: float, times: float, series: int
    ) -> Ellipse:
        """The curve that lies ``times`` standard errors from a normal estimate in every direction."""
        a, c = errors[0] ** 2, errors[1] ** 2
        b = correlation * errors[0] * errors[1]
        middle, half = (a + c) / 2, math.hypot((a - c) / 2, b)
        angle = math.degrees(0.5 * math.atan2(2 * b, a - c))
        return cls(x, y, times * math.sqrt(middle + half), times * math.sqrt(max(middle - half, 0.0)), angle, series)


@dataclass(frozen=True)
class Label:
    """A named place."""

    x: float
    y: float
    text: str
    series: int


def scatter(
    dots: Sequence[Dot],
    *,
    low: tuple[float, float],
    high: tuple[float, float],
    tick: Callable[[float], str] | None,
    described: str,
    caption: str,
    across_name: str,
    up_name: str,
    series: Sequence[str] = (),
    ellipses: Sequence[Ellipse] = (),
    labels: Sequence[Label] = (),
    lines: Sequence[tuple[tuple[float, float], tuple[float, float]]] = (),
) -> Markup:
    """A square plot.

    Args:
        dots: what is drawn; those outside the plot stand at its edge.
        low: least value across and up.
        high: largest value across and up, as far from the least as the other, or ellipses are not true to scale.
        tick: how a value is written; None for a map without numbers, with its middle lines only.
        described: what the plot shows, for those who cannot see it.
        caption: said below.
        across_name: what lies to the right.
        up_name: what lies above.
        series: names for the legend.
        ellipses: drawn below the dots.
        labels: named places, drawn above them.
        lines: of reference, each from one point to another.
    """

    def place(x: float, y: float) -> tuple[str, str]:
        x, y = min(max(x, low[0]), high[0]), min(max(y, low[1]), high[1])
        return across(x, low[0], high[0]), up(y, low[1], high[1])

    drawn: list[Markup | None] = []
    if tick is None:
        x, y = place(0.0, 0.0)
        drawn.append(element("line", x1="0%", x2="100%", y1=y, y2=y, class_="grid"))
        drawn.append(element("line", x1=x, x2=x, y1="0%", y2="100%", class_="grid"))
        drawn.append(element("rect", x="0%", y="0%", width="100%", height="100%", class_="frame"))
    else:
        fourths = [[(1 - i / 4) * low[axis] + i / 4 * high[axis] for i in range(5)] for axis in (0, 1)]
        drawn += [level_line(up(t, low[1], high[1]), tick(t)) for t in fourths[1]]
        drawn += [
            element("text", tick(t), x=across(t, low[0], high[0]), y="100%", dy="18", class_="tick") for t in fourths[0]
        ]
    for start, end in lines:
        (x1, y1), (x2, y2) = place(*start), place(*end)
        drawn.append(element("line", x1=x1, x2=x2, y1=y1, y2=y2, class_="reference"))
    if ellipses:
        inside = [_ellipse(one, low, high) for one in ellipses]
        box = {"viewBox": "0 0 100 100", "preserveAspectRatio": "none", "width": "100%", "height": "100%"}
        drawn.append(element("svg", *inside, **box, class_="cut"))
    for dot in dots:
        x, y = place(dot.x, dot.y)
        drawn.append(shape(x, y, dot.series, dot.size, "faint"))
    for label in labels:
        x, y = place(label.x, label.y)
        right = part_of_range(label.x, low[0], high[0])
        side = "tick first" if right < 25 else "tick last" if right > 75 else "tick"
        drawn.append(element("circle", cx=x, cy=y, r="8", class_=f"dot s{label.series % 4} mark"))
        drawn.append(element("text", label.text, x=x, y=y, dy="-14", class_=f"{side} halo strong"))
    plot = element("svg", *drawn, role="img", aria_label=described, width="100%", height="100%")
    named = element("p", element("span", f"↑ {up_name}"), element("span", f"→ {across_name}"), class_="axes")
    made = figure(plot, caption, joined(legend(series), named), class_="plot square" + ("" if tick else " bare"))
    return made


def _ellipse(one: Ellipse, low: tuple[float, float], high: tuple[float, float]) -> Markup:
    unit = 100 / (high[0] - low[0])
    x, y = part_of_range(one.x, low[0], high[0]), 100 - part_of_range(one.y, low[1], high[1])
    return element(
        "ellipse",
        cx=f"{x:.2f}",
        cy=f"{y:.2f}",
        rx=f"{one.long * unit:.2f}",
        ry=f"{one.short * unit:.2f}",
        transform=f"rotate({-one.angle:.1f} {x:.2f} {y:.2f})",
        vector_effect="non-scaling-stroke",
        class_=f"region s{one.series % 4}",
    )
