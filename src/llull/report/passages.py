"""Long texts to read, folded behind a preview."""

from __future__ import annotations

from llull.report.markup import Markup, element
from llull.report.wording import count

_SHORT = 360
_LONGEST = 6_000


def passage(name: str, text: Markup, kind: str = "") -> Markup:
    """A named part of an article."""
    return element("div", element("b", name), text, class_=f"part {kind}".strip())


def folded(text: str, from_end: bool = False) -> Markup:
    """A long text folded behind its beginning, or behind its end: of a conversation, the last turn matters most."""
    if len(text) <= _SHORT:
        return element("div", text or "(empty)", class_="said")
    flat = " ".join((text[-2 * _SHORT :] if from_end else text[: 2 * _SHORT]).split())
    end, beginning = flat[-_SHORT:], flat[:_SHORT]
    preview = f"… {end.partition(' ')[2] or end} " if from_end else f"{beginning.rpartition(' ')[0] or beginning} … "
    whole = text[:_LONGEST]
    if len(text) > _LONGEST:
        whole += f"\n\n[{count(len(text) - _LONGEST)} more characters are not shown]"
    summary = element(
        "summary",
        element("span", preview, class_="said preview"),
        element("span", f"all {count(len(text))} characters", class_="more"),
    )
    return element("details", summary, element("div", whole, class_="said"))
