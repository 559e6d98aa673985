"""Would more judgments help? Accuracy against the amount of training data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from llull.errors import InputError
from llull.evaluate.intervals import LEVEL, Estimate
from llull.evaluate.metrics import METRICS
from llull.evaluate.scoring import clusters
from llull.evaluate.validation import Predictor, apart, fold_of_judgments, model_name
from llull.judgments import Preferences

SHARES = (0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
_FEWEST_CONTEXTS = 10


@dataclass(frozen=True)
class LearningPoint:
    """One fit on a part of the training contexts, measured on contexts that no fit of the same seed saw."""

    seed: int
    share: float
    """Of the contexts that could be trained on."""
    n_contexts: int
    n_judgments: int
    accuracy: Estimate
    log_loss: Estimate

    def to_dict(self) -> dict[str, Any]:
        """The point for JSON."""
        counts = {"seed": self.seed, "share": self.share, "contexts": self.n_contexts, "judgments": self.n_judgments}
        return {**counts, "accuracy": self.accuracy.to_dict(), "log_loss": self.log_loss.to_dict()}

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> LearningPoint:
        """The point that `to_dict` wrote."""
        estimates = Estimate.from_dict(found["accuracy"]), Estimate.from_dict(found["log_loss"])
        return cls(found["seed"], found["share"], found["contexts"], found["judgments"], *estimates)


@dataclass(frozen=True)
class LearningCurve:
    """Points of growing training size, for several seeds."""

    model: str
    points: tuple[LearningPoint, ...]

    def mean(self, metric: str = "accuracy") -> list[tuple[int, float, float, float]]:
        """For each size: training contexts (mean over seeds, rounded), mean of the metric, lowest, highest."""
        found = []
        for share in sorted({point.share for point in self.points}):
            points = [point for point in self.points if point.share == share]
            values = [getattr(point, metric).value for point in points]
            contexts = round(float(np.mean([point.n_contexts for point in points])))
            found.append((contexts, float(np.mean(values)), min(values), max(values)))
        return found

    def to_dict(self) -> dict[str, Any]:
        """The curve for JSON."""
        return {"model": self.model, "points": [point.to_dict() for point in self.points]}

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> LearningCurve:
        """The curve that `to_dict` wrote."""
        return cls(found["model"], tuple(LearningPoint.from_dict(point) for point in found["points"]))


def learning_curve(
    model: Predictor,
    preferences: Preferences,
    *,
    shares: Sequence[float] = SHARES,
    repeats: int = 3,
    folds: int = 5,
    seed: int = 0,
    name: str | None = None,
    level: float = LEVEL,
) -> LearningCurve:
    """Fit on growing parts of the training contexts and measure each fit on the same held-out contexts.

    Each repeat holds out one fold of contexts of its own, puts the rest in a random order, and fits on growing
    beginnings of it, so that a larger size holds every smaller one.

    Args:
        model: fitted or not; what it learned is not used.
        preferences: the judgments.
        shares: of the training contexts; those that leave fewer than ten contexts are skipped.
        repeats: how many seeds, from ``seed`` on.
        folds: one part in this many is held out.
        seed: of the first repeat.
        name: what to call the model.
        level: of the intervals.

    Raises:
        InputError: there are too few contexts.
    """
    model = apart(model)
    context = clusters(preferences)
    points = []
    for repeat in range(seed, seed + repeats):
        held_out = fold_of_judgments(preferences, folds, repeat) == 0
        test = preferences.select(held_out)
        seen = np.unique(context[~held_out])
        rank = np.full(int(context.max()) + 1, len(context))
        rank[np.random.default_rng(repeat).permutation(seen)] = np.arange(len(seen))
        counts = {share: round(share * len(seen)) for share in sorted(set(shares))}
        sizes = {share: count for share, count in counts.items() if count >= _FEWEST_CONTEXTS}
        if not sizes:
            raise InputError(f"a learning curve needs more contexts than the {len(seen)} there are to train on")
        for share, size in sizes.items():
            rows = np.flatnonzero((rank[context] < size) & ~held_out)
            fitted = model.fit(preferences.select(rows))
            points.append(_point(fitted, test, repeat, share, size, len(rows), level))

    return LearningCurve(name or model_name(model), tuple(points))


def _point(
    fitted: Predictor, test: Preferences, seed: int, share: float, contexts: int, judgments: int, level: float
) -> LearningPoint:
    pairs = fitted.pairs(test)
    prob, outcome = np.asarray(fitted.prob(pairs), np.float64), np.where(pairs.tie, 0.5, 1.0)
    cluster = clusters(test)[pairs.judgment]
    accuracy, log_loss = (
        METRICS[metric].estimate(prob, outcome, pairs.weight, cluster, level=level)
        for metric in ("accuracy", "log_loss")
    )
    return LearningPoint(seed, share, contexts, judgments, accuracy, log_loss)
