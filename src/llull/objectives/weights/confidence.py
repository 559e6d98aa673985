"""Pairs of one answer under two contexts, by how much the other context matters to it."""

from __future__ import annotations

import torch
from torch import Tensor

from llull.errors import InputError
from llull.objectives.axes import Needs, Outcome, Weight
from llull.objectives.batch import Batch, PairUnits


class ByReferenceDrop(Weight):
    """1 - exp(-max(0, drop) / scale), drop = log reference of the chosen option - the same of the rejected one.

    An altered context under which the reference finds the answer as likely as before was not altered in anything that
    the answer depends on; such a false rejection gets no weight.

    Args:
        scale: the drop, in nats, at which a pair counts 63%.
    """

    needs = Needs(reference=True)

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        if not scale > 0:
            raise InputError(f"scale: the drop that counts must be positive, not {scale:g}")
        self.scale = scale

    def forward(self, batch: Batch, outcome: Outcome) -> Tensor:
        """[m]"""
        units, reference = batch.main, batch.options.reference
        if not isinstance(units, PairUnits) or reference is None:
            raise TypeError("drops of the reference are of pairs with reference scores")
        drop = (reference[units.chosen] - reference[units.rejected]).to(outcome.losses)
        return -torch.expm1(-torch.relu(drop) / self.scale)

    def formula(self) -> tuple[str, ...]:
        """One line."""
        return (f"loss *= 1 - exp(-relu(reference(w) - reference(l)) / {self.scale:g})",)
