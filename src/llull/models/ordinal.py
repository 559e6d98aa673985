"""Ratings on an ordered scale by the cumulative logit, with each annotator's own offset, and pairs beside them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from llull.errors import InputError


@dataclass(frozen=True)
class RatingVotes:
    """Ratings of rows of features. Arrays have length n."""

    row: np.ndarray
    """int, index into the features"""
    level: np.ndarray
    """int, 0 the lowest"""
    annotator: np.ndarray
    """int; -1 where unknown, which has no offset"""


@dataclass(frozen=True)
class PairVotes:
    """Decided comparisons of rows of features. Arrays have length n."""

    winner: np.ndarray
    """int, index into the features"""
    loser: np.ndarray
    """int, index into the features"""


@dataclass
class OrdinalModel:
    """P(rating <= k) = 1 / (1 + exp(-(t_k - u - o))): utility u = x w, offset o of the annotator (McCullagh, 1980).

    Thresholds t rise with k. Pairs, if given, follow Bradley-Terry in a multiple of the same utility, 1 / (1 + exp(-c
    (u(a) - u(b)))) with c > 0 fitted, as people compare with another noise than they rate; a comparison has no offset,
    which cancels. It is fitted to the least of minus the log-likelihood plus

        l2 / 2 * sum w^2  +  shrinkage / 2 * sum o^2

    The penalty of the offsets is what tells their mean from the thresholds: a mean of 0. The likelihood of ratings
    alone is convex in t, w and o; with c it is not, and the optimum is the one downhill from w = 0 and c = 1.

    Args:
        levels: of the scale, at least 2.
        l2: precision of the prior of the weights, above 0.
        shrinkage: precision of the prior of the offsets, above 0; infinity for no offsets.
    """

    levels: int
    l2: float = 1.0
    shrinkage: float = 1.0
    weights_: np.ndarray = field(init=False, repr=False)
    """float64 [d]"""
    thresholds_: np.ndarray = field(init=False, repr=False)
    """float64 [levels - 1], rising"""
    offsets_: np.ndarray = field(init=False, repr=False)
    """float64 [annotators]; above 0 rates higher"""
    pair_scale_: float = field(init=False, repr=False)
    """c; 1 without pairs"""

    def __post_init__(self) -> None:
        if self.levels < 2:
            raise InputError(f"levels={self.levels} is no scale; give at least 2")
        if not 0 < self.l2 < np.inf or not self.shrinkage > 0:
            raise InputError(f"l2={self.l2} and shrinkage={self.shrinkage} must be above 0, and l2 finite")

    def fit(self, rows: np.ndarray, ratings: RatingVotes, pairs: PairVotes | None = None) -> OrdinalModel:
        """Fit to features [m, d], ratings, and pairs; returns the model itself.

        Raises:
            InputError: a level does not occur, so that its thresholds have no estimate, or is not on the scale.
        """
        counts = np.bincount(ratings.level, minlength=self.levels)
        if len(counts) > self.levels or not counts.all():
            raise InputError(
                f"ratings use the levels {np.flatnonzero(counts).tolist()}; a scale of {self.levels} needs each of "
                f"0 to {self.levels - 1}; merge levels that nobody gives"
            )
        people = int(ratings.annotator.max(initial=-1)) + 1 if np.isfinite(self.shrinkage) else 0
        below = np.cumsum(counts[:-1]) / counts.sum()
        cuts = np.log(below / (1 - below))
        first = np.concatenate([cuts[:1], np.log(np.diff(cuts))])
        start = np.concatenate([first, np.zeros(rows.shape[1] + people), np.zeros(0 if pairs is None else 1)])

        def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
            return self.value_and_gradient(x, rows, ratings, people, pairs)

        found = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 5000, "gtol": 1e-7})
        self.thresholds_ = _thresholds(found.x[: self.levels - 1])
        self.weights_, self.offsets_, rest = np.split(
            found.x[self.levels - 1 :], [rows.shape[1], rows.shape[1] + people]
        )
        self.pair_scale_ = float(np.exp(rest[0])) if len(rest) else 1.0
        return self

    def value_and_gradient(
        self, x: np.ndarray, rows: np.ndarray, ratings: RatingVotes, people: int, pairs: PairVotes | None
    ) -> tuple[float, np.ndarray]:
        """The objective and its gradient at x: first threshold, logs of the steps, weights, offsets, and log c."""
        width = rows.shape[1]
        steps, w, o, c = np.split(x, np.cumsum([self.levels - 1, width, people]))
        cuts = np.concatenate([[-np.inf], _thresholds(steps), [np.inf]])
        known = ratings.annotator >= 0 if people else np.zeros(len(ratings.row), bool)
        utility = rows @ w
        felt = utility[ratings.row]
        felt[known] += o[ratings.annotator[known]]
        high, low = cuts[ratings.level + 1] - felt, cuts[ratings.level] - felt
        # F(high) - F(low) = F(high) F(-low) (1 - exp(low - high)), which does not cancel far out.
        apart = high - low
        value = float((np.logaddexp(0, -high) + np.logaddexp(0, low) - np.log(-np.expm1(-apart))).sum())
        room = np.exp(-apart) / -np.expm1(-apart)
        by_high, by_low = -expit(-high) - room, expit(low) + room
        of_cuts = np.bincount(ratings.level + 1, by_high, self.levels + 1)
        of_cuts += np.bincount(ratings.level, by_low, self.levels + 1)
        # Each step moves all thresholds above it.
        of_steps = np.cumsum(of_cuts[1:-1][::-1])[::-1]
        of_steps[1:] *= np.exp(steps[1:])
        pull = -(by_high + by_low)
        of_rows = np.bincount(ratings.row, pull, len(rows))
        of_people = np.bincount(ratings.annotator[known], pull[known], people)
        of_scale = np.zeros(len(c))
        if pairs is not None:
            gap = utility[pairs.winner] - utility[pairs.loser]
            scale = float(np.exp(c[0]))
            value += float(np.logaddexp(0, -scale * gap).sum())
            lost = -expit(-scale * gap)
            of_rows += scale * (np.bincount(pairs.winner, lost, len(rows)) - np.bincount(pairs.loser, lost, len(rows)))
            of_scale[0] = scale * float(lost @ gap)
        value += 0.5 * self.l2 * float(w @ w)
        if people:
            value += 0.5 * self.shrinkage * float(o @ o)
            of_people = of_people + self.shrinkage * o
        return value, np.concatenate([of_steps, of_rows @ rows + self.l2 * w, of_people, of_scale])

    def probabilities(self, rows: np.ndarray, annotator: int | None = None) -> np.ndarray:
        """Of each level for features [m, d], given by this annotator or one without an offset: float64 [m, levels]."""
        offset = 0.0 if annotator is None else self.offsets_[annotator]
        below = expit(self.thresholds_ - (rows @ self.weights_ + offset)[:, None])
        return np.diff(below, axis=1, prepend=0.0, append=1.0)

    def utility(self, rows: np.ndarray) -> np.ndarray:
        """Of features [m, d], in log-odds of a higher rating: float64 [m]."""
        return rows @ self.weights_


def _thresholds(steps: np.ndarray) -> np.ndarray:
    return steps[0] + np.concatenate([[0.0], np.cumsum(np.exp(steps[1:]))])
