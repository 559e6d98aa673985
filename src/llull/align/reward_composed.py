"""Preference models of any head, link and population, fitted end to end above a language model."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from llull.align.inputs import Limits
from llull.align.memory import estimate_memory
from llull.align.policies import Adapter, load_policy
from llull.align.preparing import prepare
from llull.align.reward_fitting import MODEL, parts_of, with_rate
from llull.align.reward_heads import LinearHead
from llull.align.reward_model import RewardModel
from llull.align.reward_people import Above, PeopleReward
from llull.align.settings import Training
from llull.align.trainer import History, Trainer, make_accelerator
from llull.encoders import HiddenStates
from llull.errors import InputError
from llull.evaluate import Evaluation, evaluate
from llull.judgments import Preferences
from llull.language.anatomy import Anatomy
from llull.language.loading import without_bars
from llull.language.model import LanguageModel
from llull.language.templates import Template
from llull.models import PreferenceModel
from llull.models.heads import Head
from llull.models.links import Link
from llull.models.populations import Population
from llull.objectives.batch import MAIN

LANGUAGE = "language"
"""The folder of the trained language model within that of its run."""


@dataclass(frozen=True)
class FittedComposition:
    """A preference model above a language model that was trained with it."""

    model: PreferenceModel
    """Over the states of the trained language model: it predicts, adapts to new people and saves like any other."""
    frozen: PreferenceModel
    """The same composition over the states of the model that the training started from."""
    objective: PeopleReward
    history: History
    evaluation: Evaluation | None
    """On held-out contexts; None where nothing is held out."""
    frozen_evaluation: Evaluation | None
    train: Preferences
    held_out: Preferences | None
    folder: Path
    notes: tuple[str, ...] = ()
    """What was cut."""


def fit_composed(
    preferences: Preferences,
    model: str | Path,
    *,
    head: Head | None = None,
    link: Link | None = None,
    population: Population | None = None,
    l2: float | None = None,
    settings: Training = Training(),
    adapter: Adapter | None = None,
    rate_above: float = 1e-2,
    held_out: float | Preferences = 0.2,
    by: Sequence[str] = (),
    max_tokens: int = 1024,
    rating: str | None = None,
    out: str | Path = "runs/reward",
    console: Console | None = None,
) -> FittedComposition:
    """Fit head x link x population and the language model whose hidden states are their features, all together.

    It begins with a fit to the states of the model as it is, which takes seconds. From there the language model and
    everything above it learn by one trainer, on the loss of `llull.align.reward_people.PeopleReward`. In the end the
    language model is kept as it is and the rest is fitted once more to its states, to the optimum: so the model that
    comes out knows its uncertainty, and adapts to people who were not there. Sets of judgments are first read by an
    encoder (`VariationalUsers`) in this last fit; before, everyone's latents are learned one by one. Contexts, where
    something reads them, are the model's states at their ends, those of the beginning while it learns.

    Args:
        preferences: the judgments.
        model: folder or hub name of a causal language model to start from.
        head: Linear if not given.
        link: Logistic if not given.
        population: Shared if not given.
        l2: strength of the penalty on shared weights; 1 in the training, and chosen in both fits, if not given.
        settings: how it is trained; without a rate, twenty times that of a policy, at most 1e-3.
        adapter: learn low-rank adapters instead of all weights; they are merged when the model is saved.
        rate_above: learning rate of everything above the states.
        held_out: share of the contexts to measure on, or judgments of their own; 0 for none.
        by: groups, columns or tags to measure by.
        max_tokens: of a context and one option together; longer contexts are cut at their beginning to half of it, and
            longer options at their end.
        rating: for data that rates instead of ranking: the aspect by which options are paired.
        out: folder for checkpoints, metrics, the language model, in ``language``, and the preference model, in
            ``model``; a training that was stopped goes on from there.
        console: where progress goes.

    Raises:
        InputError: on bad input, in one line.
    """
    if adapter is not None and adapter.quantized:
        raise InputError("a preference model above quantized weights cannot be saved; leave quantized out")
    if not rate_above > 0:
        raise InputError(f"rate_above={rate_above:g} is no rate; give a number above 0")
    folder = Path(out)
    accelerator = make_accelerator(settings, folder)
    console = console or Console(quiet=not accelerator.is_main_process)
    learned, measured = parts_of(preferences, held_out, settings.seed)
    if rating is not None:
        learned = learned.paired_by(rating, seed=settings.seed)
        measured = None if measured is None else measured.paired_by(rating, seed=settings.seed)

    def composed(states: HiddenStates) -> PreferenceModel:
        return PreferenceModel(states, head, link, population, l2=l2, seed=settings.seed)

    console.print("fitting to the states of the model as it is")
    frozen = composed(HiddenStates(str(model), max_tokens=max_tokens, cache=False)).fit(learned)
    torch.manual_seed(settings.seed)
    start = load_policy(model, adapter=adapter, precision=settings.precision, seed=settings.seed)
    start.model.to(accelerator.device)
    reading = StatesOnly(start.model.model)
    settings = with_rate(settings, reading)
    assert settings.learning_rate is not None

    limits = Limits(max_tokens, max_tokens // 2, "option_right")
    pairs = frozen.pairs(learned)
    used = frozen.link.keep(pairs) & (pairs.weight > 0)
    votes = frozen.votes(pairs.select(used))
    above = Above(
        frozen.head,
        frozen.link,
        frozen.population,
        faster=max(rate_above / settings.learning_rate, 1.0),
        l2=1.0 if l2 is None else l2,
        seed=settings.seed,
    )
    begin = frozen
    if frozen.parts_.shared is None and frozen.population.weights_are == "own":
        # What its members learned below their weights may differ, so they begin where all together do.
        begin = PreferenceModel(frozen.features, head, link, l2=l2, seed=settings.seed).fit(learned)
    objective = PeopleReward(above, begin.parts_, begin.scaling_, votes)
    data = prepare(learned, objective, Template(start.tokenizer), group=frozen.population.group_key, limits=limits)
    kept = torch.from_numpy(used)
    units = data.units[MAIN].select(kept)
    units = replace(units, index=torch.arange(len(votes)), weight=torch.from_numpy(votes.weight).float())
    data = replace(data, units={MAIN: units})
    for note in data.notes:
        console.print(note, style="yellow")
    budget = settings.token_budget or 2048
    console.print(estimate_memory(reading, budget, checkpointing=settings.gradient_checkpointing).line())
    trainer = Trainer(
        reading,
        objective,
        data,
        settings,
        folder,
        accelerator=accelerator,
        identity=f"composed {model} {adapter} {above} {max_tokens} {data.fingerprint}",
        console=console,
    )
    console.print(
        f"{len(data):,} pairs, {trainer.updates:,} updates of {settings.batch_size}, peak rate {trainer.peak:.2g}"
    )
    history = trainer.train()
    trained = trainer.whole_policy().eval()
    if accelerator.is_main_process:
        _save_language(trained, start.tokenizer, folder / LANGUAGE)
    accelerator.wait_for_everyone()
    console.print("fitting to the states of the trained model")
    fitted = composed(HiddenStates(str(folder / LANGUAGE), max_tokens=max_tokens, cache=False)).fit(learned)
    if accelerator.is_main_process:
        fitted.save(folder / MODEL)
    evaluation, before = None, None
    if measured is not None:
        name = f"{type(frozen.population).__name__} above {Path(start.name).name}"
        evaluation = evaluate(fitted, measured, by=by, train=learned, name=f"{name}, end to end")
        before = evaluate(frozen, measured, by=by, train=learned, name=f"{name}, frozen")
    return FittedComposition(
        fitted, frozen, objective, history, evaluation, before, learned, measured, folder, data.notes
    )


def _save_language(model: LanguageModel, tokenizer: Any, folder: Path) -> None:
    inner: Any = model.model
    if hasattr(inner, "merge_and_unload"):
        # A copy, as what was trained may be trained on.
        inner = copy.deepcopy(inner).merge_and_unload()
    with without_bars():
        inner.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


class StatesOnly(RewardModel):
    """A language model whose hidden states are read and whose rewards are not: its head never learns.

    Args:
        model: as in `RewardModel`.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__(model, _silent(model))


def _silent(model: torch.nn.Module) -> LinearHead:
    head = LinearHead(int(Anatomy(model).text_config.hidden_size))
    return head.requires_grad_(False)
