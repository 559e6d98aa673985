"""Simulated leagues: items with known strengths, and votes between them."""

from __future__ import annotations

import numpy as np

from llull.models.links.link import Link
from llull.rank import Ballots


def league(
    seed: int,
    link: Link,
    *,
    items: int = 8,
    votes: int = 2_000,
    theta: tuple[float, ...] = (),
    spread: float = 1.0,
    home: float = 0.0,
) -> tuple[Ballots, np.ndarray]:
    """Votes drawn from a link, and the strengths behind them, which sum to 0."""
    random = np.random.default_rng(seed)
    strengths = random.normal(size=items) * spread
    strengths -= strengths.mean()
    left = random.integers(items, size=votes)
    right = (left + random.integers(1, items, size=votes)) % items
    chances = link.outcomes(strengths[left] - strengths[right] + home, np.array(theta))
    drawn = (random.random((votes, 1)) > np.cumsum(chances, axis=1)).sum(axis=1)
    outcome = np.array([1, 0, -1])[np.minimum(drawn, 2)]
    return Ballots.from_columns(left, right, outcome), strengths
