"""The job of ``llull align``: read, describe, train, measure, report."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, cast

from rich.console import Console
from rich.table import Table

import llull.judgments
from llull.align import Adapter, Aligned, Limits, Training, train
from llull.align.measuring import METRICS
from llull.errors import InputError
from llull.evaluate.intervals import Estimate
from llull.objectives import DPO, Objective
from llull.objectives.presets import PRESETS
from llull.objectives.references import ReferenceRule
from llull.runs.data import print_reading
from llull.runs.folder import METRICS as SUMMARY
from llull.runs.folder import REJECTS, RunFolder


def align(
    data: list[str],
    policy: str | None = None,
    objective: Objective | None = None,
    training: Training = Training(),
    adapter: Adapter | None = None,
    reference: str | None = None,
    follow: ReferenceRule = ReferenceRule(),
    held_out: float = 0.1,
    limits: Limits = Limits(),
    system: str | None = None,
    rating: str | None = None,
    group: str | None = None,
    out: str = "runs/align",
    format: str | None = None,
    strict: bool = False,
) -> RunFolder:
    """Align a language model with judgments, measure it on contexts it has not seen, and write a report.

    A run that was stopped goes on where it was when the same command is given again.

    Args:
        data: files, folders, patterns or hub names, as for `llull read`.
        policy: folder or hub name of the language model to align.
        objective: what it learns by, such as DPO, SimPO or KTO; `llull objectives` lists them. DPO if not given.
        training: how it is trained.
        adapter: learn low-rank adapters instead of all weights.
        reference: folder or hub name of the frozen model to compare with; the policy at its start if not given.
        follow: when and how far the reference follows the policy (TR-DPO).
        held_out: share of the contexts to measure on.
        limits: of tokens, and what is done beyond them.
        system: a system message for contexts that have none.
        rating: for data that rates instead of ranking: the aspect that counts.
        group: a group of the annotators, a column or a tag, for objectives that treat groups apart.
        out: folder of the run.
        format: format of all the files, instead of finding it from their first rows.
        strict: stop at the first bad row instead of setting it aside.
    """
    if policy is None:
        raise InputError("say which language model to align, with --policy FOLDER or --policy ORG/NAME")
    console = Console()
    preferences = llull.judgments.read(*data, format=format, strict=strict)
    print_reading(preferences, console)
    folder = RunFolder(out)
    chosen = objective or DPO()
    arguments: dict[str, Any] = {"data": [str(d) for d in data], "policy": policy, "objective": type(chosen).__name__}
    arguments |= {"training": asdict(training), "held_out": held_out, "out": out, "format": format, "strict": strict}
    folder.begin(preferences, training.seed, arguments)
    if preferences.reading is not None:
        preferences.reading.write_rejects(folder.path / REJECTS)
    aligned = train(
        preferences,
        policy,
        chosen,
        settings=training,
        adapter=adapter,
        reference=reference,
        follow=follow,
        held_out=held_out,
        limits=limits,
        template={"system": system} if system else None,
        rating=rating,
        group=group,
        out=folder.path,
        console=console,
    )
    if aligned.before:
        console.print(metrics_table(aligned))
    folder.write_json(SUMMARY, summary(aligned))
    console.print(f"wrote the model to {folder.path / 'model'}")
    return folder


def metrics_table(aligned: Aligned) -> Table:
    """The metrics of the held-out judgments before and after."""
    clusters = next(iter(aligned.after.values())).clusters
    table = Table(title=f"on {clusters:,} contexts held out, with 95% intervals", title_justify="left")
    for name in ("", "before", "after"):
        table.add_column(name, justify="left" if not name else "right")
    for name, after in aligned.after.items():
        table.add_row(name, _shown(aligned.before[name]), _shown(after))
    return table


def summary(aligned: Aligned) -> dict[str, Any]:
    """What `metrics.json` of a run holds."""
    return {
        "before": {name: found.to_dict() for name, found in aligned.before.items()},
        "after": {name: found.to_dict() for name, found in aligned.after.items()},
        "meanings": dict(METRICS),
        "best_update": aligned.history.best,
        "stopped": aligned.history.stopped,
        "reference": aligned.reference,
        "notes": list(aligned.notes),
        "evaluations": aligned.history.evaluations,
    }


def objectives(name: str | None = None, kind: str | None = None) -> None:
    """List the objectives that a model can be aligned by, with the formula that each computes.

    Args:
        name: only the one of this name.
        kind: only those that read pairs, lists or singles.
    """
    console = Console()
    for each, preset in sorted(PRESETS.items()):
        made = cast(Any, preset)()
        if (kind and made.kind != kind) or (name and each.lower() != name.lower()):
            continue
        said = (preset.__doc__ or "").strip().splitlines()[0]
        console.print(f"[bold]{each}[/bold] ({made.kind}) {said}", highlight=False)
        console.print(f"  {preset.source}", style="dim", highlight=False)
        for line in made.formula().splitlines():
            console.print(f"  {line}", markup=False, highlight=False)


def _shown(found: Estimate) -> str:
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"
