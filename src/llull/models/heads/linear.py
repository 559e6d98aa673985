"""The linear head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llull.models.heads.head import Head, Hidden
from llull.models.links.link import Link
from llull.models.votes import Sides, Votes


@dataclass(frozen=True)
class Linear(Head):
    """Utility is a weighted sum of standardized features; a contrast is their difference."""

    def learn(self, votes: Votes, link: Link, seed: int) -> Hidden:
        """Nothing is below the weights."""
        return {}

    def contrast(self, hidden: Hidden, sides: Sides) -> np.ndarray:
        """Differences of features [n, d]."""
        return sides.winner - sides.loser

    def basis(self, hidden: Hidden, rows: np.ndarray, context: np.ndarray | None = None) -> np.ndarray:
        """The features themselves [m, d]."""
        return rows

    def names(self, features: tuple[str, ...]) -> tuple[str, ...]:
        """The names of the features."""
        return features
