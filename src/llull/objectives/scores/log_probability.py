"""The log-probability itself, without a reference."""

from __future__ import annotations

from torch import Tensor

from llull.objectives.axes import Score
from llull.objectives.batch import Batch
from llull.objectives.scores.log_ratio import Reduction, checked_beta, checked_reduction


class LogProbability(Score):
    """s(y) = beta * log policy(y), averaged over tokens or summed.

    Args:
        beta: how much a nat is worth.
        reduction: ``mean`` over the option's tokens, or their ``sum``.
    """

    def __init__(self, beta: float = 1.0, reduction: Reduction = "mean") -> None:
        super().__init__()
        self.beta, self.reduction = checked_beta(beta), checked_reduction(reduction)

    def forward(self, batch: Batch) -> Tensor:
        """[n]"""
        score = self.beta * batch.options.policy
        return score / batch.options.lengths if self.reduction == "mean" else score

    def formula(self) -> tuple[str, ...]:
        """One line."""
        by = " / length(y)" if self.reduction == "mean" else ""
        return (f"s(y) = {self.beta:g} * policy(y){by}",)
