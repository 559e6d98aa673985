"""A head with hidden layers."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from llull.errors import InputError
from llull.models.fitting.learning import Learning
from llull.models.heads.head import Hidden
from llull.models.heads.learned import LearnedHead
from llull.models.votes import Sides


@dataclass(frozen=True)
class MLP(LearnedHead):
    """Utility is a weighted sum of the last of some layers of rectified units.

    The layers are learned by Adam on shuffled batches, and kept as they were when the loss on a fifth of the
    contexts was least. The weights of the last layer are then fitted to their optimum on all votes, like those
    of a linear head, with l2 chosen on the same fifth. Learning needs torch (``pip install 'llull[text]'``);
    predicting does not.

    Args:
        hidden: units of each layer.
        learning: how Adam learns the layers.
    """

    hidden: tuple[int, ...] = (64,)
    learning: Learning = field(default_factory=Learning)

    def __post_init__(self) -> None:
        if not self.hidden or min(self.hidden) < 1:
            raise InputError(f"hidden={self.hidden} has no units; give the size of each layer, such as (64,)")

    def start(self, features: int, contexts: int, random: np.random.Generator) -> Hidden:
        """Normal weights of variance 2 / inputs (He et al., 2015), and no biases."""
        found: Hidden = {}
        for layer, (inputs, units) in enumerate(pairwise([features, *self.hidden])):
            found[f"weight{layer}"] = random.normal(size=(inputs, units)) * (2 / inputs) ** 0.5
            found[f"bias{layer}"] = np.zeros(units)
        return found

    def basis(self, hidden: Hidden, rows: Any, context: Any = None) -> Any:
        """The last layer's units [m, p]."""
        for layer in range(len(self.hidden)):
            rows = (rows @ hidden[f"weight{layer}"] + hidden[f"bias{layer}"]).clip(0)
        return rows

    def contrast(self, hidden: Hidden, sides: Sides) -> Any:
        """Differences of the last layer's units [n, p]."""
        return self.basis(hidden, sides.winner) - self.basis(hidden, sides.loser)
