"""Communities: how large, what each wants, on what they differ, and judgments that are typical of each."""

from __future__ import annotations

import math

from llull.report.content import Report
from llull.report.markup import Markup, element, joined
from llull.report.passages import folded, passage
from llull.report.people_content import Communities, Community, Question, Range, Typical
from llull.report.plots import Mark, Row, dot_plot
from llull.report.tables import table
from llull.report.wording import UNKNOWN, count, decimal, listed, percent

_PLOTTED = 8


def section(report: Report) -> Markup | None:
    """All of it; None for a model without communities."""
    found = report.people.communities if report.people else None
    if found is None:
        return None
    return joined(
        element("p", _first(found), class_="lead"),
        element("p", _how(found), class_="quiet"),
        _sizes(found),
        _wants(found),
        _divisive(found),
        _typical(found),
    )


def _first(found: Communities) -> str:
    number = len(found.communities)
    sizes = listed([f"{one.name} ({_percent_range(one.share)})" for one in found.communities])
    said = f"There are {number} {found.noun}: {sizes}."
    if found.attributes:
        most = found.attributes[0]
        likes = max(range(number), key=lambda k: most.wanted[k].value)
        shuns = min(range(number), key=lambda k: most.wanted[k].value)
        if _apart(most.wanted[likes], most.wanted[shuns]):
            said += (
                f" They differ most surely in “{most.name}”, which {found.communities[likes].name} "
                f"{_feeling(most.wanted[likes])} and {found.communities[shuns].name} {_feeling(most.wanted[shuns])}."
            )
        else:
            said += " No single attribute tells them surely apart."
    return said


def _feeling(wanted: Range) -> str:
    if wanted.low > 0:
        return "wants more of"
    return "wants less of" if wanted.high < 0 else "hardly minds"


def _how(found: Communities) -> str:
    if found.told_by:
        return f"The data say who belongs to which, by “{found.told_by}”; a model was fitted for each."
    if not found.of_people and found.by_context:
        return (
            "They were found in the judgments themselves: it is not assumed that a person always judges by the same "
            "taste, and the question says how likely each is. Their numbers say nothing of persons. The intervals of "
            "the shares are as if it were known what each kind wants."
        )
    if not found.of_people:
        return (
            "Nobody said who judged, so they are kinds of judgments, not of people: one person may make both. One "
            "judgment says little about its kind, and shares are uncertain beyond their intervals, which are as if it "
            "were known what each kind wants."
        )
    return (
        "They were found in the judgments alone, as groups of people who choose alike; no label was read. Whoever is "
        "between two is counted where they most likely belong. The intervals of the shares are as if it were known "
        "what each community wants."
    )


def _sizes(found: Communities) -> Markup:
    people = any(one.people is not None for one in found.communities)
    head = ["", "Share", "Interval", *(["People"] if people else []), "Judgments"]
    rows = []
    for one in found.communities:
        row = [one.name, percent(one.share.value), _ends(one.share)]
        row += [UNKNOWN if one.people is None else count(one.people)] if people else []
        rows.append([*row, count(one.judgments)])
    return table("How large they are", head, rows)


def _wants(found: Communities) -> Markup | None:
    if not found.attributes:
        return None
    names = [one.name for one in found.communities]
    shown = found.attributes[:_PLOTTED]
    rows = [
        Row(
            one.name,
            ", ".join(decimal(w.value, 2) for w in one.wanted),
            tuple(Mark(i, w.value, w.low, w.high) for i, w in enumerate(one.wanted)),
        )
        for one in shown
    ]
    said = "; ".join(f"{row.label} {row.note}" for row in rows)
    plot = dot_plot(
        rows,
        series=names,
        reference=0.0,
        reference_name="indifference",
        tick=lambda x: decimal(x, 2 if abs(x) < 0.995 else 1),
        described=f"What {listed(names)} want: {said}.",
        axis="Right: wanted; left: unwanted (log-odds of being preferred for one usual step more)",
    )
    cells = [
        [
            one.name,
            *(f"{decimal(w.value, 2)} ({decimal(w.low, 2)} to {decimal(w.high, 2)})" for w in one.wanted),
            one.meaning,
        ]
        for one in found.attributes
    ]
    head = ["Attribute", *names, "What it measures"]
    if not any(one.meaning for one in found.attributes):
        head, cells = head[:-1], [row[:-1] for row in cells]
    return joined(
        element("h3", "What each wants"),
        element("p", _wants_said(found)),
        plot,
        element(
            "details",
            element("summary", element("span", "the same as a table", class_="more")),
            table("What each wants, all else equal, with intervals", head, cells, numbers=len(names)),
        ),
    )


def _wants_said(found: Communities) -> str:
    said = (
        f"Read from {found.attributes_of}, each with all others held equal; those on which they differ most "
        "surely come first. Where an interval holds zero, the attribute may not matter at all."
    )
    told = [one for one in found.communities if math.isfinite(one.accounted) and one.accounted < 0.995]
    if told:
        parts = listed([f"{percent(max(one.accounted, 0.0))} of what {one.name} wants" for one in told])
        said += (
            f" Together these attributes account for {parts}; the rest is in what texts say, which has no name here."
        )
    return said


def _divisive(found: Communities) -> Markup | None:
    if not found.divisive:
        return None
    return joined(
        element("h3", "On what they differ most"),
        element(
            "p",
            f"Where the model is surest of a wide gap between {found.noun}. Shares are what it expects of each, "
            "with intervals" + ("; votes of its members beside them." if found.divisive[0].seen else "."),
        ),
        *(question(one, found.communities) for one in found.divisive),
    )


def question(one: Question, communities: tuple[Community, ...]) -> Markup:
    """One question with what each community prefers."""
    chosen = []
    for k, (community, range_) in enumerate(zip(communities, one.chosen, strict=True)):
        seen = one.seen[k] if k < len(one.seen) else math.nan
        votes = f"; {percent(seen)} of its votes" if math.isfinite(seen) else ""
        chosen.append(
            element("li", element("b", f"{community.name}: "), f"{percent(range_.value)} ({_ends(range_)}){votes}")
        )
    context = passage("Context", folded(one.context, from_end=True)) if one.context else None
    first = "Option" if one.second is None else "First option"
    against = "over what it was compared with" if one.second is None else "over the second"
    return element(
        "article",
        context,
        passage(first, folded(one.first), "preferred"),
        None if one.second is None else passage("Second option", folded(one.second), "other"),
        element(
            "p",
            f"Prefer the {first.lower()} {against}:" + (f" (judged by {count(one.votes)})" if one.votes > 1 else ""),
        ),
        element("ul", *chosen, class_="shares"),
    )


def _typical(found: Communities) -> Markup | None:
    if not found.typical:
        return None
    parts: list[Markup | None] = [
        element("h3", "Judgments typical of each"),
        element(
            "p",
            "Real judgments: of those that are most likely of one, the twentieth that the others are least likely to "
            "have made, and the shortest of these, to be read quickly.",
        ),
    ]
    for k, community in enumerate(found.communities):
        mine = [one for one in found.typical if one.community == k]
        if mine:
            parts += [element("h4", community.name), *(_judgment(one, found.communities) for one in mine)]
    return joined(*parts)


def _judgment(one: Typical, communities: tuple[Community, ...]) -> Markup:
    said = listed([f"{percent(p)} in {c.name}" for p, c in zip(one.chosen, communities, strict=True)])
    return element(
        "article",
        passage("Context", folded(one.context, from_end=True)) if one.context else None,
        passage("Preferred", folded(one.preferred), "preferred"),
        passage("Not preferred", folded(one.other), "other"),
        element("p", f"Expected to be judged so by {said}.", class_="quiet"),
    )


def _percent_range(share: Range) -> str:
    return percent(share.value) + (f", {_ends(share)}" if math.isfinite(share.low) else "")


def _ends(share: Range) -> str:
    if not math.isfinite(share.low):
        return "known" if math.isfinite(share.value) else UNKNOWN
    return f"{100 * share.low:.1f} to {100 * share.high:.1f}%"


def _apart(one: Range, other: Range) -> bool:
    return one.low > other.high or other.low > one.high
