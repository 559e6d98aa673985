"""What shares of a crowd would choose each of some ordered categories, such as ratings from 1 to 5.

The model of Distributional Preference Reward Modeling (DPRM, 2024): options have a distribution over categories,
not one number, learned from the votes of several people on each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from llull.errors import InputError


@dataclass
class CategoryModel:
    """Probabilities of K ordered categories, softmax(x W + b), fitted to shares of votes on options with features x.

    It is fitted to the least of

        sum_i weight_i * loss(p_i, q_i)  +  l2 / 2 * sum W^2

    with q the shares of votes and weight_i chosen by the caller, 1 each unless given. ``"cross_entropy"`` is
    -sum_k q_k log p_k. It takes categories for mere names, and is convex. ``"transport"`` is the sum over k of the
    square of (CDF_p(k) - CDF_q(k)): what it costs to move p to q where the cost of a category is its distance, squared
    so that the gradient vanishes at equality. It is not convex; the optimum reached is the one downhill from W = 0.

    Args:
        loss: ``"cross_entropy"`` or ``"transport"``.
        l2: strength of the penalty.

    Examples:
        >>> model = CategoryModel(l2=0.0).fit(np.zeros((2, 1)), np.array([[3, 1, 0], [0, 1, 3]]))
        >>> model.probabilities(np.zeros((1, 1))).round(3).tolist()
        [[0.375, 0.25, 0.375]]
    """

    loss: Literal["cross_entropy", "transport"] = "cross_entropy"
    l2: float = 1.0
    weights_: np.ndarray = field(init=False, repr=False)
    """float64 [d, K]"""
    intercept_: np.ndarray = field(init=False, repr=False)
    """float64 [K]"""

    def __post_init__(self) -> None:
        if self.loss not in ("cross_entropy", "transport"):
            raise InputError(f"loss={self.loss!r} is not known; give 'cross_entropy' or 'transport'")
        if not 0 <= self.l2 < np.inf:
            raise InputError(f"l2={self.l2} is not a strength; give a number of at least 0")

    def fit(
        self,
        rows: np.ndarray,
        votes: np.ndarray,
        weight: np.ndarray | None = None,
        *,
        start: np.ndarray | None = None,
        center: np.ndarray | None = None,
    ) -> CategoryModel:
        """Fit to features [m, d] and votes or shares [m, K], lowest category first; returns the model itself.

        Args:
            rows: features.
            votes: of options.
            weight: of options, float64 [m]; 1 each if not given.
            start: where to begin, W above b [d + 1, K]; 0 if not given.
            center: what W is drawn to [d, K]; 0 if not given.

        Raises:
            InputError: an option has no votes, or there are fewer than two categories.
        """
        target = shares(votes)
        weight = np.ones(len(rows)) if weight is None else weight
        width, most = rows.shape[1], target.shape[1]
        drawn_to = np.zeros((width, most)) if center is None else center

        def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
            table = x.reshape(width + 1, most)
            value, slope = category_loss(rows @ table[:-1] + table[-1], target, self.loss)
            slope = slope * weight[:, None]
            far = table[:-1] - drawn_to
            gradient = np.vstack([rows.T @ slope + self.l2 * far, slope.sum(axis=0)])
            return float(weight @ value + 0.5 * self.l2 * (far**2).sum()), gradient.ravel()

        begin = np.zeros((width + 1) * most) if start is None else start.ravel()
        found = minimize(objective, begin, jac=True, method="L-BFGS-B", options={"maxiter": 2000, "gtol": 1e-8})
        table = found.x.reshape(width + 1, most)
        self.weights_, self.intercept_ = table[:-1], table[-1]
        return self

    def probabilities(self, rows: np.ndarray) -> np.ndarray:
        """Of each category for features [m, d]: float64 [m, K]."""
        return softmax(rows @ self.weights_ + self.intercept_, axis=1)

    def reward(self, rows: np.ndarray, utilities: np.ndarray | None = None) -> np.ndarray:
        """The expected utility of features [m, d], float64 [m]; of categories at even steps from -1 to 1 if not said.

        What a category is worth is a choice, not a finding: it decides how much a divided crowd is worth.
        """
        if utilities is None:
            utilities = np.linspace(-1, 1, len(self.intercept_))
        if utilities.shape != self.intercept_.shape:
            raise InputError(
                f"there are {len(self.intercept_)} categories and utilities {utilities.shape}; give one each"
            )
        return self.probabilities(rows) @ utilities


def category_loss(scores: np.ndarray, target: np.ndarray, loss: str) -> tuple[np.ndarray, np.ndarray]:
    """The loss of softmax(scores) [m, K] against shares [m, K]: float64 [m], and its gradient in scores [m, K]."""
    if loss == "cross_entropy":
        logs = log_softmax(scores, axis=1)
        return -(target * logs).sum(axis=1), np.exp(logs) - target
    chances = softmax(scores, axis=1)
    gap = np.cumsum(chances - target, axis=1)
    # p_j is part of the CDF from j on; the sum over all categories is 0 whatever the scores.
    by_chance = 2 * np.cumsum(gap[:, ::-1], axis=1)[:, ::-1]
    return (gap**2).sum(axis=1), chances * (by_chance - (chances * by_chance).sum(axis=1, keepdims=True))


def shares(votes: np.ndarray, prior: float | np.ndarray = 0.0) -> np.ndarray:
    """The mean of the Dirichlet posterior of votes [m, K], with a prior of so many votes in each category: [m, K].

    Raises:
        InputError: votes are negative, of fewer than two categories, or there are none for an option and no prior.
    """
    if votes.ndim != 2 or votes.shape[1] < 2:
        raise InputError(f"votes of the shape {votes.shape} are not counts of at least two categories")
    counted = votes + np.asarray(prior, np.float64)
    total = counted.sum(axis=1, keepdims=True)
    if (votes < 0).any() or not (total > 0).all():
        raise InputError("votes are negative or an option has none; leave such options out, or give a prior above 0")
    return counted / total


def updated(posterior: np.ndarray, votes: np.ndarray, keep: float = 1.0) -> np.ndarray:
    """Dirichlet parameters after a new cohort's votes: keep * posterior + votes.

    Args:
        posterior: parameters so far, of any shape; counts and the prior's.
        votes: of the new cohort, of the same shape.
        keep: rho, above 0 and at most 1; below 1 old votes count less, so that a change of minds is followed.
    """
    if not 0 < keep <= 1:
        raise InputError(f"keep={keep} is not a share; give a number above 0 and at most 1")
    return keep * posterior + votes


def transport_distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Wasserstein distance of distributions [m, K] over categories one apart: sum_k |CDF(k) difference|, [m]."""
    return np.abs(np.cumsum(first - second, axis=1)).sum(axis=1)
