"""``python -m llull.objectives`` lists every objective with its formula."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from llull.objectives.catalog import Row, catalog


def listing(words: Sequence[str] | None = None) -> str:
    """The text for these command-line words."""
    parser = argparse.ArgumentParser("python -m llull.objectives", description="List objectives with their formulas.")
    parser.add_argument("--kind", choices=("pairs", "lists", "singles"), help="what the judgments are")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--no-reference", action="store_true", help="only those without a reference")
    only.add_argument("--reference", action="store_true", help="only those with a reference")
    chosen = parser.parse_args(words)
    reference = False if chosen.no_reference else True if chosen.reference else None
    return "\n\n".join(map(shown, catalog(chosen.kind, reference)))


def shown(row: Row) -> str:
    """A row of the catalog as lines of text."""
    lines = [f"{row.name} ({row.kind}): {row.summary}", *(f"    {line}" for line in row.formula.splitlines())]
    lines.append("  axes: " + "; ".join(f"{axis} {parts}" for axis, parts in row.axes.items()))
    if row.needs:
        lines.append("  needs: " + "; ".join(row.needs))
    if row.source:
        lines.append(f"  source: {row.source}")
    if row.peers:
        lines.append("  elsewhere: " + ", ".join(f"{peer} {name}" for peer, name in row.peers.items()))
    return "\n".join(lines)


if __name__ == "__main__":
    print(listing())
