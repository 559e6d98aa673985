"""Rewards held around zero, which a comparison alone leaves free."""

from __future__ import annotations

from torch import Tensor

from llull.errors import InputError
from llull.objectives.axes import Regulariser
from llull.objectives.batch import MAIN, Batch, PairUnits, Units


class Centering(Regulariser):
    """(r(w) + r(l)) ** 2 of each pair: only differences of rewards are judged, and this settles where zero lies.

    Auxiliary loss of Eisenstein et al. 2023 ("Helping or Herding?"), section 2.

    Args:
        weight: of the term.
    """

    def __init__(self, weight: float = 0.01) -> None:
        super().__init__(MAIN, weight)
        if not weight > 0:
            raise InputError(f"centering: the weight must be positive, not {weight:g}")

    def forward(self, batch: Batch, units: Units) -> Tensor:
        """[u]"""
        if not isinstance(units, PairUnits):
            raise TypeError("rewards are centered over PairUnits")
        reward = batch.options.policy
        return (reward[units.chosen] + reward[units.rejected]) ** 2

    def formula(self) -> tuple[str, ...]:
        """One line; ``policy(y)`` stands for the reward."""
        return (f"loss += {self.weight:g} * (policy(w) + policy(l)) ** 2",)
