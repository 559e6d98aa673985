"""The job of ``llull align``: read, describe, train, measure, report."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

import llull.judgments
from llull.align import Adapter, Aligned, Inputs, Limits, Segments, Teaching, Training, load_policy, train
from llull.align.alignment import MODEL
from llull.align.generating import Generated, generate, plain, room_for
from llull.align.measuring import METRICS
from llull.errors import InputError
from llull.evaluate.intervals import Estimate
from llull.language.divergences import adaptive_contrast
from llull.objectives import DPO, Objective
from llull.objectives.__main__ import shown
from llull.objectives.axes import Kind
from llull.objectives.catalog import catalog
from llull.objectives.references import ReferenceRule
from llull.report.alignment import AlignmentReport, Sample, write_alignment_report
from llull.runs.content import reproduction
from llull.runs.data import print_reading
from llull.runs.folder import METRICS as SUMMARY
from llull.runs.folder import REJECTS, REPORT, RunFolder


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
    columns: dict[str, str] | None = None,
    beside: dict[str, str] | None = None,
    segments: Segments | None = None,
    teachers: list[str] | None = None,
    system: str | None = None,
    samples: int = 32,
    sample_tokens: int = 96,
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
        columns: for objectives that read numbers of options: the aspect whose ratings each is, such as
            `--columns.reward helpfulness`; the aspect of the same name if not given.
        beside: for objectives that read named units: a file of judgments or of samples for each, such as
            `--beside.samples samples.jsonl`.
        segments: for objectives that look inside an option: how it is cut, and what each segment is worth.
        teachers: for objectives that compare whole distributions: a model to learn from, or an aligned one and one
            aligned against the judgments (AlignDistil); the reference if not given.
        system: a system message for contexts that have none.
        samples: held-out contexts on which answers are drawn before and after; 0 for none.
        sample_tokens: most tokens of such an answer.
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
    arguments |= {"columns": columns, "beside": beside, "teachers": teachers}
    arguments |= {"segments": None if segments is None else asdict(segments)}
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
        inputs=Inputs(columns or {}, {name: _read(name, path) for name, path in (beside or {}).items()}, segments),
        teaching=_teaching(teachers, training, chosen) if teachers else None,
        template={"system": system} if system else None,
        rating=rating,
        group=group,
        out=folder.path,
        console=console,
    )
    if aligned.before:
        console.print(metrics_table(aligned))
    generated = compare_generation(aligned, reference or policy, samples, sample_tokens, training, console)
    folder.write_json(SUMMARY, summary(aligned, generated))
    path = write_alignment_report(folder.path / REPORT, report_of(aligned, chosen, policy, training, generated, folder))
    console.print(f"wrote {path}, {folder.path / SUMMARY} and the model in {folder.path / MODEL}")
    return folder


def _teaching(teachers: list[str], training: Training, objective: Objective) -> Teaching:
    if objective.needs.divergence is None or (objective.needs.divergence != "reverse_kl" and len(teachers) > 1):
        most = "no teachers" if objective.needs.divergence is None else "one model at most"
        raise InputError(f"{type(objective).__name__} compares distributions with {most}; leave --teachers out")
    if len(teachers) > 2:
        raise InputError(f"{len(teachers)} teachers; give one, or an aligned one and one aligned against the judgments")
    models = [load_policy(name, precision=training.precision).model.requires_grad_(False) for name in teachers]
    return Teaching(models, adaptive_contrast() if len(models) == 2 else None)


def _read(name: str, path: str) -> llull.judgments.Preferences:
    found = llull.judgments.read(path)
    if not len(found):
        raise InputError(f"--beside.{name}: {path} holds nothing")
    return found


Pair = tuple[Generated, Generated]


def compare_generation(
    aligned: Aligned, reference: str, samples: int, tokens: int, training: Training, console: Console
) -> Pair | None:
    """Samples on held-out contexts by the reference and by the aligned policy; None where none are wanted."""
    prompts = list(aligned.prompts)
    settings = plain(1, tokens, training.seed)
    prompts = room_for(prompts, aligned.policy.longest, settings)[:samples]
    if not prompts:
        return None
    start = load_policy(reference)
    with console.status("drawing samples"):
        before, after = (generate(one, start, prompts, settings, aligned.template) for one in (start, aligned.policy))
    console.print(generation_table(before, after))
    return before, after


def report_of(
    aligned: Aligned, objective: Objective, policy: str, training: Training, generated: Pair | None, folder: RunFolder
) -> AlignmentReport:
    """What the page of the run shows."""
    sampled: list[Sample] = []
    measured = {}
    if generated is not None:
        before, after = generated
        for first, second in list(zip(before.samples, after.samples, strict=True))[:_SHOWN_SAMPLES]:
            context = aligned.policy.tokenizer.decode(before.prompts[first.prompt], skip_special_tokens=True)
            sampled.append(Sample(context, first.text, second.text))
        ends = after.estimates()
        measured = {name: (estimate, ends[name]) for name, estimate in before.estimates().items()}
    return AlignmentReport(
        title=f"Alignment: {folder.path.name}",
        policy=policy,
        objective=type(objective).__name__,
        formula=objective.formula(),
        source=objective.source,
        reference=aligned.reference,
        before=aligned.before,
        after=aligned.after,
        changes=aligned.changes,
        meanings=METRICS,
        updates=aligned.history.updates,
        evaluations=aligned.history.evaluations,
        best=aligned.history.best,
        stopped=aligned.history.stopped,
        samples=sampled,
        generation=measured,
        notes=aligned.notes,
        settings={name: str(value) for name, value in asdict(training).items() if value is not None},
        reproduction=reproduction(folder),
    )


_SHOWN_SAMPLES = 8


def metrics_table(aligned: Aligned) -> Table:
    """The metrics of the held-out judgments before and after."""
    clusters = next(iter(aligned.after.values())).clusters
    table = Table(title=f"on {clusters:,} contexts held out, with 95% intervals", title_justify="left")
    for name in ("", "before", "after"):
        table.add_column(name, justify="left" if not name else "right")
    for name, after in aligned.after.items():
        table.add_row(name, _shown(aligned.before[name]), _shown(after))
    return table


def generation_table(before: Generated, after: Generated) -> Table:
    """What was measured on samples, before and after."""
    table = Table(title=f"on {len(before.samples):,} samples, with 95% intervals", title_justify="left")
    for name in ("", "before", "after"):
        table.add_column(name, justify="left" if not name else "right")
    ends = after.estimates()
    for name, found in before.estimates().items():
        table.add_row(name, _shown(found), _shown(ends[name]))
    return table


def summary(aligned: Aligned, generated: Pair | None) -> dict[str, Any]:
    """What `metrics.json` of a run holds."""
    drawn = {} if generated is None else dict(zip(("before", "after"), generated, strict=True))
    return {
        "generation": {
            when: {name: found.to_dict() for name, found in each.estimates().items()} for when, each in drawn.items()
        },
        "before": {name: found.to_dict() for name, found in aligned.before.items()},
        "after": {name: found.to_dict() for name, found in aligned.after.items()},
        "change": {name: found.to_dict() for name, found in aligned.changes.items()},
        "meanings": dict(METRICS),
        "best_update": aligned.history.best,
        "stopped": aligned.history.stopped,
        "reference": aligned.reference,
        "notes": list(aligned.notes),
        "evaluations": aligned.history.evaluations,
    }


def objectives(name: str | None = None, kind: Kind | None = None, reference: bool | None = None) -> None:
    """List the objectives that a model can be aligned by, with the formula that each computes.

    Args:
        name: only the one of this name.
        kind: only those that read pairs, lists or singles.
        reference: only those that compare with a reference, or only those that do not.
    """
    rows = [row for row in catalog(kind, reference) if name is None or row.name.lower() == name.lower()]
    if not rows:
        raise InputError(f"there is no such objective as {name}; llull objectives lists all of them")
    print("\n\n".join(shown(row) for row in rows))


def _shown(found: Estimate) -> str:
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"
