"""The page: one file that needs nothing else."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from llull.report.content import Report
from llull.report.markup import Markup, element, joined
from llull.report.sections import (
    calibration,
    data,
    drivers,
    examples,
    headline,
    judges,
    learning,
    problems,
    quality,
    reproduction,
)
from llull.report.style import STYLE

_SECTIONS = (
    ("quality", "How good, and for whom", quality.section),
    ("calibration", "How sure, and rightly so?", calibration.section),
    ("drivers", "What drives preferences", drivers.section),
    ("examples", "Right, wrong and uncertain", examples.section),
    ("learning", "Would more data help?", learning.section),
    ("data", "The data", data.section),
    ("judges", "Who judged", judges.section),
    ("problems", "Problems in the data", problems.section),
    ("reproduce", "How to reproduce this", reproduction.section),
)


def write_report(path: str | Path, report: Report) -> Path:
    """Write a report as one HTML file without scripts or external resources; returns its path."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(target.name + ".part")
    unfinished.write_text(render(report), encoding="utf-8", errors="backslashreplace")
    unfinished.replace(target)
    return target


def render(report: Report) -> Markup:
    """The report as HTML."""
    shown = [(name, title, content) for name, title, make in _SECTIONS if (content := make(report))]
    links = [element("li", element("a", title, href=f"#{name}")) for name, title, _ in shown]
    finished = report.reproduction.finished if report.reproduction else ""
    about = " · ".join(text for text in (report.main.model, report.main.protocol, finished) if text)
    top = element(
        "header",
        element("h1", report.title),
        element("p", about, class_="quiet"),
        element("nav", element("ul", *links), aria_label="Sections"),
    )
    sections = [
        element("section", element("h2", title, id=f"{name}-title"), content, id=name, aria_labelledby=f"{name}-title")
        for name, title, content in shown
    ]
    body = element("div", top, element("main", headline.section(report), *sections), _footer(report), class_="page")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        element("title", report.title),
        element("style", Markup(STYLE)),
    )
    return joined(Markup("<!doctype html>\n"), element("html", head, element("body", body), lang="en"), Markup("\n"))


def _footer(report: Report) -> Markup:
    level, cluster = f"{report.main.level:.0%}", report.main.predictions.clustered_by
    return element(
        "footer",
        element(
            "p",
            f"Intervals are {level} intervals, clustered by {cluster}: "
            f"judgments of one {cluster} may resemble each other. "
            f"Made by Llull {version('llull')}.",
        ),
    )
