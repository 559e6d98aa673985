"""Packages that groups negotiate under a budget (Negotiative Alignment, Mushkani and Koseki, 2025)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from llull.errors import InputError
from llull.rank.social.welfare import Welfare, welfare


@dataclass(frozen=True)
class Scenario:
    """What can be chosen, and what it is worth to groups on one scale.

    A package is one base and some additions; its utility for a group is the sum of theirs.
    """

    bases: np.ndarray
    """float64 [groups, b]: utilities of bases, at least 0."""
    additions: np.ndarray
    """float64 [groups, a]: what each addition adds."""
    costs: np.ndarray
    """float64 [a]: of additions, positive."""
    budget: float
    vetoes: np.ndarray | None = None
    """bool [groups, a]: additions that a group does not allow."""

    def __post_init__(self) -> None:
        if self.additions.shape != (len(self.bases), len(self.costs)):
            raise InputError("additions must have a row for each group and a column for each cost")
        if (self.costs <= 0).any() or self.budget < 0:
            raise InputError("costs must be positive, and the budget not negative")

    def utilities(self, base: int, chosen: np.ndarray) -> np.ndarray:
        """Of a package [groups]; ``chosen`` is bool [a]."""
        return self.bases[:, base] + self.additions @ chosen

    @property
    def allowed(self) -> np.ndarray:
        """bool [a]: additions nobody vetoes."""
        vetoed = np.zeros((1, len(self.costs)), bool) if self.vetoes is None else self.vetoes
        return np.logical_not(np.any(vetoed, axis=0))


@dataclass(frozen=True)
class Proposal:
    """One round: what was on the table, and what each group said."""

    base: int
    added: tuple[int, ...]
    utilities: tuple[float, ...]
    accepted: tuple[bool, ...]


@dataclass(frozen=True)
class Package:
    """What came out, with every round."""

    base: int
    added: tuple[int, ...]
    utilities: np.ndarray
    cost: float
    welfare: Welfare
    rounds: tuple[Proposal, ...] = field(default=())


def negotiate(scenario: Scenario, tolerance: float = 1.0, rounds: int = 100) -> Package:
    """Apply the change that most improves the least utility, then the total, for as long as there is one.

    Talks begin from each base alone and from each base with the additions that give all together most for their cost;
    the best of the ends is the package.

    In each round groups accept if they have at least ``tolerance`` times what their best base gives them. Changes are
    additions, removals, exchanges of one addition for another, and of the base, within the budget; each must raise the
    least utility, or leave it and raise the total. It ends when no change does.

    Args:
        scenario: what there is to choose.
        tolerance: share of the best base's utility that a group insists on.
        rounds: at most so many.
    """
    reserved = tolerance * scenario.bases.max(axis=1)
    starts = (np.zeros(len(scenario.costs), bool), _most_for_cost(scenario))
    bases = range(scenario.bases.shape[1])
    ends = [_talks(scenario, base, start, reserved, rounds) for base in bases for start in starts]
    return max(ends, key=lambda found: _worth(found.utilities))


def _talks(scenario: Scenario, base: int, chosen: np.ndarray, reserved: np.ndarray, rounds: int) -> Package:
    """Rounds that begin with one package."""
    log = []
    for _ in range(rounds):
        now = scenario.utilities(base, chosen)
        log.append(Proposal(base, _numbers(chosen), tuple(now.tolist()), tuple((now >= reserved).tolist())))
        best, step = _worth(now), None
        for other, trial in _changes(scenario, base, chosen):
            worth = _worth(scenario.utilities(other, trial))
            if worth > best:
                best, step = worth, (other, trial)
        if step is None:
            break
        base, chosen = step
    return package(scenario, base, chosen, tuple(log))


def package(scenario: Scenario, base: int, chosen: np.ndarray, rounds: tuple[Proposal, ...] = ()) -> Package:
    """A base with additions, and its measures."""
    utilities = scenario.utilities(base, chosen)
    cost = float(scenario.costs @ chosen)
    if cost > scenario.budget + 1e-9:
        raise InputError(f"this package costs {cost:g}, and the budget is {scenario.budget:g}")
    measured = welfare(utilities, scenario.bases.min(axis=1), _most(scenario))
    return Package(base, _numbers(chosen), utilities, cost, measured, rounds)


def _most_for_cost(scenario: Scenario) -> np.ndarray:
    """Additions [a] by their total gain per cost, for as long as the budget lasts."""
    gain = scenario.additions.sum(axis=0)
    chosen = np.zeros(len(scenario.costs), bool)
    for addition in np.argsort(-gain / scenario.costs):
        fits = scenario.costs @ chosen + scenario.costs[addition] <= scenario.budget + 1e-9
        chosen[addition] = bool(gain[addition] > 0 and scenario.allowed[addition] and fits)
    return chosen


def _changes(scenario: Scenario, base: int, chosen: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Packages one change away within the budget."""
    found = [(other, chosen) for other in range(scenario.bases.shape[1]) if other != base]
    spent = float(scenario.costs @ chosen)
    inside, outside = np.flatnonzero(chosen), np.flatnonzero(~chosen & scenario.allowed)
    for i in [None, *inside.tolist()]:
        for j in [None, *outside.tolist()]:
            freed = 0.0 if i is None else float(scenario.costs[i])
            taken = 0.0 if j is None else float(scenario.costs[j])
            if (i is None and j is None) or spent - freed + taken > scenario.budget + 1e-9:
                continue
            trial = chosen.copy()
            if i is not None:
                trial[i] = False
            if j is not None:
                trial[j] = True
            found.append((base, trial))
    return found


def _worth(utilities: np.ndarray) -> tuple[float, float]:
    """The least first, then the total; rounded, so that equal ones are equal."""
    return round(float(utilities.min()), 9), round(float(utilities.sum()), 9)


def _most(scenario: Scenario) -> np.ndarray:
    """The most each group could have: its best base and its best additions for the budget, by gain per cost."""
    gain = np.where(scenario.allowed, scenario.additions, 0.0)
    found = scenario.bases.max(axis=1).astype(np.float64)
    for group, gains in enumerate(gain):
        left = scenario.budget
        for addition in np.argsort(-gains / scenario.costs):
            if gains[addition] <= 0 or left <= 0:
                break
            share = min(left / scenario.costs[addition], 1.0)
            found[group] += share * gains[addition]
            left -= share * scenario.costs[addition]
    return found


def _numbers(chosen: np.ndarray) -> tuple[int, ...]:
    return tuple(np.flatnonzero(chosen).tolist())
