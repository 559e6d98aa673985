"""The value of an option itself: what a reward model gives instead of a log-probability."""

from __future__ import annotations

from torch import Tensor

from llull.errors import InputError
from llull.objectives.axes import Score
from llull.objectives.batch import Batch


class Reward(Score):
    """s(y) = scale * the option's value, which a model with a reward head gives as its "log-probability".

    Args:
        scale: how much one unit of reward is worth in log-odds.
    """

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        if not scale > 0:
            raise InputError(f"scale must be positive, not {scale:g}")
        self.scale = scale

    def forward(self, batch: Batch) -> Tensor:
        """[n]"""
        return self.scale * batch.options.policy

    def formula(self) -> tuple[str, ...]:
        """One line; ``policy(y)`` stands for the reward."""
        return (f"s(y) = {self.scale:g} * policy(y)",)
