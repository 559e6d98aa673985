"""Scores that look inside an option: weighted tokens, steps, and divergences between whole distributions."""

from __future__ import annotations

from typing import TypeVar

from torch import Tensor

from llull.objectives.axes import Needs, Score
from llull.objectives.batch import Batch, PairUnits, Tokens
from llull.objectives.scores.log_ratio import checked_beta

T = TypeVar("T")


class WeightedTokens(Score):
    """s(y) = beta * sum over tokens of weight_t * (log policy - log reference)_t, the weights given from outside.

    Args:
        beta: strength of the pull to the reference.
        normalised: divide an option's weights by their mean, so that only how they are spread counts.
    """

    needs = Needs(reference=True, tokens=True)

    def __init__(self, beta: float = 0.1, normalised: bool = False) -> None:
        super().__init__()
        self.beta, self.normalised = checked_beta(beta), normalised

    def forward(self, batch: Batch) -> Tensor:
        """[n]"""
        tokens, n = given_tokens(batch), len(batch.options)
        weight = given(tokens.weight, "weights")
        total = tokens.per_option(weight * log_ratios(tokens), n)
        if self.normalised:
            count = tokens.per_option(weight.new_ones(len(weight)), n)
            total = total * count / tokens.per_option(weight, n).clamp(min=1e-12)
        return self.beta * total

    def formula(self) -> tuple[str, ...]:
        """``tokens(y)`` lists (weight, log-ratio) of an option's tokens."""
        by = " / mean([v for v, h in tokens(y)])" if self.normalised else ""
        return (f"s(y) = {self.beta:g} * sum(v * h for v, h in tokens(y)){by}",)


class WithDivergence(Score):
    """s(y) = beta * (log-ratio + alpha * sum of token divergences), so that margins discount a rejected option's drift.

    Args:
        beta: strength of the pull to the reference.
        alpha: weight of the divergence KL(reference || policy).
        stopped: no gradient through the chosen option's divergence (TDPO-2).
    """

    needs = Needs(reference=True, tokens=True, divergence="forward_kl")

    def __init__(self, beta: float = 0.1, alpha: float = 1.0, stopped: bool = False) -> None:
        super().__init__()
        self.beta, self.alpha, self.stopped = checked_beta(beta), alpha, stopped

    def forward(self, batch: Batch) -> Tensor:
        """[n]"""
        ratio, drift = self._sides(batch)
        return self.beta * (ratio + self.alpha * drift)

    def pair(self, batch: Batch, units: PairUnits) -> tuple[Tensor, Tensor]:
        """[m], [m]"""
        ratio, drift = self._sides(batch)
        kept = drift.detach() if self.stopped else drift
        chosen = self.beta * (ratio + self.alpha * kept)[units.chosen]
        return chosen, self.beta * (ratio + self.alpha * drift)[units.rejected]

    def _sides(self, batch: Batch) -> tuple[Tensor, Tensor]:
        tokens, n = given_tokens(batch), len(batch.options)
        drift = tokens.per_option(given(tokens.divergence, "divergences"), n)
        return tokens.per_option(log_ratios(tokens), n), drift

    def formula(self) -> tuple[str, ...]:
        """``divergence(y)`` sums over tokens."""
        return (f"s(y) = {self.beta:g} * (policy(y) - reference(y) + {self.alpha:g} * divergence(y))",)


class MeanDivergence(Score):
    """s(y) = -mean over tokens of weight_t * divergence_t: how near the policy is to a teacher along an option."""

    needs = Needs(tokens=True, divergence="reverse_kl")

    def forward(self, batch: Batch) -> Tensor:
        """[n]"""
        tokens, options = given_tokens(batch), batch.options
        total = tokens.per_option(
            given(tokens.weight, "weights") * given(tokens.divergence, "divergences"), len(options)
        )
        return -total / options.lengths

    def formula(self) -> tuple[str, ...]:
        """``divergences(y)`` lists (weight, divergence) of an option's tokens."""
        return ("s(y) = -sum(v * d for v, d in divergences(y)) / length(y)",)


def given_tokens(batch: Batch) -> Tokens:
    """The batch's tokens."""
    return given(batch.options.tokens, "tokens")


def given(value: T | None, name: str) -> T:
    """A value that must be there."""
    if value is None:
        raise ValueError(f"this objective looks inside options, and the batch has no {name}")
    return value


def log_ratios(tokens: Tokens) -> Tensor:
    """log policy - log reference of each token: [t]."""
    return tokens.policy - given(tokens.reference, "reference scores of tokens")
