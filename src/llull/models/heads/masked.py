"""A head whose criterion says which part of the question counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from llull.errors import InputError
from llull.models.fitting.learning import Learning
from llull.models.heads.head import Hidden
from llull.models.heads.learned import LearnedHead, joined, sigmoid
from llull.models.votes import Sides


@dataclass(frozen=True)
class Masked(LearnedHead):
    """Utility is w . x + sum_r v_r ((m(c) * c) . a_r)(x . b_r): products as those of `Bilinear`, of a masked context.

    The mask m = sigmoid(c U V + o) says how far each feature of the context counts. With ``criteria`` the context c
    holds features of the criterion too, and one scorer serves several criteria, each of which looks at its own part of
    question and option: the condition mask of a multi-dimensional preference score (MPS, Zhang et al., 2024), on
    features of whole texts instead of tokens. Without a mask, a criterion could only be added to the question.

    Args:
        rank: how many products.
        masks: how many directions masks differ in, the width of U.
        learning: how Adam learns masks and products.
    """

    rank: int = 24
    masks: int = 4
    learning: Learning = field(default_factory=lambda: Learning(learning_rate=1e-2, weight_decay=0.1, epochs=60))

    def __post_init__(self) -> None:
        if self.rank < 1 or self.masks < 1:
            raise InputError(f"rank={self.rank} and masks={self.masks} must each be at least 1")

    @property
    def reads_context(self) -> bool:
        """Yes."""
        return True

    def start(self, features: int, contexts: int, random: np.random.Generator) -> Hidden:
        """Normal matrices, and masks that are about half open."""
        return {
            "of_context": random.normal(size=(contexts, self.rank)) * contexts**-0.5,
            "of_option": random.normal(size=(features, self.rank)) * features**-0.5,
            "told": random.normal(size=(contexts, self.masks)) * contexts**-0.5,
            "mask": random.normal(size=(self.masks, contexts)),
            "open": np.zeros(contexts),
        }

    def contrast(self, hidden: Hidden, sides: Sides) -> Any:
        """Differences of features and of products: [n, d + rank]."""
        gap = sides.winner - sides.loser
        return joined(gap, self._seen(hidden, sides.context) * (gap @ hidden["of_option"]))

    def basis(self, hidden: Hidden, rows: np.ndarray, context: np.ndarray | None = None) -> np.ndarray:
        """Features and products: [m, d + rank]."""
        return joined(rows, self._seen(hidden, context) * (rows @ hidden["of_option"]))

    @staticmethod
    def _seen(hidden: Hidden, context: Any) -> Any:
        """What is seen of the contexts behind their masks: [n, rank]."""
        mask = sigmoid(context @ hidden["told"] @ hidden["mask"] + hidden["open"])
        return (mask * context) @ hidden["of_context"]
