"""Whether a probability of 0.8 comes true four times in five.

A pair has no natural first option, so calibration is measured on the *confidence* in the option that the model
prefers, ``max(p, 1 - p)``, which lies in [0.5, 1], against how often that option was preferred.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import root_scalar
from scipy.special import expit, logit

from llull.evaluate.intervals import LEVEL, Estimate, bootstrap_interval, influence_interval, mean_interval

BINS = 10
SMALLEST = float(np.finfo(np.float64).eps)
"""Probabilities are kept this far from 0 and 1 where a logarithm is taken."""


@dataclass(frozen=True)
class ReliabilityBin:
    """Pairs whose confidence lies in one stretch of [0.5, 1]."""

    low: float
    high: float
    confidence: float
    """Weighted mean confidence."""
    correct: Estimate
    """How often the preferred option was preferred indeed."""

    def to_dict(self) -> dict[str, Any]:
        """The bin for JSON."""
        return {"low": self.low, "high": self.high, "confidence": self.confidence, "correct": self.correct.to_dict()}


def confidence(prob: np.ndarray) -> np.ndarray:
    """Probability of the option that the model prefers: float [n] in [0.5, 1]."""
    return np.maximum(prob, 1 - prob)


def correctness(prob: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """1 where the model prefers what was preferred, 0 where not; 0.5 where it cannot tell or neither was preferred."""
    return 0.5 + 0.5 * np.sign(prob - 0.5) * np.sign(outcome - 0.5)


def reliability_curve(
    prob: np.ndarray,
    outcome: np.ndarray,
    weight: np.ndarray,
    cluster: np.ndarray,
    *,
    bins: int = BINS,
    level: float = LEVEL,
) -> tuple[ReliabilityBin, ...]:
    """How often the model is right, by how sure it is.

    Args:
        prob: float [n], probability that the first option is preferred.
        outcome: float [n]: 1 the first was preferred, 0 the second, 0.5 neither.
        weight: float [n].
        cluster: integer [n], see `llull.evaluate.intervals.mean_interval`.
        bins: how many stretches of equal width [0.5, 1] is cut into; empty ones are left out.
        level: see `llull.evaluate.intervals.mean_interval`.
    """
    sure, right, at = confidence(prob), correctness(prob, outcome), _bin(prob, bins)
    edges = np.linspace(0.5, 1.0, bins + 1)
    curve = []
    for index in np.unique(at[weight > 0]):
        inside = at == index
        correct = mean_interval(right[inside], cluster[inside], weight[inside], level=level, share=True)
        mean = float(np.average(sure[inside], weights=weight[inside]))
        curve.append(ReliabilityBin(float(edges[index]), float(edges[index + 1]), mean, correct))
    return tuple(curve)


def expected_calibration_error(prob: np.ndarray, outcome: np.ndarray, weight: np.ndarray, *, bins: int = BINS) -> float:
    """Mean gap between confidence and how often the model is right, over bins of equal width on [0.5, 1].

    ``sum over bins of |sum(w (confidence - correct))| / sum(w)`` (Guo et al. 2017, equation 3). It is never
    negative, so in small samples it is above zero even for a perfect model.
    """
    if not weight.sum() > 0:
        return math.nan
    return float(_gap_of_sums(_gap_sums(prob, outcome, weight, bins).sum(axis=0, keepdims=True))[0])


def calibration_error_interval(
    prob: np.ndarray, outcome: np.ndarray, weight: np.ndarray, cluster: np.ndarray, *, level: float = LEVEL
) -> Estimate:
    """`expected_calibration_error` with an interval from drawing clusters again."""
    used = weight > 0
    sums = _gap_sums(prob[used], outcome[used], weight[used], BINS)
    return bootstrap_interval(sums, cluster[used], _gap_of_sums, level=level, floor=0.0)


def calibration_slope(prob: np.ndarray, outcome: np.ndarray, weight: np.ndarray) -> float:
    """The factor by which the model's log-odds should be multiplied to fit the outcomes best.

    It maximizes ``sum w [y log s(b z) + (1 - y) log s(-b z)]`` with ``z = logit(p)`` and the logistic function s
    (Cox 1958). Below 1 the model is too sure of itself, above 1 not sure enough. There is no intercept, because
    swapping the two options of a pair would turn its sign. NaN where no factor is best: the model is never wrong
    (or never right), or never prefers anything.
    """
    z = logit(np.clip(prob, SMALLEST, 1 - SMALLEST))
    telling = (z != 0) & (weight > 0)
    z, y, w = z[telling], outcome[telling], weight[telling]

    def slope_of_likelihood(factor: float) -> float:
        return float((w * z) @ (y - expit(factor * z)))

    # As the factor goes to plus or minus infinity the derivative tends to these two sums.
    at_plus, at_minus = (w * z) @ (y - (z > 0)), (w * z) @ (y - (z < 0))
    if len(z) == 0 or at_plus >= 0 or at_minus <= 0:
        return math.nan
    reach = 1.0
    while slope_of_likelihood(reach) > 0 or slope_of_likelihood(-reach) < 0:
        reach *= 2
    return float(root_scalar(slope_of_likelihood, bracket=(-reach, reach), method="brentq", xtol=1e-12).root)


def calibration_slope_interval(
    prob: np.ndarray, outcome: np.ndarray, weight: np.ndarray, cluster: np.ndarray, *, level: float = LEVEL
) -> Estimate:
    """`calibration_slope` with a sandwich interval clustered like everything else."""
    value = calibration_slope(prob, outcome, weight)
    z = logit(np.clip(prob, SMALLEST, 1 - SMALLEST))
    fitted = expit(value * z)
    curvature = (weight * z**2) @ (fitted * (1 - fitted))
    influence = weight * z * (outcome - fitted) / curvature if curvature > 0 else np.full(len(z), math.nan)
    return influence_interval(value, influence, cluster, level=level)


def _bin(prob: np.ndarray, bins: int) -> np.ndarray:
    return np.minimum(((confidence(prob) - 0.5) * 2 * bins).astype(np.int64), bins - 1)


def _gap_sums(prob: np.ndarray, outcome: np.ndarray, weight: np.ndarray, bins: int) -> np.ndarray:
    """[n, bins + 1]: each pair's weighted gap in the column of its bin, then its weight."""
    sums = np.zeros((len(prob), bins + 1))
    sums[np.arange(len(prob)), _bin(prob, bins)] = weight * (confidence(prob) - correctness(prob, outcome))
    sums[:, bins] = weight
    return sums


def _gap_of_sums(totals: np.ndarray) -> np.ndarray:
    return np.abs(totals[:, :-1]).sum(axis=1) / totals[:, -1]
