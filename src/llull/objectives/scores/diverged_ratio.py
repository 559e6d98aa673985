"""The log-ratio seen through another divergence than the reverse KL."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from llull.errors import InputError
from llull.objectives.axes import Needs, Score
from llull.objectives.batch import Batch
from llull.objectives.extremes import tangent_exp
from llull.objectives.scores.log_ratio import Reduction, checked_beta, checked_reduction

Family = Literal["reverse_kl", "forward_kl", "jensen_shannon", "alpha"]


class DivergedRatio(Score):
    """s(y) = beta * f'(policy / reference), where f makes the divergence that holds the policy near the reference.

    With h the log-ratio, summed over tokens: reverse KL h; forward KL 1 - exp(-h); Jensen-Shannon
    log 2 + log sigmoid(h); alpha (exp((alpha - 1) h) - 1) / (alpha - 1), which is h at alpha = 1 (Wang et al. 2023,
    table 1). Constants drop out of differences. Exponentials go on along their tangent beyond exp(40).

    Args:
        beta: strength of the pull to the reference.
        divergence: which.
        alpha: of the alpha-divergence.
        reduction: ``mean`` divides f' by the number of tokens, as TRL does for IPO and sigmoid_norm.
    """

    needs = Needs(reference=True)

    def __init__(
        self,
        beta: float = 0.1,
        divergence: Family = "reverse_kl",
        alpha: float = 0.5,
        reduction: Reduction = "sum",
    ) -> None:
        super().__init__()
        if divergence not in ("reverse_kl", "forward_kl", "jensen_shannon", "alpha"):
            raise InputError(f"divergence: no {divergence!r}; choose reverse_kl, forward_kl, jensen_shannon or alpha")
        self.beta, self.alpha, self.reduction = checked_beta(beta), alpha, checked_reduction(reduction)
        self.divergence: Family = "reverse_kl" if divergence == "alpha" and abs(alpha - 1) < 1e-6 else divergence

    def forward(self, batch: Batch) -> Tensor:
        """[n]"""
        score = self.beta * self._derivative(batch.options.ratio)
        return score / batch.options.lengths if self.reduction == "mean" else score

    def rounding(self, batch: Batch) -> Tensor:
        """[n]: where the ratio is small, no derivative is steeper than 1."""
        noise = self.beta * batch.options.rounding
        return noise / batch.options.lengths if self.reduction == "mean" else noise

    def _derivative(self, ratio: Tensor) -> Tensor:
        if self.divergence == "forward_kl":
            return 1 - tangent_exp(-ratio)
        if self.divergence == "jensen_shannon":
            return math.log(2) + torch.nn.functional.logsigmoid(ratio)
        if self.divergence == "alpha":
            power = self.alpha - 1
            return (tangent_exp(power * ratio) - 1) / power
        return ratio

    def formula(self) -> tuple[str, ...]:
        """Two lines."""
        power = f"({self.alpha:g} - 1)"
        derivative = {
            "reverse_kl": "h(y)",
            "forward_kl": "(1 - exp(-h(y)))",
            "jensen_shannon": "(log(2) + log(sigmoid(h(y))))",
            "alpha": f"(exp({power} * h(y)) - 1) / {power}",
        }[self.divergence]
        by = " / length(y)" if self.reduction == "mean" else ""
        return (f"s(y) = {self.beta:g} * {derivative}{by}", "h(y) = policy(y) - reference(y)")
