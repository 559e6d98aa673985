"""The map of annotators: who is near whom, and how surely."""

from __future__ import annotations

import math

import numpy as np

from llull.report.content import Report
from llull.report.markup import Markup, element, joined
from llull.report.people_content import PeopleMap, Person
from llull.report.scatter import Dot, Ellipse, Label, scatter
from llull.report.wording import count, percent

_ELLIPSES = 16
_HALF = 1.1774
"""Standard errors around a normal estimate in two dimensions that hold it half of the time."""


def section(report: Report) -> Markup | None:
    """The map; None where there is none."""
    found = report.people.people_map if report.people else None
    if found is None or not found.people:
        return None
    communities = report.people.communities if report.people else None
    names = [one.name for one in communities.communities] if communities else []
    reach = _reach(found)
    most = max(person.judgments for person in found.people)
    dots = [Dot(p.across, p.up, max(p.community, 0), _size(p, most)) for p in found.people]
    # Regions of everyone would hide the people: of some, evenly over how many judgments they have.
    shown = sorted(found.people, key=lambda p: p.judgments)
    shown = [shown[i] for i in sorted({round(i) for i in np.linspace(0, len(shown) - 1, min(_ELLIPSES, len(shown)))})]
    regions = [
        Ellipse.of(p.across, p.up, (p.error_across, p.error_up), p.correlation, _HALF, max(p.community, 0))
        for p in shown
    ]
    labels = [Label(mark.across, mark.up, mark.name, i) for i, mark in enumerate(found.landmarks)]
    some = "all" if len(found.people) == found.of else f"{count(len(found.people))}, drawn at random,"
    sure = np.mean([math.hypot(p.across, p.up) > _HALF * max(p.error_across, p.error_up) for p in found.people])
    caption = (
        "Each dot is a person, larger with more judgments. A ring holds the person with a chance of one half; "
        + ("rings of some people are drawn. " if len(shown) < len(found.people) else "")
        + "Overlapping rings mean that these judgments cannot tell two people apart."
    )
    plot = scatter(
        dots,
        low=(-reach, -reach),
        high=(reach, reach),
        tick=None,
        described=_described(found, names),
        caption=caption,
        across_name=found.across or "first direction in which people differ most",
        up_name=found.up or "second direction in which people differ most",
        series=names,
        ellipses=regions,
        labels=labels,
    )
    return joined(
        element(
            "p",
            f"People who choose alike lie near each other. Shown are {some} of {count(found.of)} people; the two "
            f"directions hold {percent(found.told)} of the differences in taste that the model knows. The middle is "
            f"the average person, where those with few judgments stay: {percent(float(sure))} of the people shown have "
            "a ring around them (see below) that does not reach it.",
        ),
        plot,
    )


def _reach(found: PeopleMap) -> float:
    ends = [max(abs(p.across), abs(p.up)) for p in found.people]
    marks = [max(abs(m.across), abs(m.up)) for m in found.landmarks]
    return 1.12 * max([float(np.quantile(ends, 0.98)), *marks, 0.1])


def _size(person: Person, most: int) -> float:
    return 2.5 + 4.5 * math.sqrt(person.judgments / most)


def _described(found: PeopleMap, names: list[str]) -> str:
    parts = []
    for k, name in enumerate(names):
        mine = [p for p in found.people if p.community == k]
        if mine:
            across, up = np.mean([p.across for p in mine]), np.mean([p.up for p in mine])
            parts.append(f"{len(mine)} of {name} around {across:.1f} across and {up:.1f} up")
    said = "; ".join(parts) if parts else f"{len(found.people)} people"
    return f"Map of people in two dimensions: {said}."
