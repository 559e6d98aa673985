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
_SETTLED, _CLOSE, _DIFFER = range(3)
_ENOUGH_SEEN = 20


def section(report: Report) -> Markup | None:
    """Two plots and the most disputed questions; None without communities to tell the reasons apart."""
    people = report.people
    found = people.disagreement if people else None
    if people is None or found is None or not found.items or people.communities is None:
        return None
    communities, noun = people.communities.communities, people.communities.noun
    return joined(
        element("p", _first(found, noun)),
        _reasons(found, noun),
        _against_seen(found, noun),
        element("h3", f"Disputed because {_who(noun)} differ"),
        *(question(one, communities) for one in found.because_people_differ),
        element("h3", "Disputed because it is a close call for all"),
        *(question(one, communities) for one in found.because_close),
    )


def _kind(item: Disputed) -> int:
    total = item.between + item.within
    if total < _AGREED:
        return _SETTLED
    return _DIFFER if item.between > item.within else _CLOSE


def _who(noun: str) -> str:
    return "people" if noun == "communities" else noun


def _series(noun: str) -> tuple[str, str, str]:
    return "settled", "close call", f"{_who(noun)} differ"


def _noun(found: Disagreement) -> str:
    return "pairs of options" if found.noun == "pair" else "options, each against what it was compared with"


def _first(found: Disagreement, noun: str) -> str:
    kinds = [_kind(item) for item in found.items]
    share = {kind: kinds.count(kind) / len(kinds) for kind in range(3)}
    between = sum(item.between for item in found.items)
    total = between + sum(item.within for item in found.items)
    return (
        f"Of {count(len(kinds))} {_noun(found)}, {percent(share[_SETTLED])} are settled (85 to 15 or clearer), "
        f"{percent(share[_CLOSE])} are disputed mostly within {noun}, and {percent(share[_DIFFER])} mostly because "
        f"these differ. Over all of them, differences between {noun} make {percent(between / max(total, 1e-12))} of "
        "the disagreement that the model expects. More judgments would not settle what people differ on; but what the "
        "model cannot tell yet looks like a close call, too."
    )


def _reasons(found: Disagreement, noun: str) -> Markup:
    dots = [Dot(item.within, item.between, _kind(item), 3.2) for item in found.items]
    kinds = [_kind(item) for item in found.items]
    told = ", ".join(f"{kinds.count(kind)} {name}" for kind, name in enumerate(_series(noun)))
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
        across_name=f"disagreement within {noun}: close calls, slips, the unknown",
        up_name=f"disagreement between {noun}",
        series=_series(noun),
        lines=[((0.0, 1.0), (1.0, 0.0))],
    )


def _against_seen(found: Disagreement, noun: str) -> Markup | None:
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
    dots = [Dot(float(x), float(y), _kind(item), 3.2) for x, y, item in zip(expected, seen, told, strict=True)]
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
            series=_series(noun),
            lines=[((0.0, 0.0), (1.0, 1.0))],
        ),
    )
