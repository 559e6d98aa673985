"""The whole of fitting a reward model: load, make tokens, train, measure on held-out contexts, save."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from rich.console import Console

from llull.align.inputs import Limits
from llull.align.memory import estimate_memory
from llull.align.option_scoring import encode_options
from llull.align.policies import Adapter, load_policy
from llull.align.preparing import prepare
from llull.align.reward_heads import make_head
from llull.align.reward_model import RewardModel
from llull.align.reward_saving import SavedReward, probe_of, save_reward_model
from llull.align.settings import Training, suggested_rate
from llull.align.trainer import History, Trainer, make_accelerator
from llull.errors import InputError
from llull.evaluate import Evaluation, evaluate
from llull.judgments import Preferences
from llull.judgments.views import Pairs
from llull.language.templates import Template
from llull.objectives import Objective
from llull.objectives.axes import PairLink
from llull.objectives.presets.rewards import BradleyTerryReward

MODEL = "model"
"""The folder of the reward model within that of its run."""

_STEEPER = 20
"""A reward model takes about twenty times the rate of a policy: 1e-5 at 8e9 parameters is what peers use."""


@dataclass(frozen=True)
class FittedReward:
    """A reward model after its training, and how good it is; `llull.evaluate.evaluate` takes it as it is."""

    reward: SavedReward
    objective: Objective
    history: History
    evaluation: Evaluation | None
    """On held-out contexts; None where nothing is held out."""
    train: Preferences
    held_out: Preferences | None
    folder: Path
    limits: Limits
    notes: tuple[str, ...] = ()
    """What was cut and left out."""

    @property
    def template(self) -> Template:
        """How conversations become text."""
        return Template(self.reward.tokenizer, **self.reward.template)

    def pairs(self, preferences: Preferences) -> Pairs:
        """The pairs of these judgments."""
        return preferences.pairs()

    def rewards(self, pairs: Pairs) -> np.ndarray:
        """float64 [number of options]: the reward of each of the pairs' options; NaN where it was too long."""
        encoded = encode_options(pairs.options, self.template, self.limits)
        found = np.full(len(encoded.kept), np.nan)
        found[encoded.kept] = self.reward.model.rewards(encoded.trees).double().numpy()
        return found

    def prob(self, pairs: Pairs) -> np.ndarray:
        """float64 [n], probability that ``pairs.winner`` is preferred, ties counting half; 0.5 where it cannot tell."""
        rewards = torch.from_numpy(self.rewards(pairs))
        winner, loser = rewards[pairs.winner], rewards[pairs.loser]
        link = self.objective.link
        assert isinstance(link, PairLink)
        with torch.no_grad():
            straight, turned = torch.exp(-link(winner, loser)), torch.exp(-link(loser, winner))
        prob = straight + (1 - straight - turned) / 2
        return torch.where(prob.isnan(), 0.5, prob).clamp(0, 1).numpy()


def fit_reward_model(
    preferences: Preferences,
    model: str | Path,
    *,
    head: str = "linear",
    objective: Objective | None = None,
    settings: Training = Training(),
    adapter: Adapter | None = None,
    held_out: float | Preferences = 0.2,
    by: Sequence[str] = (),
    limits: Limits = Limits(),
    template: Mapping[str, Any] | None = None,
    rating: str | None = None,
    group: str | None = None,
    out: str | Path = "runs/reward",
    console: Console | None = None,
) -> FittedReward:
    """Fit a reward model to judgments, end to end, measure it and save it.

    The weights of the last update are kept, so that the held-out judgments choose nothing and their numbers flatter
    nothing.

    Args:
        preferences: the judgments.
        model: folder or hub name of a causal language model to start from.
        head: a name in `llull.align.reward_heads.HEADS`.
        objective: one of pairs that reads rewards; `BradleyTerryReward` if not given.
        settings: how it is trained; without a rate, twenty times that of a policy, at most 1e-3.
        adapter: learn low-rank adapters and the head instead of all weights; they are merged when the model is saved.
        held_out: share of the contexts to measure on, or judgments of their own; 0 for none.
        by: groups, columns or tags to measure by.
        limits: of tokens, and what is done beyond them.
        template: arguments of `llull.language.templates.Template`.
        rating: for data that rates instead of ranking: the aspect by which options are paired.
        group: a key for groups of judgments, for objectives that treat them apart.
        out: folder for checkpoints, metrics and, in ``model``, the reward model; a training that was stopped goes on
            from there.
        console: where progress goes.

    Returns:
        The model and its numbers.

    Raises:
        InputError: on bad input, in one line.
    """
    objective = objective or BradleyTerryReward()
    if objective.needs.reference or not isinstance(objective.link, PairLink):
        raise InputError(f"{type(objective).__name__} does not train rewards of pairs: use BradleyTerryReward")
    if adapter is not None and adapter.quantized and head != "linear":
        raise InputError(f"on quantized weights only a linear head can be saved, not {head}")
    folder = Path(out)
    accelerator = make_accelerator(settings, folder)
    console = console or Console(quiet=not accelerator.is_main_process)
    torch.manual_seed(settings.seed)
    start = load_policy(model, adapter=adapter, precision=settings.precision, seed=settings.seed)
    start.model.to(accelerator.device)
    width = int(start.model.anatomy.text_config.hidden_size)
    rewarding = RewardModel(start.model.model, make_head(head, width, seed=settings.seed))
    reward = SavedReward(rewarding, start.tokenizer, start.name, dict(template or {}))
    shape = Template(start.tokenizer, **reward.template)

    learned, measured = parts_of(preferences, held_out, settings.seed)
    if rating is not None:
        learned = learned.paired_by(rating, seed=settings.seed)
        measured = None if measured is None else measured.paired_by(rating, seed=settings.seed)
    data = prepare(learned, objective, shape, group=group, limits=limits, seed=settings.seed)
    tested = None
    if measured is not None:
        tested = prepare(measured, objective, shape, group=group, limits=limits, seed=settings.seed)
    notes = (*data.notes, *(f"held out: {note}" for note in (tested.notes if tested else ())))
    for note in notes:
        console.print(note, style="yellow")
    settings = with_rate(settings, rewarding)
    budget = settings.token_budget or 2048
    console.print(estimate_memory(rewarding, budget, checkpointing=settings.gradient_checkpointing).line())
    trainer = Trainer(
        rewarding,
        objective,
        data,
        settings,
        folder,
        held_out=None if tested is None else (tested, None),
        accelerator=accelerator,
        identity=f"reward {model} {head} {adapter} {shape.fingerprint} {data.fingerprint}",
        console=console,
    )
    console.print(
        f"{len(data):,} judgments, {trainer.updates:,} updates of {settings.batch_size}, peak rate {trainer.peak:.2g}"
    )
    history = trainer.train()
    reward = replace(reward, model=cast(RewardModel, trainer.whole_policy()).eval())
    fitted = FittedReward(reward, objective, history, None, learned, measured, folder, limits, notes)
    if accelerator.is_main_process:
        save_reward_model(reward, folder / MODEL, probe_of(data.prompts, data.options, data.prompt))
    if measured is None:
        return fitted
    name = f"a reward model on {start.name}"
    return replace(fitted, evaluation=evaluate(fitted, measured, by=by, train=learned, name=name))


def with_rate(settings: Training, model: RewardModel) -> Training:
    """The settings with a rate: the one they name, or one that suits the model's size."""
    if settings.learning_rate is not None:
        return settings
    sizes = [sum(p.numel() for p in model.parameters() if every or p.requires_grad) for every in (True, False)]
    return replace(settings, learning_rate=min(_STEEPER * suggested_rate(*sizes), 1e-3))


def parts_of(
    preferences: Preferences, held_out: float | Preferences, seed: int
) -> tuple[Preferences, Preferences | None]:
    """What to learn from and what to measure on, cut by context where a share is given; None for nothing held out."""
    if isinstance(held_out, Preferences):
        return preferences, held_out
    if not 0 <= held_out < 1:
        raise InputError(f"held_out is a share of the contexts, from 0 to below 1, not {held_out:g}")
    if held_out == 0:
        return preferences, None
    cut = preferences.split(sizes=(1 - held_out, held_out), seed=seed)
    return cut.train, cut.test
