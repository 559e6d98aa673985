"""The table of metrics: what is measured of a preference model, in one place.

Every metric takes ``prob`` (float [n], probability that the first option of a pair is preferred), ``outcome``
(float [n]: 1 the first was preferred, 0 the second, 0.5 neither) and ``weight`` (float [n]). None changes when the
two options of a pair are swapped, that is, when ``prob`` and ``outcome`` are both taken from 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from llull.evaluate.calibration import (
    SMALLEST,
    calibration_error_interval,
    calibration_slope,
    calibration_slope_interval,
    confidence,
    correctness,
    expected_calibration_error,
)
from llull.evaluate.intervals import LEVEL, Estimate, mean_interval


class _Interval(Protocol):
    def __call__(
        self, prob: np.ndarray, outcome: np.ndarray, weight: np.ndarray, cluster: np.ndarray, *, level: float = LEVEL
    ) -> Estimate: ...


@dataclass(frozen=True)
class Metric:
    """One thing to measure."""

    name: str
    short: str
    """Head of a table column."""
    description: str
    function: Callable[[np.ndarray, np.ndarray, np.ndarray], float]
    """(prob, outcome, weight) -> value"""
    estimate: _Interval
    """(prob, outcome, weight, cluster, level=) -> value with an interval clustered by ``cluster``"""
    best: float
    """The value of a model that could not be better."""
    needs_probabilities: bool = True
    """False where it is enough to know which option is preferred."""
    values: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    """(prob, outcome) -> each pair's value, for a metric that is their mean; NaN leaves a pair out."""


def accuracy_values(prob: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """`correctness`, with ties left out."""
    return np.where(outcome == 0.5, np.nan, correctness(prob, outcome))


def log_loss_values(prob: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """Minus the log-probability of what was said, in nats; a tie is half of each answer."""
    kept = np.clip(prob, SMALLEST, 1 - SMALLEST)
    return -(outcome * np.log(kept) + (1 - outcome) * np.log1p(-kept))


def brier_values(prob: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """Squared distance of probability and outcome."""
    return (prob - outcome) ** 2


def overconfidence_values(prob: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """Confidence minus correctness; positive where the model is surer than it is right."""
    return confidence(prob) - correctness(prob, outcome)


def _mean_metric(
    name: str,
    short: str,
    description: str,
    values: Callable[[np.ndarray, np.ndarray], np.ndarray],
    *,
    best: float,
    share: bool = False,
    needs_probabilities: bool = True,
) -> Metric:
    def function(prob: np.ndarray, outcome: np.ndarray, weight: np.ndarray) -> float:
        each = values(prob, outcome)
        used = ~np.isnan(each) & (weight > 0)
        return float(np.average(each[used], weights=weight[used])) if used.any() else float("nan")

    def estimate(
        prob: np.ndarray, outcome: np.ndarray, weight: np.ndarray, cluster: np.ndarray, *, level: float = LEVEL
    ) -> Estimate:
        return mean_interval(values(prob, outcome), cluster, weight, level=level, share=share)

    return Metric(name, short, description, function, estimate, best, needs_probabilities, values)


_TABLE = (
    _mean_metric(
        "accuracy",
        "accuracy",
        "Share of decided pairs in which the model prefers the preferred option. Ties are left out; "
        "a probability of exactly 0.5 counts half.",
        accuracy_values,
        best=1.0,
        share=True,
        needs_probabilities=False,
    ),
    _mean_metric(
        "accuracy_ties_half",
        "accuracy, ties half",
        "As accuracy, over all pairs; a tie counts half whatever the model prefers.",
        correctness,
        best=1.0,
        share=True,
        needs_probabilities=False,
    ),
    _mean_metric(
        "log_loss",
        "log-loss",
        "Mean of minus the log-probability of what was said, in nats (0.693 is a coin); a tie is half of each answer.",
        log_loss_values,
        best=0.0,
    ),
    _mean_metric(
        "brier",
        "Brier",
        "Mean squared distance of probability and outcome (0.25 is a coin); a tie is an outcome of 0.5.",
        brier_values,
        best=0.0,
        share=True,
    ),
    Metric(
        "ece",
        "ECE",
        "Expected calibration error: mean gap between confidence in the preferred option and how often it is right, "
        "over ten bins of equal width from 0.5 to 1.",
        expected_calibration_error,
        calibration_error_interval,
        best=0.0,
    ),
    Metric(
        "calibration_slope",
        "slope",
        "Factor by which the log-odds should be multiplied: below 1 the model is too sure, above 1 not sure enough.",
        calibration_slope,
        calibration_slope_interval,
        best=1.0,
    ),
    _mean_metric(
        "overconfidence",
        "overconfidence",
        "Mean confidence in the preferred option minus how often it is right.",
        overconfidence_values,
        best=0.0,
    ),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _TABLE}
"""Every metric by name."""
