"""Probabilities that come true, and sets that hold the preferred option as often as promised.

Fitted on judgments that the model did not see. A pair has no natural first option, so every calibrator maps 1 - p to
1 minus what it maps p to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit

from llull.errors import InputError

_EDGE = float(np.finfo(np.float64).eps)


class Calibrator(Protocol):
    """From probabilities to probabilities."""

    def apply(self, prob: np.ndarray) -> np.ndarray:
        """Calibrated probabilities: float64 [n]."""
        ...


@dataclass(frozen=True)
class Temperature:
    """sigmoid(factor * logit(p)) (Guo et al., 2017): below 1 for a model too sure of itself. It keeps every order."""

    factor: float

    def apply(self, prob: np.ndarray) -> np.ndarray:
        """Calibrated probabilities: float64 [n]."""
        return np.asarray(expit(self.factor * logit(np.clip(prob, _EDGE, 1 - _EDGE))))


@dataclass(frozen=True)
class Isotonic:
    """A curve that never falls, by straight lines between knots (Zadrozny and Elkan, 2002)."""

    knots: np.ndarray
    """float64 [k], rising."""
    values: np.ndarray
    """float64 [k], not falling."""

    def apply(self, prob: np.ndarray) -> np.ndarray:
        """Calibrated probabilities: float64 [n]."""
        return np.interp(prob, self.knots, self.values)


@dataclass(frozen=True)
class ByGroup:
    """A calibrator for each group, and one for groups that are not known or too small."""

    groups: dict[int | str, Calibrator]
    rest: Calibrator

    def apply(self, prob: np.ndarray, group: np.ndarray) -> np.ndarray:
        """Calibrated probabilities: float64 [n], of pairs [n] whose groups are these [n]."""
        found = np.array(self.rest.apply(prob), np.float64)
        for name, calibrator in self.groups.items():
            at = np.asarray(group) == name
            found[at] = calibrator.apply(np.asarray(prob)[at])
        return found


def fit_temperature(prob: np.ndarray, outcome: np.ndarray, weight: np.ndarray | None = None) -> Temperature:
    """The factor of greatest likelihood, at least 0 (a model worse than chance is made to say one half).

    Args:
        prob: float [n], probability that the first option is preferred.
        outcome: float [n]: 1 the first was preferred, 0 the second, 0.5 neither.
        weight: float [n].

    Raises:
        InputError: the model is never wrong, or never prefers anything, so no factor is best.
    """
    prob, outcome, weight = _checked(prob, outcome, weight)
    z = logit(np.clip(prob, _EDGE, 1 - _EDGE))

    def slope(factor: float) -> float:
        return float((weight * z) @ (outcome - expit(factor * z)))

    if not (weight * np.abs(z)).any():
        raise InputError("the model prefers neither option of any pair, so no temperature changes it")
    if slope(0.0) <= 0:
        return Temperature(0.0)
    # As the factor grows the slope tends to this sum.
    if (weight * z) @ (outcome - (z > 0)) >= 0:
        raise InputError(f"the model is never wrong on these {len(z)} pairs, so no temperature is best; give more")
    reach = 1.0
    while slope(reach) > 0:
        reach *= 2
    return Temperature(float(np.asarray(brentq(slope, 0.0, reach, xtol=1e-12))))


def fit_isotonic(prob: np.ndarray, outcome: np.ndarray, weight: np.ndarray | None = None) -> Isotonic:
    """The rising curve of least squares, over the pairs and the same pairs swapped; arguments as `fit_temperature`.

    Pools adjacent violators (Ayer et al., 1955). It wants more pairs than a temperature, about a thousand.
    """
    prob, outcome, weight = _checked(prob, outcome, weight)
    both = np.concatenate([prob, 1 - prob])
    knots, place = np.unique(both, return_inverse=True)
    mass = np.bincount(place, np.concatenate([weight, weight]))
    total = np.bincount(place, np.concatenate([weight * outcome, weight * (1 - outcome)]))
    kept = mass > 0
    knots, mass = knots[kept], mass[kept]
    return Isotonic(knots, rising(total[kept] / mass, mass))


def rising(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The sequence [n] that never falls and is nearest to ``values`` [n] by weighted squares."""
    means: list[float] = []
    masses: list[float] = []
    counts: list[int] = []
    for value, mass in zip(np.asarray(values).tolist(), np.asarray(weight).tolist(), strict=True):
        mean, count = value, 1
        while means and means[-1] >= mean:
            before = masses.pop()
            mean = (means.pop() * before + mean * mass) / (before + mass)
            mass, count = mass + before, count + counts.pop()
        means.append(mean)
        masses.append(mass)
        counts.append(count)
    return np.repeat(means, counts)


def fit_by_group(
    prob: np.ndarray,
    outcome: np.ndarray,
    group: np.ndarray,
    weight: np.ndarray | None = None,
    *,
    fit: Callable[[np.ndarray, np.ndarray, np.ndarray], Calibrator] = fit_temperature,
    least: int = 50,
) -> ByGroup:
    """A calibrator for each group of pairs, such as an annotator's or a language's.

    Args:
        prob: as `fit_temperature`.
        outcome: as `fit_temperature`.
        group: integer or text [n].
        weight: as `fit_temperature`.
        fit: `fit_temperature` or `fit_isotonic`.
        least: a group with fewer pairs is left to the calibrator of all.
    """
    prob, outcome, weight = _checked(prob, outcome, weight)
    names, code = np.unique(np.asarray(group), return_inverse=True)
    groups: dict[int | str, Calibrator] = {}
    for number in np.flatnonzero(np.bincount(code) >= least):
        at = code == number
        groups[names[number].item()] = fit(prob[at], outcome[at], weight[at])
    return ByGroup(groups, fit(prob, outcome, weight))


@dataclass(frozen=True)
class ConformalPairs:
    """Sets of options, out of {first, second}, that hold the preferred one with a promised probability.

    The promise holds for a pair drawn like those it was fitted on (with ``cluster``, for a pair of a context drawn like
    theirs), whatever the model; not for each single context or annotator. A set of both says that the model cannot
    tell at this level. An empty set, which comes only where the level is below the model's accuracy, says that neither
    is likely enough; it counts as a miss.
    """

    alpha: float
    threshold: float
    """An option is in the set if its probability is at least 1 minus this."""

    def sets(self, prob: np.ndarray) -> np.ndarray:
        """Whether first and second are in each pair's set: bool [n, 2]."""
        prob = np.asarray(prob, np.float64)
        return np.stack([1 - prob, prob], axis=1) <= self.threshold


def fit_conformal(
    prob: np.ndarray, first_won: np.ndarray, alpha: float = 0.1, cluster: np.ndarray | None = None
) -> ConformalPairs:
    """Split conformal sets of level 1 - alpha (Vovk et al., 2005; Lei et al., 2018).

    The score of a pair is 1 minus the probability of what was preferred, and the threshold its
    ceil((n + 1)(1 - alpha))-th smallest. Pairs of one context are not independent: with ``cluster`` each of K clusters
    counts 1 / (K + 1), shared by its pairs, and a pair of a new cluster is covered (Lee, Barber and Willett, 2023,
    equation 4).

    Args:
        prob: float [n], probability that the first option is preferred, by a model that did not see these pairs.
        first_won: bool [n]. Ties have no preferred option; leave them out.
        alpha: the share of pairs that may be missed.
        cluster: integer [n], such as contexts.
    """
    if not 0 < alpha < 1:
        raise InputError(f"alpha={alpha} is not between 0 and 1")
    prob, won, _ = _checked(prob, np.asarray(first_won, np.float64), None)
    if ((won != 0) & (won != 1)).any():
        raise InputError(f"{int(((won != 0) & (won != 1)).sum())} outcomes are neither 0 nor 1; leave ties out")
    score = np.where(won == 1, 1 - prob, prob)
    code = np.arange(len(score)) if cluster is None else np.unique(cluster, return_inverse=True)[1]
    size = np.bincount(code)
    order = np.argsort(score, kind="stable")
    mass = np.cumsum(1 / size[code[order]]) / (len(size) + 1)
    # Sums of equal shares must reach a level that they reach exactly.
    reached = mass >= 1 - alpha - 1e-9
    return ConformalPairs(alpha, float(score[order][np.argmax(reached)]) if reached.any() else np.inf)


def _checked(
    prob: np.ndarray, outcome: np.ndarray, weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    prob, outcome = np.asarray(prob, np.float64), np.asarray(outcome, np.float64)
    weight = np.ones(len(prob)) if weight is None else np.asarray(weight, np.float64)
    if not len(prob) == len(outcome) == len(weight):
        raise InputError(f"{len(prob)} probabilities, {len(outcome)} outcomes and {len(weight)} weights do not fit")
    if len(prob) == 0 or not weight.sum() > 0:
        raise InputError("there are no pairs to calibrate on")
    if not ((prob >= 0) & (prob <= 1)).all() or not ((outcome >= 0) & (outcome <= 1)).all():
        raise InputError("probabilities and outcomes must lie between 0 and 1")
    return prob, outcome, weight
