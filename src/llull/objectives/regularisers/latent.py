"""Distances between hidden states: some kept apart, others together."""

from __future__ import annotations

import torch
from torch import Tensor

from llull.errors import InputError
from llull.objectives.axes import Kind, Needs, Regulariser
from llull.objectives.batch import Batch, PairUnits, Units


class LatentDistance(Regulariser):
    """max(0, bound - distance) that keeps two options apart, or max(0, distance - bound) that keeps them together.

    The distance is Euclidean, between hidden states at the options' ends.

    Args:
        of: the name of pairs of options; which one is ``chosen`` does not matter.
        weight: of the term.
        bound: in units of the hidden states; it has to grow with their norm.
        apart: which of the two.
    """

    kind: Kind = "pairs"

    def __init__(self, of: str, weight: float = 1.0, bound: float = 1.0, apart: bool = True) -> None:
        super().__init__(of, weight)
        self.bound, self.apart = bound, apart
        self.needs = Needs(hidden=True, units=frozenset({of}))

    def forward(self, batch: Batch, units: Units) -> Tensor:
        """[u]"""
        hidden = batch.options.hidden
        if not isinstance(units, PairUnits):
            raise InputError(f"units {self.of!r}: distances are of pairs, not of {type(units).__name__}")
        if hidden is None:
            raise ValueError("distances are between hidden states, and the batch has none")
        gap = hidden[units.chosen] - hidden[units.rejected]
        # The gradient of a root is infinite at 0; a tiny square keeps it finite.
        distance = (gap.square().sum(-1) + 1e-12).sqrt()
        beyond = self.bound - distance if self.apart else distance - self.bound
        return torch.relu(beyond).to(batch.options.policy.dtype)

    def formula(self) -> tuple[str, ...]:
        """One line."""
        inside = f"{self.bound:g} - distance({self.of})" if self.apart else f"distance({self.of}) - {self.bound:g}"
        return (f"loss += {self.weight:g} * relu({inside})",)
