"""The page that `llull compare` writes, from what it measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from llull.evaluate import Evaluation
from llull.evaluate.adaptation import Adaptation, NewPeople
from llull.evaluate.structure import Structure
from llull.evaluate.structure.finding import Finding
from llull.models.catalog import named
from llull.report import ComparedModel, ComparisonReport, write_comparison
from llull.report.people_content import Verdict
from llull.runs.communities import told_curve
from llull.runs.content import reproduction
from llull.runs.folder import RunFolder

PAGE = "compare.html"


def write_page(
    folder: RunFolder,
    evaluations: Sequence[Evaluation],
    adaptations: Sequence[Adaptation],
    people: NewPeople | None,
    seconds: Mapping[str, float],
    recommended: str,
    reason: str,
    structure: Structure | None,
) -> Path:
    """Write the page of a comparison into its folder; returns its path."""
    curves = [told_curve(one, people) for one in adaptations] if people is not None else []
    report = ComparisonReport(
        title=f"Preference models compared: {folder.path.name}",
        models=[ComparedModel(name, named(name).what, seconds[name]) for name in seconds],
        recommended=recommended,
        reasons=reason.split("; "),
        evaluations=evaluations,
        adaptation=curves,
        verdicts=[verdict(one) for one in structure.findings if not getattr(one, "reason", "")] if structure else (),
        reproduction=reproduction(folder),
    )
    return write_comparison(folder.path / PAGE, report)


def verdict(found: Finding) -> Verdict:
    """A finding on the structure of judgments, as a page shows it."""
    question = found.question[:1].upper() + found.question[1:]
    return Verdict(question if question.endswith("?") else f"{question}?", found.verdict)
