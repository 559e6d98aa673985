"""How far the votes leave a margin undetermined, and what that and people's differences do to an answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import entr, ndtri

from llull.models.fitting.part import Part
from llull.models.fitting.weights import inverse
from llull.models.links.link import Link

Draw = tuple[np.ndarray, np.ndarray, np.ndarray]
"""What one draw of all weights says of pairs, each [n]: means over people of p, of p^2, and of the answer squared."""
_NODES, _MASS = np.polynomial.hermite_e.hermegauss(9)
_MASS = _MASS / _MASS.sum()


@dataclass(frozen=True)
class Doubt:
    """Why an answer cannot be foreseen. Arrays are float64 [n].

    The answer is 1 where the winner is preferred, 0 where the loser is, 1/2 for a tie. Its variance is the sum of
    three (the law of total variance): what is ``unknown`` of the weights, how far ``people`` differ, and the ``noise``
    of one person asked again. More judgments lower the first alone.
    """

    prob: np.ndarray
    """The mean answer, what is unknown and people's differences averaged over."""
    unknown: np.ndarray
    """Variance of what all would answer on average, because the weights are not known."""
    people: np.ndarray
    """Variance of answers between people (for whom nothing is known of who they are), or between their tastes."""
    noise: np.ndarray
    """Variance of the answers of one and the same person."""
    information: np.ndarray
    """Mutual information of the answer and the weights, in nats: H(mean p) - mean H(p) (Houlsby et al., 2011)."""

    @property
    def total(self) -> np.ndarray:
        """Variance of the answer."""
        return self.unknown + self.people + self.noise

    @classmethod
    def over(cls, draws: Iterable[Draw]) -> Doubt:
        """Take the moments over equally likely draws of the weights, at least one."""
        count, mean, mean_square, square, second, entropy = 0, *(np.zeros(0) for _ in range(5))
        for said, between, answer in draws:
            new = (said, said * said, between, answer, _entropy(said))
            old = (mean, mean_square, square, second, entropy) if count else (0.0,) * 5
            mean, mean_square, square, second, entropy = (a + b for a, b in zip(old, new, strict=True))
            count += 1
        mean, mean_square, square, second, entropy = (a / count for a in (mean, mean_square, square, second, entropy))
        return cls(
            prob=mean,
            unknown=np.maximum(mean_square - mean * mean, 0),
            people=np.maximum(square - mean_square, 0),
            noise=np.maximum(second - square, 0),
            information=np.maximum(_entropy(mean) - entropy, 0),
        )


def _entropy(prob: np.ndarray) -> np.ndarray:
    return entr(prob) + entr(1 - prob)


@dataclass(frozen=True)
class Spoken:
    """What one voice says of some pairs, with how far this is unknown and how far people differ from it."""

    which: np.ndarray
    """int [r]: positions of the pairs."""
    share: np.ndarray
    """float64 [r]"""
    margin: np.ndarray
    """float64 [r]"""
    variance: np.ndarray
    """float64 [r], of the margin because the weights are not known."""
    spread: np.ndarray
    """float64 [r], of the margin between the people that the voice speaks for."""
    theta: np.ndarray
    """float64 [k], parameters of the link."""


def draws_of(spoken: list[Spoken], link: Link, pairs: int, draws: int) -> Iterator[Draw]:
    """Answers under ``draws`` evenly spaced quantiles of each voice's margin; with 0, once under the margin itself.

    Voices are independent, each in an order of its own. People's differences are integrated by the rule of Gauss
    and Hermite with nine nodes.
    """
    steps = np.zeros(1)
    if draws > 1:
        steps = ndtri((np.arange(draws) + 0.5) / draws)
        # The quantiles of few equal parts vary less than the normal distribution.
        steps = steps / steps.std()
    orders = [np.random.default_rng(number).permutation(len(steps)) for number in range(len(spoken))]
    for draw in range(len(steps)):
        mean, square, second = np.zeros(pairs), np.zeros(pairs), np.zeros(pairs)
        for one, order in zip(spoken, orders, strict=True):
            margin = one.margin + steps[order[draw]] * np.sqrt(one.variance)
            nodes = zip(_NODES, _MASS, strict=True) if one.spread.any() else ((0.0, 1.0),)
            for node, mass in nodes:
                outcomes = link.outcomes(margin + node * np.sqrt(one.spread), one.theta)
                prob = outcomes[:, 0] + 0.5 * outcomes[:, 1]
                mean[one.which] += mass * one.share * prob
                square[one.which] += mass * one.share * prob * prob
                second[one.which] += mass * one.share * (outcomes[:, 0] + 0.25 * outcomes[:, 1])
        yield mean, square, second


def margin_variance(contrasts: np.ndarray, part: Part, shared: Part | None) -> np.ndarray:
    """Variance of ``contrasts @ weights`` [n] under the Laplace approximation.

    For a member drawn to a shared part, with v = w + u, evidence E and shrinkage t, the posterior of v given w has
    precision E^T E + t and moves with w by t (E^T E + t)^-1, so for a contrast x and y = t (E^T E + t)^-1 x

        var(x v) = x (E^T E + t)^-1 x + y cov(w) y.

    It is computed in the r votes of the member instead of the p weights, by
    t (E^T E + t)^-1 = 1 - E^T (E E^T + t)^-1 E.
    """
    if part.covariance.size or shared is None:
        return quadratic(contrasts, part.covariance)
    evidence, strength = part.evidence.astype(np.float64), part.shrinkage
    inner = cho_factor(evidence @ evidence.T + strength * np.eye(len(evidence)))
    moved = contrasts - cho_solve(inner, evidence @ contrasts.T).T @ evidence
    own = np.einsum("nd,nd->n", contrasts, moved) / strength
    return np.maximum(own, 0) + quadratic(moved, shared.covariance)


def weight_covariance(part: Part, shared: Part | None) -> np.ndarray:
    """Covariance [p, p] of a part's weights, as in `margin_variance`."""
    if part.covariance.size or shared is None:
        return part.covariance
    evidence = part.evidence.astype(np.float64)
    own = inverse(evidence.T @ evidence + part.shrinkage * np.eye(len(part.weights)))
    return own + part.shrinkage**2 * (own @ shared.covariance @ own)


def quadratic(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """x matrix x for each row x [n, p], at least 0: [n]."""
    return np.maximum(np.einsum("nd,nd->n", rows @ matrix, rows), 0)
