"""Which questions are disputed: because people differ, or because it is a close call."""

from __future__ import annotations

import math

import numpy as np

from llull.report.content import Report
from llull.report.markup import Markup, element, joined
from llull.report.people_content import Disagreement, Disputed
from llull.report.scatter import Dot, scatter
from llull.report.sections.communities import question
from llull.report.wording import count, decimal, percent

_AGREED = 0.5
"""A question with less disagreement than this (85 to 15, or clearer) is settled."""
_SETTLED, _DIFFER, _CLOSE = "settled", "people differ", "close call"
_SERIES = (_SETTLED, _CLOSE, _DIFFER)
_ENOUGH_SEEN = 20


def section(report: Report) -> Markup | None:
    """Two plots and the most disputed questions; None without communities to tell the reasons apart."""
    people = report.people
    found = people.disagreement if people else None
    if people is None or found is None or not found.items or people.communities is None:
        return None
    communities = people.communities.communities
    return joined(
        element("p", _first(found)),
        _reasons(found),
        _against_seen(found),
        element("h3", "Disputed because people differ"),
        *(question(one, communities) for one in found.because_people_differ),
        element("h3", "Disputed because it is a close call for everyone"),
        *(question(one, communities) for one in found.because_close),
    )


def _kind(item: Disputed) -> str:
    total = item.between + item.within
    if total < _AGREED:
        return _SETTLED
    return _DIFFER if item.between > item.within else _CLOSE


def _noun(found: Disagreement) -> str:
    return "pairs of options" if found.noun == "pair" else "options, each against what it was compared with"


def _first(found: Disagreement) -> str:
    kinds = [_kind(item) for item in found.items]
    share = {kind: kinds.count(kind) / len(kinds) for kind in _SERIES}
    between = sum(item.between for item in found.items)
    total = between + sum(item.within for item in found.items)
    return (
        f"Of {count(len(kinds))} {_noun(found)}, {percent(share[_SETTLED])} are settled (85 to 15 or clearer), "
        f"{percent(share[_CLOSE])} are disputed mostly within communities, and {percent(share[_DIFFER])} mostly "
        "because communities differ. Over all of them, differences between communities make "
        f"{percent(between / max(total, 1e-12))} of the disagreement that the model expects. More judgments would not "
        "settle what people differ on."
    )


def _reasons(found: Disagreement) -> Markup:
    dots = [Dot(item.within, item.between, _SERIES.index(_kind(item)), 3.2) for item in found.items]
    kinds = [_kind(item) for item in found.items]
    told = ", ".join(f"{kinds.count(kind)} {kind}" for kind in _SERIES)
    some = f" {count(len(found.items))} of {count(found.of)} are drawn." if found.of > len(found.items) else ""
    return scatter(
        dots,
        low=(0.0, 0.0),
        high=(1.0, 1.0),
        tick=lambda x: decimal(x, 2),
        described=f"Questions by the two reasons why they are disputed: {told}.",
        caption=(
            "Each mark is one question. Disagreement runs from 0, all agree, to 1, one half each; it is the sum of the "
            f"two axes, so questions on the dashed line are as disputed as can be.{some}"
        ),
        across_name="disagreement within communities: close calls and slips",
        up_name="disagreement between communities: people differ",
        series=_SERIES,
        lines=[((0.0, 1.0), (1.0, 0.0))],
    )


def _against_seen(found: Disagreement) -> Markup | None:
    told = [item for item in found.items if math.isfinite(item.seen)]
    if len(told) < _ENOUGH_SEEN:
        return element(
            "p",
            "Too few questions were judged by five people or more to set the expected disagreement beside "
            "the observed.",
            class_="quiet",
        )
    expected, seen = np.array([i.between + i.within for i in told]), np.array([min(i.seen, 1.0) for i in told])
    alike = float(np.corrcoef(expected, seen)[0, 1]) if expected.std() > 0 and seen.std() > 0 else math.nan
    dots = [
        Dot(float(x), float(y), _SERIES.index(_kind(item)), 3.2)
        for x, y, item in zip(expected, seen, told, strict=True)
    ]
    return joined(
        element("h3", "Expected against observed"),
        scatter(
            dots,
            low=(0.0, 0.0),
            high=(1.0, 1.0),
            tick=lambda x: decimal(x, 2),
            described=f"Disagreement expected and observed on {len(told)} questions; correlation {decimal(alike, 2)}.",
            caption=(
                f"On average the model expects {decimal(float(expected.mean()), 2)} and "
                f"{decimal(float(seen.mean()), 2)} is seen; the correlation is {decimal(alike, 2)}. On the dashed line "
                "both are the same. These votes were learned from, so new questions would fit less well; with few "
                "votes the observed scatters by chance alone."
            ),
            across_name="expected disagreement",
            up_name="observed disagreement",
            series=_SERIES,
            lines=[((0.0, 0.0), (1.0, 1.0))],
        ),
    )
