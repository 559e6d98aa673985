"""Who ranked what above what: the input of social choice, which asks for no utilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from llull.errors import InputError
from llull.judgments import Preferences
from llull.rank.ballots import Ballots, Of, named_items


@dataclass(frozen=True)
class Profile:
    """Rankings of items by voters, ties and gaps allowed."""

    items: tuple[str, ...]
    tiers: np.ndarray
    """float64 [voters, n]: the tier of each item in each ranking, 0 the best; NaN for an item that it leaves out."""
    weight: np.ndarray
    """float64 [voters]"""

    def __post_init__(self) -> None:
        if self.tiers.shape != (len(self.weight), len(self.items)):
            raise InputError(
                f"tiers have shape {self.tiers.shape}, for {len(self.weight)} voters and {len(self.items)} items"
            )

    @classmethod
    def from_rankings(
        cls, rankings: Sequence[Sequence[str | Sequence[str]]], weight: Sequence[float] | None = None
    ) -> Profile:
        """Rankings as lists of names, best first; a list within a list is a tie.

        Examples:
            >>> Profile.from_rankings([["a", "b"], ["b", ["a", "c"]]]).items
            ('a', 'b', 'c')
        """
        tiers = [[[entry] if isinstance(entry, str) else list(entry) for entry in ranking] for ranking in rankings]
        items = sorted({name for ranking in tiers for tier in ranking for name in tier})
        place = {name: i for i, name in enumerate(items)}
        found = np.full((len(tiers), len(items)), np.nan)
        for row, ranking in enumerate(tiers):
            for tier, names in enumerate(ranking):
                for name in names:
                    if not np.isnan(found[row, place[name]]):
                        raise InputError(f"ranking {row} holds {name!r} twice")
                    found[row, place[name]] = tier
        return cls(tuple(items), found, np.ones(len(tiers)) if weight is None else np.asarray(weight, np.float64))

    @classmethod
    def from_utilities(cls, utilities: np.ndarray, items: Sequence[str]) -> Profile:
        """One voter for each row of utilities [voters, n]; equal utilities are ties, NaN is left out."""
        utilities = np.asarray(utilities, np.float64)
        tiers = np.full(utilities.shape, np.nan)
        for row, values in enumerate(utilities):
            known = ~np.isnan(values)
            tiers[row, known] = np.unique(-values[known], return_inverse=True)[1].ravel()
        return cls(tuple(items), tiers, np.ones(len(utilities)))

    @classmethod
    def from_preferences(cls, preferences: Preferences, *, of: Of = "source") -> Profile:
        """A ranking for each judgment; one that shows an item twice counts its better place."""
        view = preferences.rankings()
        code, names = named_items(view.options, of)
        found = np.full((len(view), len(names)), np.inf)
        row = np.repeat(np.arange(len(view)), np.diff(view.start))
        np.minimum.at(found, (row, code[view.option]), view.tier.astype(np.float64))
        return cls(names, np.where(np.isfinite(found), found, np.nan), view.weight)

    def select(self, items: Sequence[int]) -> Profile:
        """The same voters on some of the items."""
        which = np.asarray(items, int)
        return Profile(tuple(self.items[i] for i in which), self.tiers[:, which], self.weight)

    def preferred(self) -> np.ndarray:
        """Weight of the voters who put item i above item j: float64 [n, n]. Items left out are compared with none."""
        found = np.zeros((len(self.items),) * 2)
        for i in range(len(self.items)):
            found[i] = self.weight @ (self.tiers[:, i, None] < self.tiers)
        return found


def preferred_in(ballots: Ballots) -> np.ndarray:
    """Weight of the votes for item i against item j: float64 [n, n]; a tie counts half for each."""
    size = len(ballots.items)
    code = ballots.winner.astype(np.int64) * size + ballots.loser
    weight = np.where(ballots.tie, 0.5, 1.0) * ballots.weight
    found = np.bincount(code, weight, size * size).reshape(size, size)
    half = np.bincount(code[ballots.tie], weight[ballots.tie], size * size).reshape(size, size)
    return found + half.T
