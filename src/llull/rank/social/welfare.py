"""Choice from utilities of groups: what all have together, what the worst off have, and how unequal it is.

Utilities must be on one scale for all groups; without that, neither least values nor inequality mean anything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llull.errors import InputError


@dataclass(frozen=True)
class Welfare:
    """Utilities of groups under one choice, in numbers."""

    total: float
    worst: float
    gini: float
    """0 where all have the same."""
    satisfied: float
    """The 20th percentile of satisfaction: utility between the group's least, 0, and its best, 1."""


def utilitarian(utilities: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    """Sum over groups [groups, n], weighted: float64 [n]."""
    return (np.ones(len(utilities)) if weight is None else weight) @ utilities


def egalitarian(utilities: np.ndarray) -> np.ndarray:
    """The least of the groups: float64 [n] (max-min, as of Rawls, 1971; MaxMin-RLHF, Chakraborty et al., 2024)."""
    return utilities.min(axis=0)


def nash_product(utilities: np.ndarray, without: np.ndarray | float = 0.0) -> np.ndarray:
    """Sum of log gains over what groups have without agreement: float64 [n] (Nash, 1950); -inf where one gains nothing.

    Args:
        utilities: float64 [groups, n].
        without: utility of each group [groups], or of all, if they do not agree.
    """
    gain = utilities - np.broadcast_to(np.asarray(without, np.float64), len(utilities))[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((gain > 0).all(axis=0), np.log(np.maximum(gain, 1e-300)).sum(axis=0), -np.inf)


def gini(values: np.ndarray) -> float:
    """Mean absolute difference over twice the mean.

    Raises:
        InputError: for negative values, of which it says nothing.
    """
    values = np.asarray(values, np.float64)
    if values.min(initial=0.0) < 0:
        raise InputError("the Gini coefficient needs utilities of at least 0; move the scale so that its least is 0")
    mean = float(values.mean())
    return float(np.abs(values[:, None] - values[None]).mean() / (2 * mean)) if mean else 0.0


def welfare(chosen: np.ndarray, least: np.ndarray, most: np.ndarray) -> Welfare:
    """Measures of one choice.

    Args:
        chosen: float64 [groups], utilities under it.
        least: the least each group could have, for satisfaction.
        most: the most.
    """
    room = np.where(most > least, most - least, 1.0)
    satisfaction = np.clip((chosen - least) / room, 0.0, 1.0)
    return Welfare(float(chosen.sum()), float(chosen.min()), gini(chosen), float(np.percentile(satisfaction, 20)))
