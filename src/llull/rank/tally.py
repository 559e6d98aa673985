"""Votes counted into cells: what a likelihood needs of millions of votes fits in a table of pairs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from llull.rank.ballots import Ballots

_TABLE = 8_000_000
"""Cells that are counted in a table; more possible ones are sorted instead."""


@dataclass(frozen=True)
class Tally:
    """Cells: pairs of items, who won, and what differs between them. Arrays have length c, the number of cells."""

    items: int
    winner: np.ndarray
    """int64"""
    loser: np.ndarray
    """int64"""
    tie: np.ndarray
    """bool"""
    weight: np.ndarray
    """float64: sum of the weights of a cell's votes."""
    squares: np.ndarray
    """float64: sum of their squares."""
    covariates: np.ndarray
    """float64 [c, k]"""
    cell: np.ndarray
    """int64 [n]: the cell of each vote."""

    def __len__(self) -> int:
        return len(self.winner)

    def select(self, which: np.ndarray) -> Tally:
        """Some of the cells; votes of others have cell -1."""
        place = np.full(len(self) + 1, -1, np.int64)
        place[:-1][which] = np.arange(int(which.sum()) if which.dtype == bool else len(which))
        names = ("winner", "loser", "tie", "weight", "squares", "covariates")
        return replace(self, **{name: getattr(self, name)[which] for name in names}, cell=place[self.cell])

    @cached_property
    def games(self) -> np.ndarray:
        """float64 [items]: weight of the votes each item is in."""
        return np.bincount(self.winner, self.weight, self.items) + np.bincount(self.loser, self.weight, self.items)

    @cached_property
    def n_effective(self) -> float:
        """How many votes of equal weight carry as much: (sum w)^2 / sum w^2 (Kish, 1965)."""
        squares = float(self.squares.sum())
        return float(self.weight.sum()) ** 2 / squares if squares else 0.0


def tally(ballots: Ballots) -> Tally:
    """Count votes into cells. Votes of weight 0 count nowhere."""
    size = len(ballots.items)
    winner, loser = ballots.winner.astype(np.int64), ballots.loser.astype(np.int64)
    values = ballots.covariates if ballots.covariates.size else np.empty((len(ballots), 0))
    # A tie says the same of both, so it has one cell, whichever was listed first.
    turned = ballots.tie & (winner > loser)
    if turned.any():
        winner, loser = np.where(turned, loser, winner), np.where(turned, winner, loser)
        values = np.where(turned[:, None], -values, values)
    key = (winner * size + loser) * 2 + ballots.tie
    possible = 2 * size * size
    code, kinds = _kinds(values)
    if kinds > 1:
        key, possible = key * kinds + code, possible * kinds
    first, cell = _numbered(key, possible)
    weight = np.bincount(cell, ballots.weight, len(first))
    squares = np.bincount(cell, ballots.weight * ballots.weight, len(first))
    found = Tally(size, winner[first], loser[first], ballots.tie[first], weight, squares, values[first], cell)
    return found if bool((weight > 0).all()) else found.select(weight > 0)


def _kinds(values: np.ndarray) -> tuple[np.ndarray | int, int]:
    """A number for each row of covariates, the same for the same; and how many numbers there may be."""
    if not values.shape[1]:
        return 0, 1
    if len(np.unique(values[:10_000, 0])) > 100:
        return np.arange(len(values)), len(values)
    unique, code = np.unique(values, axis=0, return_inverse=True)
    return code.ravel(), len(unique)


def _numbered(key: np.ndarray, possible: int) -> tuple[np.ndarray, np.ndarray]:
    """The first position of each key that occurs, in the order of keys; and the place of each entry among them."""
    if possible > max(_TABLE, 4 * len(key)):
        _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
        return first, inverse
    first = np.full(possible, -1, np.int64)
    first[key[::-1]] = np.arange(len(key) - 1, -1, -1)
    there = first >= 0
    return first[there], (np.cumsum(there) - 1)[key]
