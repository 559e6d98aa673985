"""Choice from whole rankings: counts of places, approvals, and elimination."""

from __future__ import annotations

import numpy as np

from llull.errors import InputError
from llull.rank.social.profile import Profile


def borda(profile: Profile) -> np.ndarray:
    """Items each is above, minus items it is below, summed over voters: float64 [n] (Borda, 1784).

    It is twice the usual count but for a constant, and holds for ties and for rankings that leave items out.
    """
    preferred = profile.preferred()
    return (preferred - preferred.T).sum(axis=1)


def plurality(profile: Profile) -> np.ndarray:
    """Weight of first places: float64 [n]; a tie for the first place is shared."""
    known = np.where(np.isnan(profile.tiers), np.inf, profile.tiers)
    first = np.isfinite(known) & (known == known.min(axis=1, keepdims=True))
    return profile.weight @ (first / np.maximum(first.sum(axis=1, keepdims=True), 1))


def approval(profile: Profile, tiers: int = 1) -> np.ndarray:
    """Weight of the voters who put each item into their best tiers: float64 [n] (Brams and Fishburn, 1978)."""
    if tiers < 1:
        raise InputError("approval takes at least the best tier")
    return np.asarray(profile.weight @ (profile.tiers < tiers))


def instant_runoff(profile: Profile) -> list[int]:
    """Leave out the item with the least first places until one is left; the order is that of leaving, turned round.

    Of items with equally few, the one with the lowest Borda count goes, and of these the one listed last.
    """
    left, gone = list(range(len(profile.items))), []
    while left:
        among = profile.select(left)
        firsts, counts = plurality(among), borda(among)
        last = min(range(len(left)), key=lambda k: (round(float(firsts[k]), 9), float(counts[k]), -k))
        gone.append(left.pop(last))
    return gone[::-1]
