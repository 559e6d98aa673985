"""Tables that scroll within themselves where a screen is narrow."""

from __future__ import annotations

from collections.abc import Sequence

from llull.report.markup import Markup, element


def table(
    caption: str,
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    text_columns: int = 1,
    numbers: int | None = None,
) -> Markup:
    """A table whose first column heads its rows.

    Args:
        caption: what the table shows.
        head: one word or few for each column.
        rows: texts or markup.
        text_columns: how many columns from the left hold text; the others hold numbers, set flush right.
        numbers: how many columns of numbers follow those of text; any columns after them hold text again.
    """

    last = None if numbers is None else text_columns + numbers

    def kind(column: int) -> str | None:
        return "n" if text_columns <= column < (last or len(head)) else None

    heads = [element("th", name, scope="col", class_=kind(i)) for i, name in enumerate(head)]
    body = []
    for first, *others in rows:
        cells = [element("td", cell, class_=kind(i)) for i, cell in enumerate(others, 1)]
        body.append(element("tr", element("th", first, scope="row"), *cells))
    whole = element(
        "table", element("caption", caption), element("thead", element("tr", *heads)), element("tbody", *body)
    )
    # A region that scrolls must be reachable by keyboard.
    return element("div", whole, class_="scroll", tabindex="0", role="region", aria_label=caption)


def facts(pairs: Sequence[tuple[str, str]]) -> Markup:
    """A few numbers that stand out: (what, how much)."""
    return element(
        "dl", *(element("div", element("dt", what), element("dd", much)) for what, much in pairs), class_="facts"
    )
