"""A value head on hidden states: how good an option is, brought to known values and to the judged order."""

from __future__ import annotations

import torch
from torch import Tensor

from llull.objectives.axes import Needs, Regulariser
from llull.objectives.batch import MAIN, Batch, PairUnits, Units
from llull.objectives.regularisers.heads import HiddenHead, hidden_states
from llull.objectives.scores.offsets import known_column


class ValueHead(Regulariser):
    """error * mean squared error of V to known values + order * max(0, margin - (V(w) - V(l))), V = tanh(h . a + b).

    The head stays with the objective's state; a search over steps reads it.

    Args:
        error: weight of the squared errors of a pair's two values.
        order: weight of the ranking hinge.
        margin: by how much the chosen option's value should lead.
        width: of the hidden state; found from the model if not given.
        column: the known values of options, in [-1, 1].
    """

    def __init__(
        self,
        error: float = 1.0,
        order: float = 1.0,
        margin: float = 0.1,
        width: int | None = None,
        column: str = "value",
    ) -> None:
        super().__init__(MAIN, 1.0)
        self.error, self.order, self.margin, self.column = error, order, margin, column
        self.needs = Needs(hidden=True, columns=frozenset({column}))
        self.head = HiddenHead(1, width)

    def values(self, hidden: Tensor) -> Tensor:
        """V of hidden states [n, d]: [n], in (-1, 1)."""
        return torch.tanh(self.head(hidden)).squeeze(-1)

    def forward(self, batch: Batch, units: Units) -> Tensor:
        """[u]"""
        if not isinstance(units, PairUnits):
            raise TypeError("values of sibling steps are compared in PairUnits")
        value = self.values(hidden_states(batch))
        missed = (value - known_column(batch, self.column).to(value)).square()
        error = (missed[units.chosen] + missed[units.rejected]) / 2
        order = torch.relu(self.margin - (value[units.chosen] - value[units.rejected]))
        return (self.error * error + self.order * order).to(batch.options.policy.dtype)

    def formula(self) -> tuple[str, ...]:
        """Two lines; ``V(y)`` is what the head says."""
        error = f"((V(w) - {self.column}(w)) ** 2 + (V(l) - {self.column}(l)) ** 2) / 2"
        return (f"loss += {self.error:g} * {error}", f"loss += {self.order:g} * relu({self.margin:g} - (V(w) - V(l)))")
