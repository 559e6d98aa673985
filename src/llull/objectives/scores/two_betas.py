"""A log-ratio that counts differently on the two sides of a pair."""

from __future__ import annotations

from torch import Tensor

from llull.objectives.axes import Needs, Score
from llull.objectives.batch import Batch, PairUnits
from llull.objectives.scores.log_ratio import checked_beta


class TwoBetas(Score):
    """s = beta_w * log-ratio of the chosen option, beta_l * log-ratio of the rejected one.

    Args:
        chosen: beta of the chosen option.
        rejected: beta of the rejected one; smaller, so that it falls less fast.
    """

    needs = Needs(reference=True)

    def __init__(self, chosen: float = 0.1, rejected: float = 0.08) -> None:
        super().__init__()
        self.chosen, self.rejected = checked_beta(chosen), checked_beta(rejected)

    def forward(self, batch: Batch) -> Tensor:
        """As if chosen: [n]."""
        return self.chosen * batch.options.ratio

    def pair(self, batch: Batch, units: PairUnits) -> tuple[Tensor, Tensor]:
        """[m], [m]"""
        ratio = batch.options.ratio
        return self.chosen * ratio[units.chosen], self.rejected * ratio[units.rejected]

    def rounding(self, batch: Batch) -> Tensor:
        """[n]: of the larger beta."""
        return max(self.chosen, self.rejected) * batch.options.rounding

    def formula(self) -> tuple[str, ...]:
        """One line."""
        return (f"s(y) = ({self.chosen:g} if y == w else {self.rejected:g}) * (policy(y) - reference(y))",)
