"""``llull fit DATA --features.lm MODEL``: a reward model trained end to end, measured and reported as any other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from rich.console import Console

from llull.errors import InputError
from llull.evaluate import Evaluation
from llull.evaluate.comparison import compared
from llull.evaluate.validation import fold_of_judgments
from llull.judgments import Preferences
from llull.judgments.describing import Description
from llull.judgments.diagnosing import Problem
from llull.models.heads import Head
from llull.models.links import Link
from llull.models.populations import Population
from llull.report import Report, write_report
from llull.runs.content import metrics, reproduction, save_measured, title
from llull.runs.folder import METRICS, MODEL, REPORT, RunFolder
from llull.runs.printing import problems_table

if TYPE_CHECKING:
    from llull.align.policies import Adapter
    from llull.align.settings import Training


@dataclass(frozen=True)
class Composition:
    """What stands above the states of a language model; None for what a preference model has if nothing is said."""

    head: Head | None = None
    link: Link | None = None
    population: Population | None = None
    l2: float | None = None


@dataclass(frozen=True)
class Lora:
    """Low-rank adapters instead of all weights.

    Args:
        rank: of the matrices that are learned.
        alpha: their product is scaled by alpha / rank; twice the rank if not given.
        quantized: keep the frozen weights in 4 bits.
    """

    rank: int = 16
    alpha: float | None = None
    quantized: bool = False

    def adapter(self) -> Adapter:
        """As the trainer takes it."""
        from llull.align.policies import Adapter

        alpha = 2.0 * self.rank if self.alpha is None else self.alpha
        return Adapter(self.rank, alpha, quantized=self.quantized)


@dataclass(frozen=True)
class LearnedFeatures:
    """Features that are learned together with what is made of them: a language model with a reward head.

    Args:
        lm: folder or hub name of the causal language model to start from.
        lora: learn low-rank adapters instead of all weights.
        head: what makes a reward of a hidden state. Like margin and centering it is of a reward model alone: what else
            may stand above the states is named by --model.
        margin: strength: an option judged much better has to lead by more, where strengths are known.
        centering: weight of the term that holds rewards around zero.
        epochs: how often each judgment is seen.
        batch_size: judgments of one update.
        learning_rate: by the size of the model if not given.
        max_tokens: of a context and one option together; judgments of longer ones are left out.
        precision: of the arithmetic.
        gradient_checkpointing: compute activations twice instead of keeping them.
    """

    lm: str
    lora: Lora | None = None
    head: Literal["linear", "mlp"] = "linear"
    margin: Literal["none", "strength"] = "none"
    centering: float = 0.01
    epochs: float = 1.0
    batch_size: int = 64
    learning_rate: float | None = None
    max_tokens: int = 1024
    precision: Literal["float32", "bf16"] = "float32"
    gradient_checkpointing: bool = False


def run(
    preferences: Preferences,
    features: LearnedFeatures,
    folder: RunFolder,
    *,
    by: list[str] | None = None,
    rating: str | None = None,
    folds: int = 5,
    seed: int = 0,
    console: Console | None = None,
) -> RunFolder:
    """Train a reward model on all folds but one, measure it on that one, and write a report.

    The model that is kept is the one that was measured.

    Args:
        preferences: the judgments.
        features: the language model and how it learns.
        folder: of the run.
        by: groups, columns or tags to measure by.
        rating: for data that rates instead of ranking: the aspect whose higher value is preferred.
        folds: one of so many parts of the contexts is held out.
        seed: of all randomness.
        console: where progress goes.
    """
    from llull.align.inputs import Limits
    from llull.align.reward_fitting import fit_reward_model
    from llull.objectives.presets.rewards import BradleyTerryReward

    console = console or Console()
    begun = _Begun.of(preferences, rating, folds, seed, console)
    fitted = fit_reward_model(
        begun.train,
        features.lm,
        head=features.head,
        objective=BradleyTerryReward(features.margin, centering=features.centering),
        settings=_training(features, len(begun.train), seed),
        adapter=None if features.lora is None else features.lora.adapter(),
        held_out=begun.held_out,
        by=by or (),
        limits=Limits(features.max_tokens),
        out=folder.path,
        console=console,
    )
    evaluation = fitted.evaluation
    assert evaluation is not None
    return _written(folder, begun, [evaluation], "the reward model", console)


def run_composed(
    preferences: Preferences,
    parts: Composition,
    features: LearnedFeatures,
    folder: RunFolder,
    *,
    by: list[str] | None = None,
    rating: str | None = None,
    folds: int = 5,
    seed: int = 0,
    console: Console | None = None,
) -> RunFolder:
    """Train a language model under a preference model's other parts, measure both on one fold, and write a report.

    Beside it is measured the same preference model above the language model as it was.

    Args:
        preferences: the judgments.
        parts: what stands above the hidden states.
        features: the language model and how it learns.
        folder: of the run.
        by: groups, columns or tags to measure by.
        rating: for data that rates instead of ranking: the aspect whose higher value is preferred.
        folds: one of so many parts of the contexts is held out.
        seed: of all randomness.
        console: where progress goes.
    """
    from llull.align.reward_composed import LANGUAGE, fit_composed

    if (features.head, features.margin, features.centering) != ("linear", "none", LearnedFeatures("").centering):
        raise InputError(
            "head, margin and centering of --features are of a reward model: use --model.head, --model.link"
        )
    console = console or Console()
    begun = _Begun.of(preferences, rating, folds, seed, console)
    fitted = fit_composed(
        begun.train,
        features.lm,
        head=parts.head,
        link=parts.link,
        population=parts.population,
        l2=parts.l2,
        settings=_training(features, len(begun.train), seed),
        adapter=None if features.lora is None else features.lora.adapter(),
        held_out=begun.held_out,
        by=by or (),
        max_tokens=features.max_tokens,
        out=folder.path,
        console=console,
    )
    evaluations = [each for each in (fitted.evaluation, fitted.frozen_evaluation) if each is not None]
    kept = f"the preference model, above the language model in {folder.path / LANGUAGE},"
    return _written(folder, begun, evaluations, kept, console)


@dataclass(frozen=True)
class _Begun:
    """Judgments described, and cut into what is learned from and what is measured on."""

    preferences: Preferences
    description: Description
    problems: list[Problem]
    train: Preferences
    held_out: Preferences
    at: np.ndarray
    """Which pairs of all are held out."""

    @classmethod
    def of(cls, preferences: Preferences, rating: str | None, folds: int, seed: int, console: Console) -> _Begun:
        description, problems = preferences.describe(), preferences.problems()
        console.print(problems_table(problems))
        judged = preferences.paired_by(rating, seed=seed) if rating else preferences
        fold = fold_of_judgments(judged, folds, seed)
        at = np.flatnonzero(fold[judged.pairs().judgment] == 0)
        return cls(preferences, description, problems, judged.select(fold != 0), judged.select(fold == 0), at)


def _training(features: LearnedFeatures, judgments: int, seed: int) -> Training:
    from llull.align.settings import Training

    return Training(
        batch_size=features.batch_size,
        epochs=features.epochs,
        learning_rate=features.learning_rate,
        precision=features.precision,
        gradient_checkpointing=features.gradient_checkpointing,
        # The held-out fold chooses nothing, so that it is measured at both ends only.
        evaluate_every=0,
        save_every=max(round(judgments * features.epochs / features.batch_size / 10), 1),
        seed=seed,
    )


def _written(folder: RunFolder, begun: _Begun, evaluations: list[Evaluation], what: str, console: Console) -> RunFolder:
    for evaluation in evaluations:
        console.print(evaluation.table())
    comparison = compared(evaluations)
    if len(evaluations) > 1:
        console.print(comparison.table())
    save_measured(folder, begun.train, evaluations, at=begun.at)
    folder.write_json(METRICS, metrics(comparison, None, (), "", begun.description, begun.problems))
    report = Report(
        title=title(folder),
        evaluations=evaluations,
        description=begun.description,
        reading=begun.preferences.reading,
        problems=begun.problems,
        reproduction=reproduction(folder),
    )
    path = write_report(folder.path / REPORT, report)
    console.print(f"wrote {path}, {folder.path / METRICS} and {what} in {folder.path / MODEL}")
    return folder
