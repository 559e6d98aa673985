"""Average log-probabilities bent into odds or into powers, without a reference."""

from __future__ import annotations

import torch
from torch import Tensor

from llull.objectives.axes import Score
from llull.objectives.batch import Batch
from llull.objectives.extremes import log1mexp, tangent_exp
from llull.objectives.scores.log_ratio import checked_beta


class LogOdds(Score):
    """s(y) = log(p / (1 - p)) with p the geometric mean of the option's token probabilities (Hong et al. 2024, eq. 4).

    The complement is taken in log space, so that it holds both for a certain option and for a hopeless one.
    """

    def forward(self, batch: Batch) -> Tensor:
        """[n]"""
        mean = batch.options.policy / batch.options.lengths
        return mean - log1mexp(mean)

    def formula(self) -> tuple[str, ...]:
        """Two lines."""
        return ("s(y) = average(y) - log1mexp(average(y))", "average(y) = policy(y) / length(y)")


class PowerOfProbability(Score):
    """s(y) = beta * (1 - p ** -alpha) / alpha with p the geometric mean of token probabilities (AlphaPO, 2025).

    alpha = 0 is its limit, beta * log p. A positive alpha punishes improbable options more, a negative one less; where
    p ** -alpha passes exp(40) it goes on along its tangent.

    Args:
        beta: how much a unit is worth.
        alpha: how far the logarithm is bent.
    """

    def __init__(self, beta: float = 2.0, alpha: float = 0.25) -> None:
        super().__init__()
        self.beta, self.alpha = checked_beta(beta), alpha

    def forward(self, batch: Batch) -> Tensor:
        """[n]"""
        mean = batch.options.policy / batch.options.lengths
        if self.alpha == 0:
            return self.beta * mean
        power = -self.alpha * mean
        # expm1 keeps the digits that 1 - exp loses for a small alpha.
        bent = torch.where(power.abs() < 1, torch.expm1(power.clamp(-1, 1)), tangent_exp(power) - 1)
        return -self.beta / self.alpha * bent

    def formula(self) -> tuple[str, ...]:
        """Two lines."""
        average = "average(y) = policy(y) / length(y)"
        if self.alpha == 0:
            return (f"s(y) = {self.beta:g} * average(y)", average)
        return (f"s(y) = {self.beta:g} * (1 - exp(-{self.alpha!r} * average(y))) / {self.alpha!r}", average)


class DenoisingMargin(Score):
    """s(y) = scale * c e / (exp(c e) - 1) with e = -policy(y), a denoising error (MaPO; Hong et al. 2024).

    It falls with the error from ``scale`` at 0. For a language model e is the negative log-likelihood per
    token.

    Args:
        scale: what an errorless option is worth; the number of timesteps for a diffusion model.
        constant: c, the signal-to-noise ratio held constant.
    """

    def __init__(self, scale: float = 1000.0, constant: float = 0.5) -> None:
        super().__init__()
        self.scale, self.constant = checked_beta(scale), constant

    def forward(self, batch: Batch) -> Tensor:
        """[n]"""
        error = -self.constant * batch.options.policy / batch.options.lengths
        # x / (exp(x) - 1) = x exp(-x) / (1 - exp(-x)), which has no overflow; near 0 it is 1 - x / 2.
        error = error.clamp(min=0.0)
        near = error < 1e-6
        safe = torch.where(near, torch.ones_like(error), error)
        return self.scale * torch.where(near, 1 - error / 2, safe * torch.exp(-safe) / -torch.expm1(-safe))

    def formula(self) -> tuple[str, ...]:
        """Two lines."""
        c = f"{self.constant:g}"
        return (
            f"s(y) = {self.scale:g} * {c} * error(y) / (exp({c} * error(y)) - 1)",
            "error(y) = -policy(y) / length(y)",
        )
