"""Measuring a preference model on judgments that it was not fitted on."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Protocol, Self

import numpy as np
import pyarrow as pa

from llull.evaluate.baselines import Baseline, trivial_baselines
from llull.evaluate.evaluation import Evaluation, Predictions
from llull.evaluate.intervals import LEVEL
from llull.evaluate.scoring import cluster_noun, clusters, held_out_noun, measure, pair_labels
from llull.judgments import Preferences
from llull.judgments.splitting import folds as cut_folds
from llull.judgments.views import Pairs


class Fitted(Protocol):
    """What `evaluate` asks of a model that has been fitted."""

    def pairs(self, preferences: Preferences) -> Pairs:
        """The pairs of these judgments, as the model reads them."""
        ...

    def prob(self, pairs: Pairs) -> np.ndarray:
        """float64 [n], probability that ``pairs.winner`` is preferred to ``pairs.loser``."""
        ...


class Predictor(Fitted, Protocol):
    """What `cross_validate` asks of a preference model, which it fits itself."""

    def fit(self, preferences: Preferences) -> Self:
        """Learn from judgments, forgetting what was learned before."""
        ...


def evaluate(
    model: Fitted,
    preferences: Preferences,
    *,
    by: Sequence[str] = (),
    train: Preferences | None = None,
    baselines: Sequence[Baseline] | None = None,
    name: str | None = None,
    level: float = LEVEL,
) -> Evaluation:
    """Measure a fitted model on judgments held out from its fit.

    Args:
        model: fitted already.
        preferences: what it was not fitted on.
        by: groups, columns or tags to part the pairs by.
        train: what rules that need training (majority source) learn from; without it they are left out.
        baselines: rules to set beside the model; by default all of `trivial_baselines`.
        name: what to call the model.
        level: of the intervals.

    Raises:
        InputError: there are no pairs, or no judgment has one of the keys ``by``.
    """
    pairs = model.pairs(preferences)
    rules = trivial_baselines() if baselines is None else tuple(baselines)
    if train is None:
        rules = tuple(rule for rule in rules if not rule.learns)
    choices = {rule.name: (rule if train is None else rule.fit(train)).prob(pairs) for rule in rules}
    predictions = Predictions(
        pairs=pairs,
        prob=np.asarray(model.prob(pairs), np.float64),
        fold=np.zeros(len(pairs), np.int32),
        cluster=clusters(preferences)[pairs.judgment],
        labels=pair_labels(preferences, pairs, by),
        rules=choices,
        clustered_by=cluster_noun(preferences),
    )
    return measure(predictions, model=name or model_name(model), protocol="held-out judgments", level=level)


def cross_validate(
    model: Predictor,
    preferences: Preferences,
    *,
    folds: int = 5,
    by: Sequence[str] = (),
    seed: int = 0,
    baselines: Sequence[Baseline] | None = None,
    name: str | None = None,
    level: float = LEVEL,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Measure a kind of model by fitting it on all folds but one and predicting that one, for each fold.

    Whole contexts are held out, so that a model is never asked about a context that it has seen. The model given
    is not changed; a copy is fitted to each fold.

    Args:
        model: fitted or not; what it learned is not used.
        preferences: the judgments.
        folds: how many.
        by: groups, columns or tags to part the pairs by.
        seed: of the folds.
        baselines: rules to set beside the model; by default all of `trivial_baselines`.
        name: what to call the model.
        level: of the intervals.
        progress: called with the number of folds done and of all folds.

    Raises:
        InputError: there are too few contexts or no pairs, or no judgment has one of the keys ``by``.
    """
    model = apart(model)
    pairs = model.pairs(preferences)
    labels = pair_labels(preferences, pairs, by)
    rules = trivial_baselines() if baselines is None else tuple(baselines)
    held_out_in = fold_of_judgments(preferences, folds, seed)
    fold = held_out_in[pairs.judgment].astype(np.int32)
    prob = np.full(len(pairs), np.nan)
    choices = {rule.name: np.full(len(pairs), np.nan) if rule.learns else rule.prob(pairs) for rule in rules}
    learning = [rule for rule in rules if rule.learns]
    for number in range(folds):
        train = preferences.select(held_out_in != number)
        test = preferences.select(held_out_in == number)
        at = np.flatnonzero(fold == number)
        prob[at] = _predict(model.fit(train), test, len(at))
        for rule in learning:
            choices[rule.name][at] = rule.fit(train).prob(pairs.select(at))
        if progress:
            progress(number + 1, folds)
    predictions = Predictions(
        pairs, prob, fold, clusters(preferences)[pairs.judgment], labels, choices, cluster_noun(preferences)
    )
    protocol = f"{folds}-fold cross-validation, {held_out_noun(preferences)} held out"
    return measure(predictions, model=name or model_name(model), protocol=protocol, level=level)


def fold_of_judgments(preferences: Preferences, folds: int, seed: int) -> np.ndarray:
    """int64 [number of judgments]: the fold that holds each judgment out (see `llull.judgments.splitting.folds`)."""
    # Folds are sets of judgments. Rows are cut by what they hold and not by their ids, so an id can say its row.
    table = preferences.table
    rows = pa.array(np.arange(len(table))).cast(pa.string())
    numbered = Preferences.from_table(table.set_column(table.schema.get_field_index("id"), "id", rows))
    fold = np.empty(len(table), np.int64)
    for number, part in enumerate(cut_folds(numbered, folds, seed=seed)):
        fold[part.test.table["id"].cast(pa.int64()).to_numpy()] = number
    return fold


def apart(model: Predictor) -> Predictor:
    """A model with the same parameters that can be fitted again without touching the one given.

    The copy is shallow: what a fit learns is set on the copy, and encoders, which may hold gigabytes, are values.
    """
    return copy.copy(model)


def model_name(model: object) -> str:
    """What to call a model that was given no name."""
    return type(model).__name__


def _predict(model: Predictor, test: Preferences, expected: int) -> np.ndarray:
    pairs = model.pairs(test)
    if len(pairs) != expected:
        raise ValueError(
            f"{model_name(model)}.pairs gave {len(pairs)} pairs of a fold that has {expected} among all judgments; "
            "the pairs of a judgment must not depend on the other judgments"
        )
    return np.asarray(model.prob(pairs), np.float64)
