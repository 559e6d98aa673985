"""The whole of an alignment: load, make tokens, take the reference's numbers, train, measure, save."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from accelerate import Accelerator
from rich.console import Console

from llull.align.inputs import Inputs, Limits
from llull.align.measuring import OptionValues, estimate, estimate_change
from llull.align.memory import estimate_memory
from llull.align.policies import Adapter, Policy, load_policy, save_policy
from llull.align.preparing import prepare
from llull.align.references import KnownValues, LiveReference, ReferenceValues
from llull.align.settings import Training
from llull.align.step import Teaching
from llull.align.trainer import History, Trainer, make_accelerator
from llull.align.training_set import TrainingSet
from llull.errors import InputError
from llull.evaluate.intervals import Estimate
from llull.judgments import Preferences
from llull.language.fingerprints import fingerprint
from llull.language.model import LanguageModel
from llull.language.reference import reference_column
from llull.language.reference_cache import ReferenceCache
from llull.language.templates import Template
from llull.objectives import DPO, Objective
from llull.objectives.references import ReferenceRule


@dataclass(frozen=True)
class Aligned:
    """What an alignment leaves: the policy, and how it got there."""

    policy: Policy
    history: History
    reference: str
    """What the reference is."""
    folder: Path
    template: Template
    held_out: Preferences | None = None
    prompts: tuple[np.ndarray, ...] = ()
    """Ids of the held-out contexts."""
    before: Mapping[str, Estimate] = field(default_factory=dict)
    """Metrics of the held-out judgments at the start; empty where nothing is held out."""
    after: Mapping[str, Estimate] = field(default_factory=dict)
    """The same for the policy that is kept."""
    changes: Mapping[str, Estimate] = field(default_factory=dict)
    """After minus before, judgment by judgment."""
    notes: tuple[str, ...] = ()
    """What was cut and left out."""


def train(
    preferences: Preferences,
    policy: str | Path | Policy,
    objective: Objective | None = None,
    *,
    settings: Training = Training(),
    adapter: Adapter | None = None,
    reference: str | Path | Policy | None = None,
    follow: ReferenceRule = ReferenceRule(),
    teaching: Teaching | None = None,
    held_out: float | Preferences = 0.1,
    limits: Limits = Limits(),
    inputs: Inputs = Inputs(),
    template: Mapping[str, Any] | None = None,
    rating: str | None = None,
    group: str | None = None,
    out: str | Path = "runs/align",
    keep: Literal["best", "last"] = "best",
    console: Console | None = None,
) -> Aligned:
    """Align a policy with judgments.

    Args:
        preferences: the judgments.
        policy: folder or hub name of a causal language model, or one that is loaded.
        objective: what it learns by; DPO if not given.
        settings: how it is trained.
        adapter: learn low-rank adapters instead of all weights.
        reference: the frozen model that the policy is compared with; the policy as it is at the start, if not given.
        follow: when and how far the reference follows the policy (TR-DPO).
        teaching: models whose whole distributions the objective compares with; the reference if it needs one.
        held_out: share of the contexts to measure on, or judgments of their own; 0 for none.
        limits: of tokens, and what is done beyond them.
        inputs: what the objective reads beside the judgments: numbers of options, named units, segments.
        template: arguments of `llull.language.Template`.
        rating: for data that rates instead of ranking: the aspect that counts.
        group: a key for groups of judgments, for objectives that treat them apart.
        out: folder for checkpoints, metrics and the model; a training that was stopped goes on from there.
        keep: the weights that are kept: of the best evaluation, or the last.
        console: where progress goes.

    Raises:
        InputError: on bad input, in one line.
    """
    objective, folder = objective or DPO(), Path(out)
    accelerator = make_accelerator(settings, folder)
    console = console or Console(quiet=not accelerator.is_main_process)
    if not isinstance(policy, Policy):
        policy = load_policy(policy, adapter=adapter, precision=settings.precision, seed=settings.seed)
    policy.model.to(accelerator.device)
    shape = Template(policy.tokenizer, **(template or {}))
    limits = _within(policy, limits)
    learned, measured = _parts(preferences, held_out, settings.seed)
    sets = [
        prepare(part, objective, shape, rating=rating, group=group, limits=limits, inputs=inputs, seed=settings.seed)
        for part in (learned, measured)
        if part is not None
    ]
    data, tested = sets[0], sets[1] if measured is not None else None
    notes = tuple(note for made in sets for note in made.notes)
    for note in notes:
        console.print(note, style="yellow")
    against = _other(reference, settings, accelerator) or policy
    columns = _Columns(folder, shape.fingerprint, settings.token_budget or 2048, objective.needs.tokens, accelerator)
    # Before anything is learned, the policy itself is the reference, or where drift is measured from.
    needed = objective.needs.reference
    known: ReferenceValues | None = columns.of(against, data) if needed else None
    known_tested = columns.of(against, tested) if tested is not None else None
    start = columns.of(policy, tested) if tested is not None else None
    moving = follow.kind != "fixed"
    taught_by = _taught_by(teaching)
    compared = objective.needs.divergence and teaching is None
    if compared and objective.needs.divergence == "reverse_kl" and against is policy:
        raise InputError(
            f"{type(objective).__name__} learns from other models' distributions, and a policy has nothing to learn "
            "from itself: name teachers, or a reference"
        )
    live = _live(against) if moving or compared or objective.needs.state else None
    if live is not None and (moving or objective.needs.state):
        known = LiveReference(live, follow)
    if live is not None and compared:
        teaching = Teaching([live])
    for teacher in teaching.models if teaching is not None else ():
        teacher.to(accelerator.device)
    trainer = Trainer(
        policy.model,
        objective,
        data,
        settings,
        folder,
        reference=known,
        held_out=None if tested is None else (tested, known_tested),
        teaching=teaching,
        accelerator=accelerator,
        starts_at_reference=against is policy,
        identity=f"{policy.name} {adapter} {columns.source} {data.fingerprint} {taught_by}",
        console=console,
    )
    checkpointing, budget = settings.gradient_checkpointing, trainer.budget
    console.print(estimate_memory(policy.model, budget, checkpointing=checkpointing, reference=live is not None).line())
    console.print(
        f"{len(data):,} judgments of {len(data.prompts):,} contexts, {trainer.updates:,} updates of "
        f"{settings.batch_size}, peak learning rate {trainer.peak:.2g}, reference {against.name}"
    )
    history = trainer.train()
    if keep == "best" and (best := trainer.take_best()) is not None:
        console.print(f"kept the weights after update {best:,}, the best by {settings.best_by}")
    whole = replace(policy, model=trainer.whole_policy())
    name = against.name + (", as it was before training" if against is policy else "")
    aligned = Aligned(whole, history, f"{name} ({columns.source[:12]})", folder, shape, measured, notes=notes)
    if tested is not None and known_tested is not None and start is not None:
        at_start = OptionValues(start.sums.double().numpy(), known_tested.sums.double().numpy(), tested.tokens)
        at_end = trainer.option_values(tested, known_tested)
        before, after = (estimate(values, tested.units, tested.prompt) for values in (at_start, at_end))
        aligned = replace(
            aligned,
            prompts=tested.judged_prompts,
            before=before,
            after=after,
            changes=estimate_change(at_start, at_end, tested.units, tested.prompt),
        )
    if accelerator.is_main_process:
        save_policy(whole, folder / MODEL)
    return aligned


MODEL = "model"
"""Folder, within a run's, of the policy that is kept."""


def _parts(
    preferences: Preferences, held_out: float | Preferences, seed: int
) -> tuple[Preferences, Preferences | None]:
    if isinstance(held_out, Preferences):
        return preferences, held_out
    if not 0 <= held_out < 1:
        raise InputError(f"held_out is a share of the contexts, from 0 to below 1, not {held_out:g}")
    if held_out == 0:
        return preferences, None
    parts = preferences.split(sizes=(1 - held_out, held_out), seed=seed)
    return parts.train, parts.test


def _within(policy: Policy, limits: Limits) -> Limits:
    """Limits that the model's positions allow."""
    longest = policy.longest
    if longest is None or (limits.max_tokens is not None and limits.max_tokens <= longest):
        return limits
    return replace(limits, max_tokens=longest)


def _other(reference: str | Path | Policy | None, settings: Training, accelerator: Accelerator) -> Policy | None:
    if reference is None:
        return None
    other = reference if isinstance(reference, Policy) else load_policy(reference, precision=settings.precision)
    other.model.to(accelerator.device)
    return other


def _taught_by(teaching: Teaching | None) -> str:
    """What tells teachers from others; nothing where there are none."""
    return " ".join(fingerprint(model.model) for model in teaching.models) if teaching is not None else ""


def _live(of: Policy) -> LanguageModel:
    """A frozen copy to be run along."""
    frozen = copy.deepcopy(of.model)
    return frozen.requires_grad_(False)


class _Columns:
    """Numbers of frozen models, from the cache or computed and kept; by one process first, then read by the others."""

    def __init__(self, folder: Path, template: str, budget: int, tokens: bool, accelerator: Accelerator) -> None:
        self.folder, self.template, self.budget = folder / "reference", template, budget
        self.tokens, self.accelerator = tokens, accelerator
        self.source = ""

    def of(self, policy: Policy, data: TrainingSet) -> KnownValues:
        """A policy's log-probabilities, as it is now, of all options of some data."""
        used = data.used
        trees = data.trees(used)
        with self.accelerator.main_process_first(), ReferenceCache(self.folder) as cache, self.accelerator.autocast():
            column = reference_column(
                policy.model, trees, cache, template=self.template, tokens=self.tokens, budget=self.budget
            )
        self.source = column.source
        # Columns come in the order of the options' numbers; an option that nobody judged has no value.
        sums = torch.full((len(data.options),), torch.nan)
        sums[torch.from_numpy(used)] = torch.from_numpy(column.values).float()
        if column.tokens is None:
            return KnownValues(sums, None, column.source)
        tokens = [torch.zeros(0)] * len(data.options)
        for option, values in zip(used.tolist(), column.tokens, strict=True):
            tokens[option] = torch.from_numpy(values)
        return KnownValues(sums, tokens, column.source)
