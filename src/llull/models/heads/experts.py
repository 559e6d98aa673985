"""A head of several experts among whom the context chooses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from llull.errors import InputError
from llull.models.fitting.learning import Learning
from llull.models.heads.head import Hidden
from llull.models.heads.learned import LearnedHead, joined, softmax
from llull.models.votes import Sides


@dataclass(frozen=True)
class Experts(LearnedHead):
    """Utility is sum_k g_k(c) w_k . x: experts with weights of their own, and a context's share in each.

    The gates g = softmax(c G) are learned by Adam, the experts' weights fitted to their optimum above them. With
    ``inner``, each expert has rectified units of its own beside x, max(0, x A_k + b_k), which say how features work
    together under it. On scores of capabilities as features (`llull.models.rewards.capability_scores`) these are the
    outer and inner experts of DMoERM (Quan, 2024).

    Args:
        experts: how many.
        learning: how Adam learns the gates and units.
        inner: units of each expert.
    """

    experts: int = 4
    learning: Learning = field(default_factory=lambda: Learning(weight_decay=0.1, restarts=3))
    inner: int = 0

    def __post_init__(self) -> None:
        if self.experts < 2:
            raise InputError(f"experts={self.experts}: give at least 2; one is the Linear head")
        if self.inner < 0:
            raise InputError(f"inner={self.inner} is no number of units; give 0 for none")

    @property
    def reads_context(self) -> bool:
        """Yes."""
        return True

    def start(self, features: int, contexts: int, random: np.random.Generator) -> Hidden:
        """Gates that are far from even, so that experts differ, and normal units."""
        found: Hidden = {"gate": random.normal(size=(contexts, self.experts)) * 2 * contexts**-0.5}
        if self.inner:
            units = self.experts * self.inner
            found["inner"] = random.normal(size=(features, units)) * (2 / features) ** 0.5
            found["inner_bias"] = np.zeros(units)
        return found

    def contrast(self, hidden: Hidden, sides: Sides) -> Any:
        """What differs, once for each expert times its share: [n, experts * (d + inner)]."""
        winner, loser = self._units(hidden, sides.winner), self._units(hidden, sides.loser)
        units = None if winner is None else winner - loser
        return self._spread(hidden, sides.winner - sides.loser, units, sides.context)

    def basis(self, hidden: Hidden, rows: np.ndarray, context: np.ndarray | None = None) -> np.ndarray:
        """Features and units, once for each expert times its share: [m, experts * (d + inner)]."""
        return self._spread(hidden, rows, self._units(hidden, rows), context)

    def _units(self, hidden: Hidden, rows: Any) -> Any:
        """Of all experts, side by side [n, experts * inner]; None where there are none."""
        return (rows @ hidden["inner"] + hidden["inner_bias"]).clip(0) if self.inner else None

    def _spread(self, hidden: Hidden, rows: Any, units: Any, context: Any) -> Any:
        shares = softmax(context @ hidden["gate"])[:, :, None]
        found = (shares * rows[:, None, :]).reshape(len(rows), -1)
        if units is None:
            return found
        return joined(found, (shares * units.reshape(len(rows), self.experts, self.inner)).reshape(len(rows), -1))
