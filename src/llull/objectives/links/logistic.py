"""The Bradley-Terry link: a judgment is as likely as the logistic of the scores' difference."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import logsigmoid

from llull.objectives.axes import PairLink


class Logistic(PairLink):
    """-log sigmoid(chosen - rejected - margin).

    Args:
        margin: by how much the chosen option has to lead before half the loss is gone.
    """

    def __init__(self, margin: float = 0.0) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, chosen: Tensor, rejected: Tensor) -> Tensor:
        """[m]"""
        return -logsigmoid(chosen - rejected - self.margin)

    def formula(self) -> tuple[str, ...]:
        """One line."""
        less = f" - {self.margin:g}" if self.margin else ""
        return (f"link(a, b) = -log(sigmoid(a - b{less}))",)
