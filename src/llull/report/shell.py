"""The shell of every page: one file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from llull.report.markup import Markup, element, joined
from llull.report.style import STYLE


def page(
    title: str,
    about: Sequence[str],
    headline: Markup,
    sections: Sequence[tuple[str, str, Markup | None]],
    intervals: str,
) -> Markup:
    """A whole page.

    Args:
        title: of the page.
        about: said under the title; empty texts are left out.
        headline: the result in short, before all sections.
        sections: (id, title, content); those without content are left out.
        intervals: what the intervals of the page are, as a sentence.
    """
    shown = [(name, heading, content) for name, heading, content in sections if content]
    links = [element("li", element("a", heading, href=f"#{name}")) for name, heading, _ in shown]
    top = element(
        "header",
        element("h1", title),
        element("p", " · ".join(text for text in about if text), class_="quiet"),
        element("nav", element("ul", *links), aria_label="Sections"),
    )
    parts = [
        element(
            "section", element("h2", heading, id=f"{name}-title"), content, id=name, aria_labelledby=f"{name}-title"
        )
        for name, heading, content in shown
    ]
    footer = element("footer", element("p", f"{intervals} Made by Llull {version('llull')}."))
    body = element("div", top, element("main", headline, *parts), footer, class_="page")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", Markup(STYLE)),
    )
    return joined(Markup("<!doctype html>\n"), element("html", head, element("body", body), lang="en"), Markup("\n"))


def write_page(path: str | Path, made: Markup) -> Path:
    """Write a page so that a file of this name is always a whole one; returns its path."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(target.name + ".part")
    unfinished.write_text(made, encoding="utf-8", errors="backslashreplace")
    unfinished.replace(target)
    return target
