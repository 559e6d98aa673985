"""A head for preferences that depend on what was asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from llull.errors import InputError
from llull.models.fitting.learning import Learning
from llull.models.heads.head import Hidden
from llull.models.heads.learned import LearnedHead, joined
from llull.models.votes import Sides


@dataclass(frozen=True)
class Bilinear(LearnedHead):
    """Utility is w . x + sum_r v_r (c . a_r)(x . b_r): what counts in an option x depends on the context c.

    A and B are learned by Adam, the weights w and v above them fitted to their optimum. Needs an encoder that encodes
    contexts.

    Args:
        rank: how many products.
        learning: how Adam learns A and B.
    """

    rank: int = 8
    learning: Learning = field(default_factory=lambda: Learning(weight_decay=0.1, restarts=3))

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise InputError(f"rank={self.rank} leaves no products; give at least 1")

    @property
    def reads_context(self) -> bool:
        """Yes."""
        return True

    def start(self, features: int, contexts: int, random: np.random.Generator) -> Hidden:
        """Normal matrices [e, rank] and [d, rank]."""
        return {
            "of_context": random.normal(size=(contexts, self.rank)) * contexts**-0.5,
            "of_option": random.normal(size=(features, self.rank)) * features**-0.5,
        }

    def contrast(self, hidden: Hidden, sides: Sides) -> Any:
        """Differences of features and of products: [n, d + rank]."""
        gap = sides.winner - sides.loser
        return joined(gap, (sides.context @ hidden["of_context"]) * (gap @ hidden["of_option"]))

    def basis(self, hidden: Hidden, rows: np.ndarray, context: np.ndarray | None = None) -> np.ndarray:
        """Features and products: [m, d + rank]."""
        assert context is not None
        return joined(rows, (context @ hidden["of_context"]) * (rows @ hidden["of_option"]))
