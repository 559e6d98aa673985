"""Scores that sum over the steps of an option, each with a weight."""

from __future__ import annotations

from torch import Tensor

from llull.objectives.axes import Needs, Score
from llull.objectives.batch import Batch, Tokens
from llull.objectives.scores.inside import given, given_tokens, log_ratios
from llull.objectives.scores.log_ratio import checked_beta


class WeightedSteps(Score):
    """s(y) = beta * sum over steps k of weight_k * log-ratio_k / mean weight; equal weights give the plain log-ratio.

    A step's log-ratio sums over its tokens, its weight is their mean; tokens without given weights count 1.

    Args:
        beta: strength of the pull to the reference.
    """

    needs = Needs(reference=True, tokens=True)

    def __init__(self, beta: float = 0.1) -> None:
        super().__init__()
        self.beta = checked_beta(beta)

    def forward(self, batch: Batch) -> Tensor:
        """[n]"""
        tokens, n = given_tokens(batch), len(batch.options)
        key, steps = step_of(tokens)
        ratio = log_ratios(tokens)
        weight = ratio.new_ones(len(ratio)) if tokens.weight is None else tokens.weight.to(ratio)

        def per_step(values: Tensor) -> Tensor:
            return values.new_zeros(n * steps).index_add(0, key, values)

        size = per_step(ratio.new_ones(len(ratio)))
        mean = per_step(weight) / size.clamp(min=1.0)
        total = (mean * per_step(ratio)).reshape(n, steps).sum(dim=1)
        mean_of_steps = mean.reshape(n, steps).sum(dim=1) / (size > 0).reshape(n, steps).sum(dim=1).clamp(min=1)
        return self.beta * total / mean_of_steps.clamp(min=1e-12)

    def formula(self) -> tuple[str, ...]:
        """``steps(y)`` lists (weight, log-ratio) of an option's steps."""
        return (f"s(y) = {self.beta:g} * sum(v * h for v, h in steps(y)) / mean([v for v, h in steps(y)])",)


def step_of(tokens: Tokens) -> tuple[Tensor, int]:
    """The place of each token's step in a table [options, steps] laid out in a row: int64 [t]; and its width."""
    step = given(tokens.step, "steps of tokens")
    width = int(step.max()) + 1 if len(step) else 1
    return tokens.option * width + step, width
