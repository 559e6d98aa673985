"""How a rating comes of an option's utility: by ordered thresholds, or as a number with normal noise.

A person's ratings are told from others' by a few deviations of its own, with a Gaussian prior: by how much it rates
higher, and, for ordered levels, where it draws the lines between them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from llull.errors import InputError


@dataclass(frozen=True)
class Told:
    """What ratings say at some parameters."""

    loss: np.ndarray
    """float64 [n]: minus the log-likelihood"""
    by_utility: np.ndarray
    """float64 [n]: its derivative"""
    bend: np.ndarray
    """float64 [n]: its second derivative in the utility, at least 0"""
    by_own: np.ndarray
    """float64 [n, q]: its derivative in the parameters of the rating's author; in those of all, if they are shared"""


class RatingScale(ABC):
    """Ratings as outcomes of utilities. An author's parameters are those of all plus its deviations."""

    def own(self, parameters: int) -> int:
        """In how many of the parameters, the first ones, an author may differ from all."""
        return 1

    @abstractmethod
    def start(self, value: np.ndarray, weight: np.ndarray, levels: np.ndarray) -> np.ndarray:
        """Where the search for the parameters of all begins [q]."""

    @abstractmethod
    def told(self, utility: np.ndarray, value: np.ndarray, parameters: np.ndarray, levels: np.ndarray) -> Told:
        """The loss of ratings and its derivatives.

        Args:
            utility: float64 [n].
            value: float64 [n], the ratings.
            parameters: float64 [n, q], of each rating's author.
            levels: float64 [L], the values that there are.
        """

    @abstractmethod
    def expected(self, utility: np.ndarray, parameters: np.ndarray, levels: np.ndarray) -> np.ndarray:
        """Expected rating: [n]."""

    def check(self, levels: np.ndarray) -> None:
        """Raise InputError unless these are levels to rate on."""
        if len(levels) < 2:
            raise InputError(f"all ratings are the same ({levels.tolist()}), which tells no option from another")


@dataclass(frozen=True)
class Ordinal(RatingScale):
    """P(rating <= level k) = 1 / (1 + exp(u - t_k)) for thresholds t that rise with k (McCullagh, 1980).

    Parameters are the first threshold and the logs of the steps to the next ones. An author who rates higher has a
    lower first threshold; with ``own_steps`` its steps are its own too, as of people who shun the ends of a scale.

    Args:
        own_steps: whether an author's steps may differ from those of all, beside the first threshold.
        most: levels at most; of more, take `Regression`.
    """

    own_steps: bool = False
    most: int = 20

    def own(self, parameters: int) -> int:
        """The first threshold, or all."""
        return parameters if self.own_steps else 1

    def check(self, levels: np.ndarray) -> None:
        """Raise InputError where there are one or too many."""
        super().check(levels)
        if len(levels) > self.most:
            raise InputError(f"ratings have {len(levels)} different values; read so many by Regression, or round them")

    def start(self, value: np.ndarray, weight: np.ndarray, levels: np.ndarray) -> np.ndarray:
        """Thresholds of the shares of levels."""
        counts = np.bincount(np.searchsorted(levels, value), weight, len(levels)) + 0.5
        below = np.cumsum(counts[:-1]) / counts.sum()
        cuts = np.log(below / (1 - below))
        return np.concatenate([cuts[:1], np.log(np.diff(cuts))])

    def told(self, utility: np.ndarray, value: np.ndarray, parameters: np.ndarray, levels: np.ndarray) -> Told:
        """Minus the log of F(high) - F(low), F logistic, for the thresholds around each rating."""
        level = np.searchsorted(levels, value)
        cuts = thresholds(parameters)
        edge = np.full((len(level), 1), np.inf)
        cuts = np.concatenate([-edge, cuts, edge], axis=1)
        at = np.arange(len(level))
        high, low = cuts[at, level + 1] - utility, cuts[at, level] - utility
        # F(high) - F(low) = F(high) F(-low) (1 - exp(low - high)), which does not cancel far out.
        apart = high - low
        loss = np.logaddexp(0, -high) + np.logaddexp(0, low) - np.log(-np.expm1(-apart))
        room = np.exp(-apart) / -np.expm1(-apart)
        by_high, by_low = -expit(-high) - room, expit(low) + room
        of_cuts = np.zeros((len(level), len(levels) + 1))
        of_cuts[at, level + 1] = by_high
        of_cuts[at, level] += by_low
        # Each step moves all thresholds above it.
        by_own = np.cumsum(of_cuts[:, -2:0:-1], axis=1)[:, ::-1].copy()
        by_own[:, 1:] *= np.exp(parameters[:, 1:])
        bend = expit(high) * expit(-high) + expit(low) * expit(-low)
        return Told(loss, -(by_high + by_low), bend, by_own)

    def expected(self, utility: np.ndarray, parameters: np.ndarray, levels: np.ndarray) -> np.ndarray:
        """The mean of the levels by their probabilities."""
        return self.probabilities(utility, parameters) @ levels

    def probabilities(self, utility: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        """Of each level: [n, L]."""
        below = expit(thresholds(parameters) - utility[:, None])
        return np.diff(below, axis=1, prepend=0.0, append=1.0)


@dataclass(frozen=True)
class Regression(RatingScale):
    """A rating is a + s u + e, e normal with the deviation s: u is in units of the noise, as with `Ordinal`.

    Parameters are -a / s, by which an author may differ, and log s. In these the loss is convex in u and the first.
    """

    def start(self, value: np.ndarray, weight: np.ndarray, levels: np.ndarray) -> np.ndarray:
        """Mean and deviation of the ratings."""
        mean = np.average(value, weights=weight)
        spread = np.sqrt(np.average((value - mean) ** 2, weights=weight))
        return np.array([-mean / spread, np.log(spread)])

    def told(self, utility: np.ndarray, value: np.ndarray, parameters: np.ndarray, levels: np.ndarray) -> Told:
        """Half the squared error in units of the noise, plus log s."""
        scaled = value * np.exp(-parameters[:, 1])
        missed = utility - parameters[:, 0] - scaled
        by_own = np.stack([-missed, 1 + missed * scaled], axis=1)
        return Told(0.5 * missed**2 + parameters[:, 1], missed, np.ones_like(missed), by_own)

    def expected(self, utility: np.ndarray, parameters: np.ndarray, levels: np.ndarray) -> np.ndarray:
        """a + s u."""
        return np.exp(parameters[:, 1]) * (utility - parameters[:, 0])


def thresholds(parameters: np.ndarray) -> np.ndarray:
    """Rising thresholds [n, q] from the first one and the logs of the steps."""
    steps = np.concatenate([parameters[:, :1], np.exp(parameters[:, 1:])], axis=1)
    return np.cumsum(steps, axis=1)
