"""Steps without gradients: of each random direction it is only asked whether it does what pairs want (ComPO).

Pairs whose options the reference finds almost equally likely move both likelihoods down when their losses are
differentiated. Here a direction counts as better only if it raises the chosen option's likelihood and lowers the
rejected one's, and a step is taken only if it does so itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from llull.errors import InputError

LogProbs = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Given parameters, the log-probabilities of chosen and of rejected options: [m], [m]."""


@dataclass(frozen=True)
class ComparisonStep:
    """What a step came to."""

    parameter: Tensor
    """The parameters afterwards: the given ones where the step was not taken."""
    taken: bool
    improving: int
    """How many directions were better."""


class ComparisonOracle:
    """One step from the answers better or not of many directions (ComPO, 2025).

    For directions z_i ~ N(0, 1), i = 1..m, y_i is 1 if parameter + radius * z_i is better and -1 if not;
    g = u / |u| with u = sum_i y_i z_i; entries of g below ``sparsity`` become 0; the step is rate * (better / m) * g,
    and is taken only if it is better itself. Better means for every pair, or for ``any`` pair as in the released code,
    that its chosen option becomes more likely and its rejected one less. The released code tries its step at a fixed
    distance; here it is tried as it is taken.

    Args:
        directions: m, the number of directions.
        radius: how far they are tried; parameters need a precision in which it does not vanish.
        rate: of the step.
        sparsity: least size of an entry of g.
        least: fewest better directions for a step.
        improving_only: sum the better directions alone.
        any_pair: whether one pair that is served suffices.
    """

    def __init__(
        self,
        directions: int = 1600,
        radius: float = 5e-4,
        rate: float = 1.0,
        *,
        sparsity: float = 0.0,
        least: int = 1,
        improving_only: bool = False,
        any_pair: bool = False,
    ) -> None:
        if directions < 1 or least < 1 or not radius > 0 or not rate > 0 or sparsity < 0:
            raise InputError(
                f"comparison oracle: directions {directions} and least {least} must be at least 1, radius {radius:g} "
                f"and rate {rate:g} positive, sparsity {sparsity:g} not negative"
            )
        self.directions, self.radius, self.rate = directions, radius, rate
        self.sparsity, self.least, self.improving_only, self.any_pair = sparsity, least, improving_only, any_pair

    @torch.no_grad()
    def step(self, parameter: Tensor, log_probs: LogProbs, random: torch.Generator | None = None) -> ComparisonStep:
        """Try the directions around a parameter tensor and move it if that helps.

        Args:
            parameter: of any shape, float32 or float64; it is not written to.
            log_probs: of the pairs, as a function of the parameter.
            random: where directions come from.
        """
        if parameter.dtype not in (torch.float32, torch.float64):
            raise InputError(
                f"comparison oracle: steps of {self.radius:g} vanish in {parameter.dtype}; keep the output layer in "
                "float32"
            )
        now = log_probs(parameter)
        total, improving = torch.zeros_like(parameter), 0
        for _ in range(self.directions):
            z = torch.randn(parameter.shape, generator=random, dtype=parameter.dtype, device=parameter.device)
            better = self._better(log_probs(parameter + self.radius * z), now)
            improving += better
            if better or not self.improving_only:
                total += z if better else -z
        norm = total.norm()
        if improving < self.least or not bool(norm > 0):
            return ComparisonStep(parameter, False, improving)
        direction = total / norm
        direction = torch.where(direction.abs() < self.sparsity, 0.0, direction)
        moved = parameter + self.rate * improving / self.directions * direction
        taken = self._better(log_probs(moved), now)
        return ComparisonStep(moved if taken else parameter, taken, improving)

    def _better(self, then: tuple[Tensor, Tensor], now: tuple[Tensor, Tensor]) -> bool:
        served = (then[0] > now[0]) & (then[1] < now[1])
        return bool(served.any() if self.any_pair else served.all())


def nearly_equal(chosen: Tensor, rejected: Tensor, width: float = 3.0) -> Tensor:
    """bool [m]: pairs that the reference finds almost equally likely, 0 < |log-probability gap| <= width.

    Args:
        chosen: log-probabilities of chosen options under the reference: [m].
        rejected: the same of rejected options: [m].
        width: in nats.
    """
    gap = (chosen - rejected).abs()
    return (gap > 0) & (gap <= width)
