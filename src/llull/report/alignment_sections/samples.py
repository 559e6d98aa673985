"""What the policy writes, before and after, side by side."""

from __future__ import annotations

from llull.report.alignment_content import AlignmentReport, Sample
from llull.report.markup import Markup, element, joined
from llull.report.passages import folded, passage


def section(report: AlignmentReport) -> Markup | None:
    """Samples on the same contexts; None where there are none."""
    if not report.samples:
        return None
    articles = [_article(number, sample) for number, sample in enumerate(report.samples, 1)]
    return joined(element("p", "On the left before, on the right after; below each other on a phone."), *articles)


def _article(number: int, sample: Sample) -> Markup:
    return element(
        "article",
        element("h3", f"Sample {number}"),
        passage("Context", folded(sample.context, from_end=True)) if sample.context else None,
        element(
            "div",
            passage("Before", folded(sample.before), "other"),
            passage("After", folded(sample.after), "preferred"),
            class_="beside",
        ),
    )
