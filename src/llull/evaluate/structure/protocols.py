"""Do ratings agree with rankings? The order that ratings put two options in, against the order they were ranked in.

Bansal et al., Peering Through Preferences (2024), found that the two disagree more often than not, for people and for
models, and that which model is judged better then depends on how it is judged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from llull.evaluate.intervals import Estimate, mean_interval, nothing
from llull.evaluate.structure.finding import Finding, span
from llull.judgments import Preferences
from llull.judgments.views import Pairs, Ratings

_CHANCE = 0.5
_HIGH = 0.8


@dataclass(frozen=True)
class AspectAgreement:
    """How far ratings under one aspect and rankings agree."""

    aspect: str
    criterion: str
    """The criterion that the rankings were made under; empty for all together."""
    by_same: bool
    """The same person rated both options and ranked them; otherwise ratings are the mean over those who rated."""
    pairs: int
    """Ranked pairs of which both options were rated."""
    table: tuple[tuple[int, int, int], ...]
    """3 x 3: rows say higher, equal, lower by the ratings; columns higher, equal, lower by the ranking. Of two options,
    the one listed first is the one that is higher, equal or lower."""
    with_ties: Estimate
    """Share of pairs of which both say the same of higher, equal and lower; intervals by context."""
    decided: Estimate
    """The same over pairs that neither ties."""


@dataclass(frozen=True)
class Protocols(Finding):
    """Whether ratings put options in the order of the rankings."""

    question = "Do ratings agree with rankings?"

    aspects: tuple[AspectAgreement, ...]
    """From the most pairs, those by the same people first."""
    reason: str = ""

    @property
    def verdict(self) -> str:
        """One sentence that answers the question."""
        if self.reason:
            return f"The data cannot tell whether ratings agree with rankings: {self.reason}."
        most = self.aspects[0]
        who = "people's own ratings" if most.by_same else "mean ratings"
        of = f"rankings by {most.criterion!r}" if most.criterion else "rankings"
        share = f"{span(most.decided, 100)} of the pairs that neither ties, {span(most.with_ties, 100)} with ties"
        if not most.decided.n:
            return f"Ratings of {most.aspect!r} and rankings never decide the same pair, so they cannot be compared."
        if not math.isfinite(most.decided.low):
            said = f"cannot be said to agree with {of} or not, for they are all in one context"
        elif most.decided.high < _HIGH and most.decided.low <= _CHANCE:
            said = f"do not agree with {of} beyond chance"
        elif most.decided.low >= _HIGH:
            said = f"agree with {of}"
        else:
            said = f"agree with {of} only in part"
        others = len(self.aspects) - 1
        rest = f" ({others} more in the table)" if others else ""
        return f"{who.capitalize()} of {most.aspect!r} {said}: the same order in {share}{rest}."


def protocols(preferences: Preferences, *, least: int = 10) -> Protocols:
    """Compare every aspect that is rated with how the same options were ranked.

    Each annotator's ranked pair counts once under an aspect (the first judgment of it). Where the annotator rated both
    options, in that judgment or another, its own ratings count; where it did not, the mean rating of each option over
    all who rated it. The two are reported apart. Where rankings name criteria, those of the criterion that is called
    like the aspect are taken, if there is one, else all together.

    Args:
        preferences: with ratings and with rankings.
        least: aspects with fewer rated pairs are left out.
    """
    pairs, ratings = preferences.pairs(), preferences.ratings()
    if not len(pairs) or not len(ratings):
        missing = "ratings" if len(pairs) else "rankings"
        return Protocols((), f"there are no {missing}")
    found: list[AspectAgreement] = []
    for code, aspect in enumerate(ratings.aspects):
        rated = _Rated(ratings, ratings.aspect == code)
        criterion = aspect if aspect in pairs.criteria else ""
        ranked = pairs.select(pairs.criterion == pairs.criteria.index(aspect)) if criterion else pairs
        ranked = ranked.select(_first_of_each(ranked))
        own = rated.own(ranked)
        usual = np.where(np.isnan(own), rated.usual(ranked), np.nan)
        for lead, by_same in ((own, True), (usual, False)):
            known = ~np.isnan(lead)
            if known.sum() >= least:
                found.append(_agreement(aspect, criterion, by_same, ranked.select(known), lead[known]))
    if not found:
        return Protocols((), f"no aspect has {least} ranked pairs whose options were both rated")
    found.sort(key=lambda one: (not one.by_same, -one.pairs))
    return Protocols(tuple(found))


def _agreement(aspect: str, criterion: str, by_same: bool, pairs: Pairs, lead: np.ndarray) -> AspectAgreement:
    """Compare ranked pairs with how far the winner is rated above the loser, or the first-listed above the second."""
    forward = np.where(pairs.winner < pairs.loser, 1, -1)
    ranked = np.where(pairs.tie, 0, forward)
    rated = np.sign(lead).astype(int) * forward
    table = np.zeros((3, 3), int)
    np.add.at(table, (1 - rated, 1 - ranked), 1)
    same = (rated == ranked).astype(float)
    decided = (rated != 0) & (ranked != 0)
    rows = tuple((int(row[0]), int(row[1]), int(row[2])) for row in table)
    return AspectAgreement(
        aspect,
        criterion,
        by_same,
        len(pairs),
        rows,
        mean_interval(same, pairs.context, share=True),
        mean_interval(np.where(decided, same, np.nan), pairs.context, share=True) if decided.any() else nothing(),
    )


class _Rated:
    """Ratings under one aspect, to be looked up by option and by who gave them."""

    def __init__(self, ratings: Ratings, which: np.ndarray) -> None:
        option, value = ratings.option[which].astype(np.int64), ratings.value[which]
        annotator, judgment = ratings.annotator[which].astype(np.int64), ratings.judgment[which]
        self.options, self.people = len(ratings.options), len(ratings.annotators)
        counted = np.bincount(option, minlength=self.options)
        with np.errstate(invalid="ignore"):
            self.mean = np.bincount(option, value, self.options) / np.where(counted, counted, np.nan)
        # Ratings by the unknown are known to be the ranker's own in the same judgment only.
        self.whose = self._whose(annotator, judgment)
        key = self.whose * self.options + option
        keys, place, count = np.unique(key, return_inverse=True, return_counts=True)
        self.keys, self.own_mean = keys, np.bincount(place, value) / count if len(keys) else np.zeros(0)

    def own(self, pairs: Pairs) -> np.ndarray:
        """The ranker's own rating of the winner minus that of the loser: float64 [n], NaN where there is none."""
        whose = self._whose(pairs.annotator.astype(np.int64), pairs.judgment)
        return self._own_of(whose, pairs.winner) - self._own_of(whose, pairs.loser)

    def usual(self, pairs: Pairs) -> np.ndarray:
        """The mean rating of the winner minus that of the loser: float64 [n], NaN where there is none."""
        return self.mean[pairs.winner] - self.mean[pairs.loser]

    def _whose(self, annotator: np.ndarray, judgment: np.ndarray) -> np.ndarray:
        return np.where(annotator >= 0, annotator, self.people + judgment)

    def _own_of(self, whose: np.ndarray, option: np.ndarray) -> np.ndarray:
        key = whose * self.options + option
        at = np.minimum(np.searchsorted(self.keys, key), max(len(self.keys) - 1, 0))
        if not len(self.keys):
            return np.full(len(key), math.nan)
        return np.where(self.keys[at] == key, self.own_mean[at], np.nan)


def _first_of_each(pairs: Pairs) -> np.ndarray:
    """Positions of each annotator's first answer to each pair; those of unknown annotators all count."""
    low, high = np.minimum(pairs.winner, pairs.loser), np.maximum(pairs.winner, pairs.loser)
    who = np.where(pairs.annotator >= 0, pairs.annotator, len(pairs.annotators) + pairs.judgment)
    return np.sort(np.unique(np.stack([low, high, who]), axis=1, return_index=True)[1])
