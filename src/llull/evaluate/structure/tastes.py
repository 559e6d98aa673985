"""One taste or several, fitted to answers fast enough to be fitted hundreds of times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

PRIOR = 1.0
"""Precision of the normal prior on each weight of a common taste, with mean 0."""
APART = 4.0
"""Precision of that on how far each of several tastes is from the common one, in each weight."""


@dataclass(frozen=True)
class Tastes:
    """Weights of each taste, and how common it is. With one taste this is Bradley and Terry's model."""

    weights: np.ndarray
    """float64 [k, d]"""
    share: np.ndarray
    """float64 [k], of annotators."""
    value: float
    """Log-likelihood plus log-prior at the optimum."""
    likelihood: float
    """Log-likelihood."""


def one_taste(x: np.ndarray, wins: np.ndarray, total: np.ndarray, prior: float = PRIOR) -> Tastes:
    """The weights at which log-likelihood - prior / 2 * |w|^2 is largest, by Newton's method.

    Args:
        x: float64 [n, d], first minus second option.
        wins: float64 [n], how often the first was preferred; ties count half.
        total: float64 [n], of how many answers.
        prior: precision of the prior.
    """
    nowhere = np.zeros(x.shape[1])
    weights = _climb(x, wins, total, nowhere, nowhere, prior, 50)
    likelihood = float(_log_likelihood(x @ weights, wins, total).sum())
    return Tastes(weights[None], np.ones(1), likelihood - prior / 2 * float(weights @ weights), likelihood)


def several_tastes(
    x: np.ndarray,
    wins: np.ndarray,
    total: np.ndarray,
    who: np.ndarray,
    tastes: int,
    rng: np.random.Generator,
    *,
    apart: float = APART,
    restarts: int = 2,
    steps: int = 60,
) -> Tastes:
    """A mixture of Bradley-Terry models in which each annotator has one taste, by EM; the best of some starts.

    P(answers of a) = sum_k share_k prod_i P_k(answer i). Each step raises the likelihood (with the prior): the weights
    take one Newton step, halved until it does not lower their part (generalized EM; Dempster, Laird and Rubin, 1977).

    Args:
        x: float64 [n, d].
        wins: float64 [n].
        total: float64 [n].
        who: int [n], annotators from 0.
        tastes: how many, k.
        rng: of the starts.
        apart: precision of the prior on what sets each weight apart from that of the common taste.
        restarts: starts, of which the most likely is kept.
        steps: of EM at most.
    """
    center = one_taste(x, wins, total).weights[0]
    found = [_mix(x, wins, total, who, tastes, center, rng, apart, steps) for _ in range(restarts)]
    return max(found, key=lambda one: one.value)


def responsibilities(tastes: Tastes, x: np.ndarray, wins: np.ndarray, total: np.ndarray, who: np.ndarray) -> np.ndarray:
    """How likely each annotator has each taste, given these answers: float64 [annotators, k]."""
    return _posterior(_by_annotator(x, wins, total, who, tastes.weights), tastes.share)[0]


def held_out(
    x: np.ndarray, wins: np.ndarray, who: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """What one taste and two say of answers that they have not seen: float64 [n] each, P(first preferred).

    Half of each annotator's answers are held out at a time; the other half says which of the two tastes it has.
    """
    people = int(who.max()) + 1
    order = rng.permutation(len(x))
    order = order[np.argsort(who[order], kind="stable")]
    place = np.empty(len(x), np.int64)
    place[order] = np.arange(len(x)) - np.searchsorted(who[order], np.arange(people))[who[order]]
    single, double = np.empty(len(x)), np.empty(len(x))
    for half in range(2):
        out = place % 2 == half
        inside = ~out
        total = np.ones(int(inside.sum()))
        seen = x[inside], wins[inside], total, who[inside]
        two = several_tastes(*seen, 2, rng)
        known = responsibilities(two, *seen)
        # Of somebody with no answer in this half, only how common the tastes are is known.
        whose = np.vstack([known, np.tile(two.share, (people - len(known), 1))])
        # A mixture of one: its weights are shrunk no more than those of two, which would favor two.
        single[out] = expit(x[out] @ several_tastes(*seen, 1, rng, restarts=1).weights[0])
        double[out] = (expit(x[out] @ two.weights.T) * whose[who[out]]).sum(axis=1)
    return single, double


def _mix(
    x: np.ndarray,
    wins: np.ndarray,
    total: np.ndarray,
    who: np.ndarray,
    tastes: int,
    center: np.ndarray,
    rng: np.random.Generator,
    apart: float,
    steps: int,
) -> Tastes:
    people = int(who.max()) + 1
    # Random halves start apart by chance only; a random direction along which people may differ starts them apart
    # by something that the answers can show.
    weights = center + rng.normal(size=(tastes, x.shape[1])) * (0.3 + np.abs(center).mean())
    share = np.full(tastes, 1 / tastes)
    value = -np.inf
    for _ in range(steps):
        given = _by_annotator(x, wins, total, who, weights)
        posterior, likelihood = _posterior(given, share)
        now = likelihood + _log_prior(weights - center, share, apart)
        done = now - value < 1e-3
        value = now
        if done:
            break
        share = (posterior.sum(axis=0) + 1.0) / (people + tastes)
        weights = np.stack(
            [
                _climb(x, posterior[who, k] * wins, posterior[who, k] * total, weights[k], center, apart, 1)
                for k in range(tastes)
            ]
        )
    _, likelihood = _posterior(_by_annotator(x, wins, total, who, weights), share)
    order = np.argsort(-share, kind="stable")
    value = likelihood + _log_prior(weights - center, share, apart)
    return Tastes(weights[order], share[order], value, likelihood)


def _log_prior(change: np.ndarray, share: np.ndarray, apart: float) -> float:
    # One annotator more of each taste than were seen keeps shares off 0.
    return float(np.log(share).sum()) - apart / 2 * float((change**2).sum())


def _climb(
    x: np.ndarray,
    wins: np.ndarray,
    total: np.ndarray,
    start: np.ndarray,
    center: np.ndarray,
    prior: float,
    steps: int,
) -> np.ndarray:
    def value_at(weights: np.ndarray) -> float:
        change = weights - center
        return float(_log_likelihood(x @ weights, wins, total).sum()) - prior / 2 * float(change @ change)

    weights, value = start, value_at(start)
    for _ in range(steps):
        prob = expit(x @ weights)
        gradient = x.T @ (wins - total * prob) - prior * (weights - center)
        if np.abs(gradient).max() < 1e-6 * (1 + total.sum()):
            break
        curvature = (x * (total * prob * (1 - prob))[:, None]).T @ x + prior * np.eye(len(weights))
        step = np.linalg.solve(curvature, gradient)
        while (higher := value_at(weights + step)) < value and np.abs(step).max() > 1e-9:
            step = step / 2
        if higher < value:
            break
        weights, value = weights + step, higher
    return weights


def _log_likelihood(margin: np.ndarray, wins: np.ndarray, total: np.ndarray) -> np.ndarray:
    return wins * margin - total * np.logaddexp(0.0, margin)


def _by_annotator(
    x: np.ndarray, wins: np.ndarray, total: np.ndarray, who: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    people = int(who.max()) + 1
    return np.stack([np.bincount(who, _log_likelihood(x @ w, wins, total), people) for w in weights], axis=1)


def _posterior(given: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, float]:
    joint = given + np.log(share)
    each = np.logaddexp.reduce(joint, axis=1)
    return np.exp(joint - each[:, None]), float(each.sum())
