"""What was judged."""

from __future__ import annotations

import math
from collections.abc import Mapping

from llull.judgments.describing import Share
from llull.report.content import Report
from llull.report.markup import Markup, element, joined
from llull.report.tables import facts, table
from llull.report.wording import UNKNOWN, count, percent

_VERDICTS = {
    "ranked": "ranked: one option was preferred, or all were put in order",
    "both_good": "tie: both good",
    "both_bad": "tie: both bad",
    "cannot_judge": "could not judge",
    "rated": "rated, not ranked",
}


def section(report: Report) -> Markup | None:
    """Counts, verdicts, criteria, files, and which side wins; None without a description."""
    found = report.description
    if found is None:
        return None
    numbers = [
        ("judgments", count(found.judgments)),
        ("contexts", count(found.contexts)),
        ("different options", count(found.options)),
        ("pairs", count(found.pairs)),
        ("of pairs are ties", percent(found.ties)),
        ("characters in the median option", f"{found.characters:,.0f}" if math.isfinite(found.characters) else UNKNOWN),
    ]
    return joined(
        facts(numbers),
        _files(report),
        _tally("What was said", "Verdict", {_VERDICTS.get(k, k): n for k, n in found.verdicts.items()}),
        _tally("Criteria", "Criterion", found.criteria),
        _sides(
            {
                "the longer option": found.longer_wins,
                "the option shown first": found.first_shown_wins,
                "the option listed first in the file": found.first_listed_wins,
            }
        ),
    )


def _files(report: Report) -> Markup | None:
    if report.reading is None or not report.reading.files:
        return None
    rows = [
        [file.path, file.format, count(file.rows), count(file.judgments), count(len(file.rejects))]
        for file in report.reading.files
    ]
    return table("Files read", ["File", "Format", "Rows", "Judgments", "Rejects"], rows, text_columns=2)


def _tally(caption: str, head: str, tally: Mapping[str, int]) -> Markup | None:
    if not tally:
        return None
    total = sum(tally.values())
    rows = [[name, count(number), percent(number / total)] for name, number in list(tally.items())[:12]]
    left = len(tally) - len(rows)
    more = f" (the 12 most frequent of {count(len(tally))})" if left else ""
    return table(caption + more, [head, "Judgments", "Share"], rows)


def _sides(sides: Mapping[str, Share | None]) -> Markup | None:
    rows = [
        [name, percent(share.share), f"{100 * share.low:.1f} to {100 * share.high:.1f}%", count(share.count)]
        for name, share in sides.items()
        if share is not None
    ]
    if not rows:
        return element("p", "No pair says which option is longer, or which was shown first.", class_="quiet")
    return table("Which option is preferred, of decided pairs", ["", "Preferred", "Interval", "Pairs"], rows)
