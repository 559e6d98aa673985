"""The one trainer: windows of judgments in, an aligned model out, for every objective."""

from __future__ import annotations

import json
import math
import os
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import cast

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs
from rich.console import Console
from torch import Tensor

from llull.align.checkpoints import Checkpoints
from llull.align.gathering import before_sharing, part_again, whole
from llull.align.measuring import OptionValues, as_numpy, measure
from llull.align.numerics import flushed_denormals, recompute_activations, silence_dropout
from llull.align.progress import Progress
from llull.align.references import LiveReference, ReferenceValues
from llull.align.settings import Training, suggested_rate
from llull.align.step import Ask, Known, Step, Teaching
from llull.align.training_set import MISMATCHED, TrainingSet
from llull.align.windows import MicroBatch, Share, Window, everything, micro_batches, total_updates, windows
from llull.errors import InputError
from llull.language.model import LanguageModel
from llull.language.packing import Layout
from llull.objectives import Batch, Losses, Objective, Scores
from llull.objectives.axes import Needs

METRICS = "metrics.jsonl"
"""One line of JSON for each update and each evaluation."""

_NOTED = "noted."

STEP_ZERO_TOLERANCE = {"float32": 1e-4, "bf16": 5e-2}
"""How far policy and reference may be apart before the first update, in nats per token, by precision."""


@dataclass
class History:
    """What happened in a training."""

    updates: list[dict[str, float]] = field(default_factory=list)
    """For each update: loss, accuracy, margin, gradient norm, rate, tokens, seconds."""
    evaluations: list[dict[str, float]] = field(default_factory=list)
    """For each evaluation: the update, and the metrics of `llull.align.measuring.METRICS`."""
    best: int | None = None
    """The update after which the best evaluation was made."""
    stopped: str = ""
    """Why it ended before its last update, if it did."""


class Trainer:
    """Trains a policy by an objective.

    The loss of an update is the sum over its terms of (sum of unit losses) / (count of units of the whole window), so
    that it depends neither on micro-batches nor on the number of processes.

    Args:
        policy: the model that learns.
        objective: what it learns by.
        data: the judgments.
        settings: how.
        folder: where metrics.jsonl and checkpoints go.
        reference: numbers of the reference for ``data``; None if the objective needs none.
        held_out: judgments to measure on, with their reference numbers.
        teaching: models whose distributions the objective compares the policy's with, if it does.
        accelerator: devices and processes.
        starts_at_reference: whether policy and reference are one model before the first update, which is then checked.
        identity: what must be equal for a checkpoint to be taken up, beside objective and settings.
        console: where progress goes.
    """

    def __init__(
        self,
        policy: LanguageModel,
        objective: Objective,
        data: TrainingSet,
        settings: Training,
        folder: Path,
        *,
        reference: ReferenceValues | None = None,
        held_out: tuple[TrainingSet, ReferenceValues | None] | None = None,
        teaching: Teaching | None = None,
        accelerator: Accelerator | None = None,
        starts_at_reference: bool = True,
        identity: str = "",
        console: Console | None = None,
    ) -> None:
        self.objective, self.data, self.settings, self.folder = objective, data, settings, folder
        self.reference, self.held_out, self.starts_at_reference = reference, held_out, starts_at_reference
        self.accelerator = accelerator or make_accelerator(settings, folder)
        self.console = console or Console(quiet=not self.accelerator.is_main_process)
        self.needs = objective.needs
        self.layout: Layout = policy.layout
        self.updates = total_updates(data, settings.batch_size, settings.epochs)
        self.budget = settings.token_budget or (2048 if self.accelerator.device.type == "cpu" else 16384)
        self.share = Share(self.accelerator.process_index, self.accelerator.num_processes)
        unseen = replace(settings, trackers=(), token_budget=None)
        self.identity = "\n".join([identity, objective.formula(), str(unseen)])
        self.history = History()
        if settings.gradient_checkpointing:
            recompute_activations(policy)
        silence_dropout(policy)
        self.policy = policy
        self._shell = before_sharing(policy, self.accelerator)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            objective.widen(int(policy.anatomy.text_config.hidden_size))
        self._show_everything()
        step = Step(policy, objective, teaching)
        learned = [p for p in step.parameters() if p.requires_grad]
        sizes = [sum(p.numel() for p in some) for some in (policy.parameters(), learned)]
        self.peak = settings.learning_rate or suggested_rate(*sizes)
        optimizer = torch.optim.AdamW(learned, lr=self.peak, weight_decay=settings.weight_decay, fused=True)
        self.step, self.optimizer = self.accelerator.prepare(step, optimizer)
        self.checkpoints = Checkpoints(folder / "checkpoints", self.accelerator.is_main_process)
        self.best = Checkpoints(folder / "best", self.accelerator.is_main_process)

    def train(self) -> History:
        """Train to the end, from the newest checkpoint if there is one.

        Raises:
            InputError: if policy and reference differ before the first update, if a checkpoint is of another training,
                or if the loss is no number any more.
        """
        settings = self.settings
        often = settings.evaluate_every if settings.evaluate_every is not None else max(self.updates // 10, 1)
        save_every = settings.save_every if settings.save_every is not None else often
        first = self._resume()
        with flushed_denormals(self.accelerator.device), Progress(self.console, self.updates, first) as progress:
            if first == 0:
                self._evaluate(0)
            if self.history.stopped:
                return self.history
            for window in windows(self.data, settings.batch_size, settings.epochs, settings.seed, first):
                done = window.number + 1
                figures = self._update(window)
                if isinstance(self.reference, LiveReference):
                    self.reference.after(done, self.policy)
                self.history.updates.append(figures)
                self._write("update", figures)
                progress.show(figures)
                if done == self.updates or (often and done % often == 0):
                    self._evaluate(done)
                if self._out_of_patience():
                    self.history.stopped = f"no better {settings.best_by} in {settings.patience} evaluations"
                if done == self.updates or (save_every and done % save_every == 0) or self.history.stopped:
                    self._save(done)
                if self.history.stopped:
                    break
        return self.history

    def take_best(self) -> int | None:
        """Put back the weights of the best evaluation; returns its update, or None where nothing is held out."""
        best, last = self.history.best, self.best.newest()
        if best is not None and last == best:
            self.best.load(best, self.step, self.optimizer)
        return best

    def whole_policy(self) -> LanguageModel:
        """The policy as one process alone would have it, to save or to use; all processes must ask for it together."""
        return self.policy if self._shell is None else whole(self.policy, self._shell)

    def option_values(self, data: TrainingSet, reference: ReferenceValues | None) -> OptionValues:
        """What policy and reference say of all options of some data, without gradient."""
        device = self.accelerator.device
        # Each number is written by one process, and added to zeros; some devices have no float64.
        exact = torch.float32 if device.type == "mps" else torch.float64
        found = torch.zeros(2, len(data.options), dtype=exact, device=device)
        for batch in micro_batches(data, everything(data), self.budget, layout=self.layout, share=self.share):
            if batch.idle:
                self._forward(batch, Known(), "sums")
                continue
            at = batch.packed.options.to(device)
            found[0, at] = cast(Tensor, self._forward(batch, Known(), "sums")).to(exact)
            if reference is not None:
                found[1, at] = cast(Tensor, reference.of(batch.packed, Needs(), device).reference).to(exact)
        both = as_numpy(cast(Tensor, self.accelerator.reduce(found, "sum")))
        return OptionValues(both[0], both[1], data.tokens.astype(float))

    def _show_everything(self) -> None:
        if self.needs.reference and self.reference is None:
            raise InputError("this objective compares with a reference: give the reference's log-probabilities")
        known = getattr(self.reference, "sums", None)
        start = torch.zeros(len(self.data.options)) if known is None else known
        length = torch.from_numpy(self.data.tokens).float()
        options = Scores(start, start, length, columns=self.data.columns)
        self.objective.begin(Batch(options, self.data.units))

    def _update(self, window: Window) -> dict[str, float]:
        """One update: a survey where one is asked for, losses, gradients, a step of the optimizer."""
        started = time.perf_counter()
        if self.needs.survey:
            self._survey(window)
        counts = {name: count.item() for name, count in self.objective.counts(window.units).items()}
        sums: dict[str, Tensor] = {}
        batches = list(self._batches(_without(window, MISMATCHED)))
        for place, batch in enumerate(batches):
            # Gradients of several processes meet once, at the last micro-batch.
            with self.accelerator.no_sync(self.step) if place + 1 < len(batches) else nullcontext():
                known = self._known(batch, self.data, self.reference)
                losses = cast(Losses, self._forward(batch, known, "losses"))
                loss = torch.stack([t.total / max(counts[name], 1e-12) for name, t in losses.terms.items()]).sum()
                # Wrappers take the mean over processes of what is to be a sum.
                self.accelerator.backward(loss * self.share.of)
            _add(sums, {_NOTED + name: value for name, value in losses.noted.items()})
            _add(sums, _figures(loss, losses, batch))
            if window.number == 0 and self.starts_at_reference and known.reference is not None:
                self._check_start(batch, known.reference)
        norm = self.accelerator.clip_grad_norm_(self.step.parameters(), self.settings.max_grad_norm)
        if not math.isfinite(float(cast(Tensor, norm))):
            raise InputError(
                f"update {window.number + 1}: the gradient is no finite number any more; lower learning_rate"
            )
        rate = self.settings.rate(window.number, self.updates, self.peak)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        total = cast(dict[str, Tensor], self.accelerator.reduce(sums, "sum"))
        noted = {name: value for name, value in total.items() if name.startswith(_NOTED)}
        self.objective.update({name.removeprefix(_NOTED): value for name, value in noted.items()})
        figures = {"update": window.number + 1, "loss": total["loss"].item(), "judgments": counts["main"]}
        if total["decided"].item() > 0:
            figures["accuracy"] = (total["right"] / total["decided"]).item()
            figures["margin"] = (total["gap"] / total["decided"]).item()
        figures |= {"gradient_norm": float(cast(Tensor, norm)), "rate": rate, "tokens": total["tokens"].item()}
        return figures | {"seconds": time.perf_counter() - started}

    def _survey(self, window: Window) -> None:
        only = {name: units for name, units in window.units.items() if name == MISMATCHED} or window.units
        sums: dict[str, Tensor] = {}
        for batch in self._batches(replace(window, units=only)):
            _add(
                sums,
                cast(dict[str, Tensor], self._forward(batch, self._known(batch, self.data, self.reference), "survey")),
            )
        self.objective.settle(cast(dict[str, Tensor], self.accelerator.reduce(sums, "sum")))

    def _batches(self, window: Window) -> list[MicroBatch]:
        return list(micro_batches(self.data, window, self.budget, layout=self.layout, share=self.share))

    def _known(self, batch: MicroBatch, data: TrainingSet, reference: ReferenceValues | None) -> Known:
        device, at = self.accelerator.device, batch.packed.options
        with self.accelerator.autocast():
            known = Known() if reference is None else reference.of(batch.packed, self.needs, device)
        return replace(known, columns=data.columns_of(at, device), inside=data.inside_of(at, device))

    def _forward(self, batch: MicroBatch, known: Known, ask: Ask) -> object:
        learning = ask == "losses" and torch.is_grad_enabled()
        with self.accelerator.autocast(), torch.set_grad_enabled(learning):
            found = self.step(batch, known, ask)
        if not learning:
            part_again(self.step)
        return found

    def _check_start(self, batch: MicroBatch, reference: Tensor) -> None:
        sums = cast(Tensor, self._forward(batch, Known(), "sums"))
        length = torch.from_numpy(self.data.tokens)[batch.packed.options].to(sums)
        apart = 0.0 if batch.idle else ((sums - reference).abs() / length.clamp(min=1)).max().item()
        if apart > STEP_ZERO_TOLERANCE[self.settings.precision]:
            raise InputError(
                f"before the first update policy and reference differ by {apart:.2g} nats per token; the reference's "
                f"numbers ({getattr(self.reference, 'fingerprint', 'a live model')}) are of another model, adapter, "
                "tokenizer, template or precision: compute them anew, or name the reference with --reference"
            )

    def _evaluate(self, done: int) -> None:
        if self.held_out is None:
            return
        data, reference = self.held_out
        figures = {"update": float(done), **measure(self.option_values(data, reference), data.units)}
        # What an objective remembers of its training judgments says nothing of others.
        if not self.needs.survey and not list(self.objective.buffers()):
            figures["loss"] = self._held_out_loss(data, reference)
        by, sign = self.settings.best_by, -1 if self.settings.best_by == "loss" else 1
        if by not in figures:
            raise InputError(f"there is no metric {by!r} to keep the best weights by; there are {', '.join(figures)}")
        earlier = [sign * e[by] for e in self.history.evaluations if e["update"] > 0]
        self.history.evaluations.append(figures)
        self._write("evaluation", figures)
        if done and (not earlier or sign * figures[by] > max(earlier)):
            self.history.best = done
            self.best.save(done, self.step, self.optimizer, {})

    def _held_out_loss(self, data: TrainingSet, reference: ReferenceValues | None) -> float:
        window = Window(0, {"main": data.units["main"]})
        total = torch.zeros((), device=self.accelerator.device)
        for batch in micro_batches(data, window, self.budget, layout=self.layout, share=self.share):
            with torch.no_grad():
                losses = cast(Losses, self._forward(batch, self._known(batch, data, reference), "losses"))
            total += losses.terms["main"].total
        return (cast(Tensor, self.accelerator.reduce(total, "sum")) / data.units["main"].count).item()

    def _out_of_patience(self) -> bool:
        if self.settings.patience is None or self.history.best is None:
            return False
        return sum(e["update"] > self.history.best for e in self.history.evaluations) >= self.settings.patience

    def _save(self, done: int) -> None:
        facts = {"identity": self.identity, "history": asdict(self.history)}
        beside = self.reference.state() if isinstance(self.reference, LiveReference) else {}
        self.checkpoints.save(done, self.step, self.optimizer, facts, beside)

    def _resume(self) -> int:
        newest = self.checkpoints.newest()
        metrics = self.folder / METRICS
        if newest is None:
            if self.accelerator.is_main_process:
                metrics.unlink(missing_ok=True)
            return 0
        facts = self.checkpoints.facts(newest)
        if facts["identity"] != self.identity:
            raise InputError(
                f"{self.checkpoints.path} is of a training with other data, model, objective or settings; name another "
                "folder with --out, or remove this one"
            )
        beside = self.checkpoints.load(newest, self.step, self.optimizer)
        if isinstance(self.reference, LiveReference):
            self.reference.put_back(beside)
        self.history = History(**facts["history"])
        if self.accelerator.is_main_process:
            # Lines of updates after the checkpoint will be written again.
            kept = [line for line in metrics.read_text().splitlines() if json.loads(line)["update"] <= newest]
            metrics.write_text("".join(line + "\n" for line in kept))
        self.console.print(f"going on after update {newest:,} of {self.updates:,}")
        return newest

    def _write(self, kind: str, figures: dict[str, float]) -> None:
        self.accelerator.log({f"{kind}/{name}": v for name, v in figures.items()}, step=int(figures["update"]))
        if self.accelerator.is_main_process:
            self.folder.mkdir(parents=True, exist_ok=True)
            with open(self.folder / METRICS, "a", encoding="utf-8") as lines:
                lines.write(json.dumps({"kind": kind, **figures}) + "\n")


def make_accelerator(settings: Training, folder: Path) -> Accelerator:
    """Processes, devices, precision and trackers, as accelerate finds and the settings ask.

    Raises:
        InputError: if several processes were started and accelerate does not join them.
    """
    # Accelerate keeps the state of a program's first accelerator; a program may do several trainings.
    AcceleratorState._reset_state(reset_partial_state=True)
    accelerator = Accelerator(
        mixed_precision="bf16" if settings.precision == "bf16" else "no",
        log_with=list(settings.trackers) or None,
        project_dir=folder,
        # What objectives remember is summed over all processes, so it is the same in each.
        kwargs_handlers=[DistributedDataParallelKwargs(broadcast_buffers=False)],
    )
    started = int(os.environ.get("WORLD_SIZE", "1"))
    if accelerator.num_processes != started:
        raise InputError(
            f"{started} processes were started and each would train alone; start them with accelerate launch, and on "
            "CPUs set ACCELERATE_USE_CPU=true"
        )
    if settings.trackers:
        accelerator.init_trackers("llull")
    return accelerator


def _without(window: Window, name: str) -> Window:
    return replace(window, units={key: units for key, units in window.units.items() if key != name})


def _add(sums: dict[str, Tensor], more: dict[str, Tensor]) -> None:
    for name, value in more.items():
        sums[name] = sums[name] + value.detach() if name in sums else value.detach()


def _figures(loss: Tensor, losses: Losses, batch: MicroBatch) -> dict[str, Tensor]:
    """Sums to log: the loss, tokens that went through the model, and of pairs the count, the right ones and the gap."""
    figures = {"loss": loss.detach(), "tokens": loss.new_tensor(0.0 if batch.idle else len(batch.packed))}
    zero = loss.new_zeros(())
    if losses.gaps is None:
        return figures | {"decided": zero, "right": zero, "gap": zero}
    weight = batch.units["main"].weight.to(losses.gaps)
    wins = (losses.gaps > 0).to(weight) + 0.5 * (losses.gaps == 0).to(weight)
    return figures | {"decided": weight.sum(), "right": (weight * wins).sum(), "gap": (weight * losses.gaps).sum()}
