"""Verdicts on the structure of judgments: whether preferences run in circles, and what else was tested."""

from __future__ import annotations

from collections.abc import Sequence

from llull.report.content import Report
from llull.report.markup import Markup, element, joined
from llull.report.people_content import Verdict
from llull.report.tables import facts


def section(report: Report) -> Markup | None:
    """Evidence of cycles; None if nobody looked."""
    found = report.people.cycles if report.people else None
    return None if found is None else _answer(found)


def verdicts(found: Sequence[Verdict]) -> Markup | None:
    """Questions with their answers and numbers."""
    parts = [joined(element("h3", one.question), _answer(one)) for one in found]
    return joined(*parts) if parts else None


def _answer(one: Verdict) -> Markup:
    return joined(
        element("p", one.answer),
        facts(one.numbers) if one.numbers else None,
        element("ul", *(element("li", example) for example in one.examples)) if one.examples else None,
    )
