"""What the policy learned by, how it was set, and what it did not see."""

from __future__ import annotations

from llull.report.alignment_content import AlignmentReport
from llull.report.markup import Markup, element, joined
from llull.report.tables import table


def section(report: AlignmentReport) -> Markup:
    """The objective with its formula and source, the policy and the reference."""
    rows = [["objective", report.objective], ["policy", report.policy], ["reference", report.reference]]
    rows = [[name, value] for name, value in rows if value]
    return joined(
        element("pre", report.formula, tabindex="0", role="region", aria_label="Formula") if report.formula else None,
        element("p", f"Source: {report.source}", class_="quiet") if report.source else None,
        table("Objective, policy and reference", ["What", "Which"], rows, text_columns=2),
    )


def settings(report: AlignmentReport) -> Markup | None:
    """Every setting; None where none is known."""
    if not report.settings:
        return None
    rows = [[name, value] for name, value in report.settings.items()]
    return table("How it was trained", ["Setting", "Value"], rows, text_columns=2)


def left_out(report: AlignmentReport) -> Markup:
    """What was cut and left out."""
    if not report.notes:
        return element("p", "Nothing was cut or left out.")
    return element("ul", *(element("li", note) for note in report.notes))
