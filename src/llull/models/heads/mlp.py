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
        dropout: share of units left out of each learning step, in [0, 1), the same for both options of a pair. A
            model with dropout can be asked several times, each time without some units
            (see `llull.models.ensemble.dropout_doubt`).
    """

    hidden: tuple[int, ...] = (64,)
    learning: Learning = field(default_factory=Learning)
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout={self.dropout} is no share from 0 to below 1")
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
        return self._units(hidden, rows, [None] * len(self.hidden))

    def contrast(self, hidden: Hidden, sides: Sides) -> Any:
        """Differences of the last layer's units [n, p]."""
        kept: list[Any] = [None] * len(self.hidden)
        if self.dropout and not isinstance(sides.winner, np.ndarray):
            kept = self._kept_in_learning(sides.winner)
        return self._units(hidden, sides.winner, kept) - self._units(hidden, sides.loser, kept)

    def sampled(self, hidden: Hidden, sides: Sides, random: np.random.Generator) -> np.ndarray:
        """`contrast` without some units, the same for all pairs, at random: [n, p]."""
        kept = [(random.random(units) >= self.dropout) / (1 - self.dropout) for units in self.hidden]
        return self._units(hidden, sides.winner, kept) - self._units(hidden, sides.loser, kept)

    def _units(self, hidden: Hidden, rows: Any, kept: list[Any]) -> Any:
        """The last layer's units [m, p], each layer's multiplied by what is kept of them, None for all."""
        for layer, mask in enumerate(kept):
            rows = (rows @ hidden[f"weight{layer}"] + hidden[f"bias{layer}"]).clip(0)
            rows = rows if mask is None else rows * mask
        return rows

    def _kept_in_learning(self, rows: Any) -> list[Any]:
        """What is kept of each layer's units for each pair; everything where no gradients are taken."""
        import torch

        if not torch.is_grad_enabled():
            return [None] * len(self.hidden)
        ones = [rows.new_ones(len(rows), units) for units in self.hidden]
        return [torch.nn.functional.dropout(one, self.dropout) for one in ones]
