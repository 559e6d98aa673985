"""Algorithms ranked by how long they run, with impatience in place of a mean (Graham et al., 2023).

A run that ends after t seconds is worth the chance that one would still have waited; one that does not end is worth
nothing. That is bounded, so a cap on runs costs little, and one run in a hundred that never ends does not decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from llull.errors import InputError


class Patience(Protocol):
    """The worth of a run of t seconds, from 1 down to 0."""

    def __call__(self, seconds: np.ndarray) -> np.ndarray:
        """Worth of each time."""
        ...

    def cap(self, worth: float) -> float:
        """The time from which runs are worth no more than this."""
        ...


@dataclass(frozen=True)
class Deadline:
    """All or nothing."""

    seconds: float

    def __call__(self, seconds: np.ndarray) -> np.ndarray:
        """1 up to the deadline."""
        return (np.asarray(seconds) <= self.seconds).astype(np.float64)

    def cap(self, worth: float) -> float:
        """The deadline."""
        return self.seconds


@dataclass(frozen=True)
class Uniform:
    """Any cap up to the longest is as likely: 1 - t / longest."""

    longest: float

    def __call__(self, seconds: np.ndarray) -> np.ndarray:
        """The chance that the cap is later."""
        return np.clip(1 - np.asarray(seconds) / self.longest, 0.0, 1.0)

    def cap(self, worth: float) -> float:
        """Where it has fallen to this worth."""
        return self.longest * (1 - worth)


@dataclass(frozen=True)
class Exponential:
    """The least one can assume if only the mean of the cap is known: exp(-t / mean)."""

    mean: float

    def __call__(self, seconds: np.ndarray) -> np.ndarray:
        """The chance that the cap is later."""
        return np.exp(-np.asarray(seconds) / self.mean)

    def cap(self, worth: float) -> float:
        """Where it has fallen to this worth."""
        return -self.mean * float(np.log(worth))


@dataclass(frozen=True)
class Pareto:
    """Full worth up to a time, and then (first / t)^power."""

    first: float
    power: float = 1.0

    def __call__(self, seconds: np.ndarray) -> np.ndarray:
        """The chance that the cap is later."""
        return np.minimum((self.first / np.maximum(np.asarray(seconds), 1e-300)) ** self.power, 1.0)

    def cap(self, worth: float) -> float:
        """Where it has fallen to this worth."""
        return self.first * worth ** (-1 / self.power)


@dataclass(frozen=True)
class Scored:
    """An algorithm's worth, with an interval that holds for any distribution of its times."""

    name: str
    worth: float
    low: float
    high: float
    runs: int


def runs_needed(error: float, risk: float = 0.05) -> int:
    """Runs after which a worth is within ``error`` but for a chance of ``risk`` (Hoeffding, 1963)."""
    return int(np.ceil(np.log(2 / risk) / (2 * error**2)))


def rank_runtimes(
    runs: dict[str, np.ndarray], finished: dict[str, np.ndarray], patience: Patience, level: float = 0.95
) -> list[Scored]:
    """Algorithms by mean worth of their runs, best first.

    Args:
        runs: by algorithm, seconds of each run; of one that did not end, when it was stopped.
        finished: by algorithm, bool.
        patience: what a time is worth. A run stopped at t may be worth anything up to that of t, and the intervals say
            so; its worth is counted as 0.
        level: of the intervals.

    Raises:
        InputError: for an algorithm without runs, or columns of different lengths.
    """
    found = []
    for name, seconds in runs.items():
        ended = np.asarray(finished[name], bool)
        if not len(seconds) or len(seconds) != len(ended):
            raise InputError(f"{name!r} has {len(seconds)} times and {len(ended)} outcomes; give as many, and some")
        worth = patience(np.asarray(seconds, np.float64))
        mean = float(np.where(ended, worth, 0.0).mean())
        at_most = float(worth.mean())
        reach = float(np.sqrt(np.log(2 / (1 - level)) / (2 * len(seconds))))
        found.append(Scored(name, mean, max(mean - reach, 0.0), min(at_most + reach, 1.0), len(seconds)))
    return sorted(found, key=lambda scored: -scored.worth)
