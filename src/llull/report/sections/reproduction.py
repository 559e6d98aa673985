"""The command, configuration, versions, seed and data behind the numbers."""

from __future__ import annotations

from llull.report.content import Report, Reproduction
from llull.report.markup import Markup, element, joined
from llull.report.tables import table


def section(report: Report) -> Markup | None:
    """What to run to get the same numbers; None if it is not known."""
    return reproduced(report.reproduction)


def reproduced(made: Reproduction | None) -> Markup | None:
    """The same, for any report."""
    if made is None:
        return None
    rows = [["seed", str(made.seed)], ["fingerprint of the data", made.fingerprint], *map(list, made.versions.items())]
    config = (
        element("details", element("summary", "The whole configuration"), element("pre", made.config, tabindex="0"))
        if made.config
        else None
    )
    return joined(
        element("pre", element("code", made.command), tabindex="0"),
        table("Seed, data and versions", ["What", "Value"], rows, text_columns=2),
        config,
    )
