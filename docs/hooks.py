"""Fills in the parts of the documentation that are read off the code, so that they cannot drift from it.

A page says ``<!-- generated: NAME -->`` where the text of one of the functions in `GENERATED` belongs.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from llull.cli.main import COMMANDS
from llull.judgments.reading import known_formats, known_writers

_MARK = re.compile(r"<!-- generated: ([\w-]+) -->")


def formats_table() -> str:
    """Every format that `llull.read` knows and whether Llull writes it."""
    writers = known_writers()
    rows = ["| name | format | read | write |", "|---|---|---|---|"]
    for name in sorted({*known_formats(), *writers}):
        title = (known_formats().get(name) or writers[name]).title
        reads = "yes" if name in known_formats() else ""
        writes = f"yes; it has no place for {writers[name].loses}" if name in writers else ""
        rows.append(f"| `{name}` | {title} | {reads} | {writes} |")
    return "\n".join(rows)


def statistics_table() -> str:
    """Every text statistic and what it measures."""
    from llull.encoders.statistics import STATISTICS

    rows = ["| feature | what it measures |", "|---|---|"]
    rows += [f"| {statistic.name} | {statistic.description} |" for statistic in STATISTICS]
    return "\n".join(rows)


def command_help() -> str:
    """What ``llull COMMAND --help`` prints, for every command."""
    parts = []
    for name in COMMANDS:
        words = [sys.executable, "-m", "llull", name, "--help"]
        shown = subprocess.run(words, capture_output=True, text=True, check=True, env={"COLUMNS": "100"})
        parts.append(f"## llull {name}\n\n```text\n{shown.stdout.rstrip()}\n```")
    return "\n\n".join(parts)


def objectives_list() -> str:
    """Every objective: what it is, its formula, its source, its axes, what it needs and who else has it."""
    from llull.objectives.catalog import catalog

    parts = []
    for kind, title in (("pairs", "On pairs"), ("lists", "On rankings"), ("singles", "On options judged alone")):
        parts.append(f"### {title}")
        for row in catalog(kind):
            axes = "; ".join(f"{axis} {part}" for axis, part in row.axes.items())
            lines = [f"#### {row.name}", row.summary.replace("**", "^"), f"```text\n{row.formula}\n```"]
            facts = [f"Source: {row.source}.", f"Axes: {axes}."]
            facts += [f"Needs: {'; '.join(row.needs)}."] if row.needs else []
            facts += [f"Elsewhere: {', '.join(f'{k} ({v})' for k, v in row.peers.items())}."] if row.peers else []
            parts += [*lines, " ".join(facts)]
    return "\n\n".join(parts)


def models_table() -> str:
    """Every named preference model."""
    from llull.models.catalog import CATALOG

    rows = ["| name | what it assumes | head x link x population | needs | source |", "|---|---|---|---|---|"]
    rows += [f"| `{m.name}` | {m.what} | {m.axes} | {m.needs} | {m.source} |" for m in CATALOG.values()]
    return "\n".join(rows)


GENERATED: dict[str, Callable[[], str]] = {
    "formats": formats_table,
    "statistics": statistics_table,
    "commands": command_help,
    "objectives": objectives_list,
    "models": models_table,
}


def on_page_markdown(markdown: str, **context: Any) -> str:
    """Called by MkDocs for every page."""
    return _MARK.sub(lambda mark: GENERATED[mark[1]](), markdown)
