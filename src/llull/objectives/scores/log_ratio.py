"""The log-ratio to the reference: the implicit reward of a policy."""

from __future__ import annotations

from typing import Literal, get_args

from torch import Tensor

from llull.errors import InputError
from llull.objectives.axes import Needs, Score
from llull.objectives.batch import Batch

Reduction = Literal["sum", "mean"]


class LogRatio(Score):
    """s(y) = beta * (log policy(y) - log reference(y)), summed over tokens or averaged.

    Args:
        beta: how much a nat of log-ratio is worth; large keeps the policy near the reference.
        reduction: ``sum`` over the option's tokens, or their ``mean``. Ten times the beta goes with the mean of ten
            tokens; the two are different objectives, so it is never implied.
    """

    needs = Needs(reference=True)

    def __init__(self, beta: float = 0.1, reduction: Reduction = "sum") -> None:
        super().__init__()
        self.beta, self.reduction = checked_beta(beta), checked_reduction(reduction)

    def forward(self, batch: Batch) -> Tensor:
        """[n]"""
        ratio = self.beta * batch.options.ratio
        return ratio / batch.options.lengths if self.reduction == "mean" else ratio

    def rounding(self, batch: Batch) -> Tensor:
        """[n]: what rounding of the two log-probabilities leaves of the ratio."""
        noise = self.beta * batch.options.rounding
        return noise / batch.options.lengths if self.reduction == "mean" else noise

    def formula(self) -> tuple[str, ...]:
        """One line."""
        by = " / length(y)" if self.reduction == "mean" else ""
        return (f"s(y) = {self.beta:g} * (policy(y) - reference(y)){by}",)


def checked_beta(beta: float) -> float:
    """A positive number."""
    if not beta > 0:
        raise InputError(f"beta must be positive, not {beta:g}")
    return beta


def checked_reduction(reduction: Reduction) -> Reduction:
    """A word that says how numbers of tokens become an option's."""
    if reduction not in get_args(Reduction):
        raise InputError(f"reduction={reduction!r} is not known; it is {' or '.join(get_args(Reduction))}")
    return reduction
