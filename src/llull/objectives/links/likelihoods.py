"""Links in which an option's probability itself goes up or down."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from llull.objectives.axes import PairLink, SingleLink
from llull.objectives.extremes import log1mexp


class SignedLikelihood(SingleLink):
    """-score of an accepted option, +score of a rejected one; unbounded below without something that holds it."""

    def accept(self, score: Tensor) -> Tensor:
        """[m]"""
        return -score

    def reject(self, score: Tensor) -> Tensor:
        """[m]"""
        return score

    def formula(self) -> tuple[str, ...]:
        """Two lines."""
        return ("accept(a) = -a", "reject(a) = a")


class AcceptedLikelihood(SingleLink):
    """-score of an accepted option; a rejected one teaches nothing."""

    def accept(self, score: Tensor) -> Tensor:
        """[m]"""
        return -score

    def reject(self, score: Tensor) -> Tensor:
        """[m]"""
        return torch.zeros_like(score)

    def formula(self) -> tuple[str, ...]:
        """Two lines."""
        return ("accept(a) = -a", "reject(a) = 0")


class Unlikelihood(SingleLink):
    """-score of an accepted option, -log(1 - exp(score)) of a rejected one; the score is a log-probability."""

    def accept(self, score: Tensor) -> Tensor:
        """[m]"""
        return -score

    def reject(self, score: Tensor) -> Tensor:
        """[m]"""
        return -log1mexp(score)

    def formula(self) -> tuple[str, ...]:
        """Two lines."""
        return ("accept(a) = -a", "reject(a) = -log1mexp(a)")


class WithAbsolute(PairLink):
    """-log sigmoid(a - b) - weight * (log sigmoid(a) + log sigmoid(-b)): order, and on which side of zero.

    Args:
        weight: of the two absolute terms.
    """

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, chosen: Tensor, rejected: Tensor) -> Tensor:
        """[m]"""
        return -logsigmoid(chosen - rejected) - self.weight * (logsigmoid(chosen) + logsigmoid(-rejected))

    def formula(self) -> tuple[str, ...]:
        """One line."""
        return (f"link(a, b) = -log(sigmoid(a - b)) - {self.weight:g} * (log(sigmoid(a)) + log(sigmoid(-b)))",)
