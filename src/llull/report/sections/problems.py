"""What is wrong with the data, and what could not be read."""

from __future__ import annotations

from collections import Counter

from llull.report.content import Report
from llull.report.markup import Markup, element, joined
from llull.report.tables import table
from llull.report.wording import count, counted, percent

_MOST_ROWS = 12


def section(report: Report) -> Markup:
    """Problems found, rejects by reason, and notes of reading."""
    return joined(_found(report), _rejects(report), _notes(report))


def _found(report: Report) -> Markup:
    if report.problems is None:
        return element("p", "The data were not searched for problems.")
    if not report.problems:
        return element("p", "No problem was found in the judgments.")
    rows = [[p.kind, p.meaning, count(p.count), percent(p.share)] for p in report.problems]
    return table("Problems found", ["Problem", "What it means", "Judgments", "Share"], rows, text_columns=2)


def _rejects(report: Report) -> Markup | None:
    if report.reading is None:
        return None
    rejects = report.reading.rejects
    if not rejects:
        return element("p", "Every row was read; none was rejected.")
    reasons = Counter(reject.reason for reject in rejects)
    example = {reject.reason: f"{reject.file}, line {reject.line}" for reject in reversed(rejects)}
    rows = [[reason, example[reason], count(n)] for reason, n in reasons.most_common(_MOST_ROWS)]
    more = len(reasons) - len(rows)
    also = f"; {counted(more, 'rarer reason')} in rejects.jsonl" if more else ""
    caption = f"Rows that could not be read: {count(len(rejects))}{also}"
    return table(caption, ["Reason", "First seen", "Rows"], rows, text_columns=2)


def _notes(report: Report) -> Markup | None:
    if report.reading is None:
        return None
    rows = [
        [note, file.path, count(n)] for file in report.reading.files for note, n in file.notes.most_common(_MOST_ROWS)
    ]
    if not rows:
        return None
    return table("Worth knowing", ["What", "File", "Times"], rows, text_columns=2)
