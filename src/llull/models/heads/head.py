"""The head axis: what a pair of options looks like to a vector of weights.

Every margin is ``contrast(hidden, winner, loser) @ weights``. The contrast is what a head is; the weights above it are
fitted to their optimum by the populations, so that all heads share one solver, one uncertainty and one adaptation.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from llull.models.links.link import Link
from llull.models.votes import Sides, Votes

Hidden = dict[str, np.ndarray]
"""Named arrays that a head learns below the weights."""


class Head(ABC):
    """What populations ask of a head."""

    @property
    def reads_context(self) -> bool:
        """Whether it needs features of contexts."""
        return False

    @abstractmethod
    def learn(self, votes: Votes, link: Link, seed: int) -> Hidden:
        """Learn what is below the weights from these votes."""

    @abstractmethod
    def contrast(self, hidden: Hidden, sides: Sides) -> np.ndarray:
        """Rows [n, p] for pairs of rows of features [n, d]; swapping the two changes the sign."""

    @abstractmethod
    def basis(self, hidden: Hidden, rows: np.ndarray, context: np.ndarray | None = None) -> np.ndarray | None:
        """Rows [m, p] in which the utility is ``basis @ weights``; None for a head without a utility.

        Args:
            hidden: what was learned.
            rows: features [m, d].
            context: features of the rows' contexts [m, e], for a head that reads them.
        """

    @abstractmethod
    def names(self, features: tuple[str, ...]) -> tuple[str, ...] | None:
        """What each weight is about, given the names of the features; None where no one could say."""
