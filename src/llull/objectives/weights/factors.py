"""Factors that are known, or that follow from the policy's own probabilities: constants, strengths, importance."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from llull.errors import InputError
from llull.objectives.axes import Needs, Outcome, Weight
from llull.objectives.batch import Batch, PairUnits


class Constant(Weight):
    """One factor for the whole main loss, beside regularisers that keep theirs.

    Args:
        factor: not negative; 0 leaves the regularisers alone.
    """

    def __init__(self, factor: float) -> None:
        super().__init__()
        if not factor >= 0:
            raise InputError(f"the factor of a loss must not be negative, not {factor:g}")
        self.factor = factor

    def forward(self, batch: Batch, outcome: Outcome) -> Tensor:
        """[u]"""
        return torch.full_like(outcome.losses.detach(), self.factor)

    def formula(self) -> tuple[str, ...]:
        """One line."""
        return (f"loss *= {self.factor:g}",)


class ByStrength(Weight):
    """(strength / unit) ** power of a pair; 1 where the strength is unknown.

    Args:
        unit: the strength that counts once.
        power: how fast the weight grows.
    """

    def __init__(self, unit: float = 1.0, power: float = 1.0) -> None:
        super().__init__()
        if not unit > 0:
            raise InputError(f"unit: the strength that counts once must be positive, not {unit:g}")
        self.unit, self.power = unit, power

    def forward(self, batch: Batch, outcome: Outcome) -> Tensor:
        """[m]"""
        units = batch.main
        if not isinstance(units, PairUnits):
            raise TypeError("strengths are of pairs")
        strength = units.strength.to(outcome.losses.dtype).clamp(min=0)
        return torch.where(units.strength.isnan(), 1.0, (strength / self.unit) ** self.power)

    def formula(self) -> tuple[str, ...]:
        """One line."""
        return (f"loss *= (strength / {self.unit:g}) ** {self.power:g}",)


class OnPolicy(Weight):
    """exp(mean log-probability of the chosen option's tokens + the same of the rejected one): WPO (Zhou et al. 2024).

    Pairs that the policy itself would write count more, as if they had been sampled from it. ``sampled`` alignment
    takes from each token's log-probability the log of the sum of squared probabilities before it, what a token sampled
    there has on average, so that a peaked distribution is no better than a flat one (eq. 2 and its alignment).

    Args:
        alignment: ``sampled``, which needs that sum for each token, or ``none``.
    """

    def __init__(self, alignment: Literal["sampled", "none"] = "sampled") -> None:
        super().__init__()
        if alignment not in ("sampled", "none"):
            raise InputError(f"alignment: no {alignment!r}; choose sampled or none")
        self.alignment = alignment
        self.needs = Needs(tokens=True, concentration=True) if alignment == "sampled" else Needs()

    def forward(self, batch: Batch, outcome: Outcome) -> Tensor:
        """[m]"""
        units, options = batch.main, batch.options
        if not isinstance(units, PairUnits):
            raise TypeError("importance weights of WPO are of pairs")
        with torch.no_grad():
            total = options.policy
            if self.alignment == "sampled":
                tokens = options.tokens
                if tokens is None or tokens.concentration is None:
                    raise ValueError("sampled alignment reads each token's concentration, and the batch has none")
                total = total - tokens.per_option(tokens.concentration, len(options))
            mean = total / options.lengths
            return torch.exp(mean[units.chosen] + mean[units.rejected])

    def formula(self) -> tuple[str, ...]:
        """Two lines; ``concentration(y)`` sums over tokens."""
        less = " - concentration(y)" if self.alignment == "sampled" else ""
        return ("loss *= exp(on_policy(w) + on_policy(l))", f"on_policy(y) = (policy(y){less}) / length(y)")
