"""Heads that let the context say what counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from llull.errors import InputError
from llull.models.fitting.learning import Learning
from llull.models.heads.head import Hidden
from llull.models.heads.learned import LearnedHead, softmax
from llull.models.votes import Sides


@dataclass(frozen=True)
class Gated(LearnedHead):
    """Utility is sum_j w_j g_j(c) x_j: the context gates features, the scores of several objectives or attributes.

    g = softmax(c G + b). With ratings of several aspects as features this is the gating of ArmoRM (Wang et al., 2024)
    whose gates know nothing of the options; `Attention` looks at them too. ``dropout`` leaves features out in learning
    so that none is leant on alone.

    Args:
        dropout: share of features left out of each learning step, in [0, 1).
        learning: how Adam learns G.
    """

    dropout: float = 0.0
    learning: Learning = field(default_factory=Learning)

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout={self.dropout} is no share from 0 to below 1")

    @property
    def reads_context(self) -> bool:
        """Yes."""
        return True

    def start(self, features: int, contexts: int, random: np.random.Generator) -> Hidden:
        """Gates that are nearly even."""
        return {"gate": random.normal(size=(contexts, features)) * 1e-2, "bias": np.zeros(features)}

    def contrast(self, hidden: Hidden, sides: Sides) -> Any:
        """Gated differences [n, d]."""
        gap = sides.winner - sides.loser
        if self.dropout and not isinstance(gap, np.ndarray):
            gap = _thinned(gap, self.dropout)
        return self._gates(hidden, sides.context) * gap

    def basis(self, hidden: Hidden, rows: np.ndarray, context: np.ndarray | None = None) -> np.ndarray:
        """Gated features [m, d]."""
        return self._gates(hidden, context) * rows

    def weighed(self, features: int) -> np.ndarray:
        """Positions of the features that are gated: all of them."""
        return np.arange(features)

    def shares(self, hidden: Hidden, rows: Any, context: Any) -> Any:
        """How far each feature counts in each row's context, on average 1: [m, d]."""
        return self._gates(hidden, context)

    def _gates(self, hidden: Hidden, context: Any) -> Any:
        return softmax(context @ hidden["gate"] + hidden["bias"]) * len(hidden["bias"])


def _thinned(rows: Any, share: float) -> Any:
    """Rows with a share of their entries 0 and the others larger by as much, while gradients are taken."""
    import torch

    return torch.nn.functional.dropout(rows, share, training=torch.is_grad_enabled())
