"""The command ``llull structure``: what some judgments can bear, before any model of them is trusted."""

from __future__ import annotations

from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

import llull.judgments
from llull.encoders import Encoder
from llull.evaluate.structure import Protocols, Structure
from llull.evaluate.structure import structure as tested
from llull.evaluate.structure.finding import span
from llull.runs.comparing import ranked, some_annotators
from llull.runs.data import print_reading
from llull.runs.fitting import default_features
from llull.runs.folder import METRICS, RunFolder

_ROWS = 12


def structure(
    data: list[str],
    groups: str | None = None,
    features: Encoder | None = None,
    rating: str | None = None,
    annotators: int | None = None,
    quick: bool = False,
    out: str | None = None,
    seed: int = 0,
    format: str | None = None,
    strict: bool = False,
) -> Structure:
    """Say what judgments can bear: do people differ, is it noise, do preferences go in circles, do ratings agree?

    Args:
        data: files, folders, patterns or hub names, as for `llull read`.
        groups: what tells groups of annotators apart: one of the judgments' groups, a column or a tag.
        features: an encoder; chosen as for `llull fit` if not given.
        rating: for data that rates instead of ranking: the aspect whose higher value is preferred. The only one there
            is, if not given.
        annotators: only so many annotators, drawn at random.
        quick: only the tests that take no fit of a model.
        out: folder to write metrics.json to; without it nothing is written.
        seed: of all randomness.
        format: format of all the files, instead of finding it from their first rows.
        strict: stop at the first bad row instead of setting it aside.
    """
    console = Console()
    preferences = llull.judgments.read(*data, format=format, strict=strict)
    print_reading(preferences, console)
    some = some_annotators(preferences, annotators, seed)
    judged = ranked(some, rating, seed, console)
    encoder = features or default_features(judged, console)
    with console.status("testing") as status:
        found = tested(judged, encoder, group=groups, rated=some, full=not quick, seed=seed, tell=status.update)
    console.print()
    console.print(found.table())
    if len(found.protocols.aspects) > 1:
        console.print(protocols_table(found.protocols))
    if out is not None:
        folder = RunFolder(out)
        folder.begin(judged, seed, {"data": data, "groups": groups, "rating": rating, "quick": quick})
        folder.write_json(METRICS, found.to_dict())
        console.print(f"wrote {Path(out) / METRICS}")
    return found


def protocols_table(found: Protocols) -> Table:
    """A row for each aspect whose ratings are set against rankings."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title="ratings against rankings", title_justify="left")
    for head in ("aspect", "rankings by", "ratings of", "pairs", "same order (95%)", "with ties"):
        table.add_column(head, justify="left" if head in ("aspect", "rankings by", "ratings of") else "right")
    for row in found.aspects[:_ROWS]:
        whose = "the same person" if row.by_same else "others, their mean"
        shares = [span(estimate, 100) for estimate in (row.decided, row.with_ties)]
        table.add_row(row.aspect, row.criterion or "any criterion", whose, f"{row.pairs:,}", *shares)
    if len(found.aspects) > _ROWS:
        table.caption = f"and {len(found.aspects) - _ROWS} more"
        table.caption_justify = "left"
    return table
