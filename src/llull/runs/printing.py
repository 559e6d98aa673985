"""What the commands print: tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.markup import escape
from rich.table import Table

from llull.judgments.diagnosing import Problem
from llull.judgments.reading import Reading


def reading_table(reading: Reading) -> Table:
    """Rows in, judgments out and rejects of every file, what is worth knowing about it, and files passed over."""
    table = Table(title="What became of every row", title_justify="left")
    for name, justify in (
        ("file", "left"),
        ("format", "left"),
        ("rows", "right"),
        ("judgments", "right"),
        ("rejects", "right"),
    ):
        table.add_column(name, justify=justify, overflow="fold")  # pyright: ignore[reportArgumentType]
    for file in reading.files:
        table.add_row(escape(file.path), file.format, f"{file.rows:,}", f"{file.judgments:,}", f"{len(file.rejects):,}")
        for note, count in file.notes.most_common():
            table.add_row(f"  {escape(note)}", "", f"{count:,}", "", "", style="dim")
    for reason, count in _reasons(reading):
        table.add_row(f"  rejected: {escape(reason)}", "", "", "", f"{count:,}", style="yellow")
    for path, reason in reading.skipped.items():
        table.add_row(escape(path), "passed over", "", "", "", style="dim")
        table.add_row(f"  {escape(reason)}", "", "", "", "", style="dim")
    return table


def problems_table(problems: Iterable[Problem]) -> Table:
    """Problems found in the data, with how often."""
    table = Table(title="Problems found in the data", title_justify="left")
    table.add_column("problem")
    table.add_column("judgments", justify="right")
    table.add_column("share", justify="right")
    table.add_column("what it means")
    for problem in problems:
        table.add_row(problem.kind, f"{problem.count:,}", f"{problem.share:.1%}", problem.meaning)
    if not table.rows:
        table.add_row("none found", "", "", "")
    return table


def _reasons(reading: Reading, most: int = 8) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for reject in reading.rejects:
        counts[reject.reason] = counts.get(reject.reason, 0) + 1
    return sorted(counts.items(), key=lambda item: -item[1])[:most]
