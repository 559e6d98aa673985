"""HTML and SVG elements as values. Text is escaped unless it was made here."""

from __future__ import annotations

from html import escape

_VOID = frozenset({"meta", "br", "hr", "line", "circle", "rect", "path", "use"})


class Markup(str):
    """Text that is markup already, and is not escaped again."""

    __slots__ = ()


def element(name: str, *children: str | None, **attributes: str | float | None) -> Markup:
    """One element.

    Args:
        name: of the element.
        children: text, which is escaped, or markup, which is not; None is left out.
        attributes: ``class_`` is ``class``, other underscores are hyphens; None leaves one out.

    >>> element("p", "a < b", element("b", "c"), class_="note")
    '<p class="note">a &lt; b<b>c</b></p>'
    """
    given = "".join(f' {_attribute(key)}="{_value(value)}"' for key, value in attributes.items() if value is not None)
    if name in _VOID:
        return Markup(f"<{name}{given}/>")
    return Markup(f"<{name}{given}>{joined(*children)}</{name}>")


def joined(*children: str | None) -> Markup:
    """Pieces one after another, each escaped unless it is markup."""
    return Markup("".join(child if isinstance(child, Markup) else escape(child) for child in children if child))


def _attribute(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _value(value: str | float) -> str:
    return escape(str(value)) if not isinstance(value, float) else f"{value:.6g}"
