"""Divergences to the reference, estimated on samples."""

from __future__ import annotations

import torch
from torch import Tensor

from llull.errors import InputError
from llull.objectives.axes import Needs, Regulariser
from llull.objectives.batch import Batch, SingleUnits, Units
from llull.objectives.scores.offsets import known_column


class CoveringKL(Regulariser):
    """KL(reference || policy) on samples of the reference: log reference - log policy of each.

    Args:
        weight: of the term.
        of: the samples' name.
    """

    def __init__(self, weight: float, of: str = "reference_samples") -> None:
        super().__init__(of, weight)
        self.needs = Needs(reference=True, units=frozenset({of}))

    def forward(self, batch: Batch, units: Units) -> Tensor:
        """[u]"""
        return -batch.options.ratio[_samples(units, self.of).option]

    def formula(self) -> tuple[str, ...]:
        """One line; the name of the units stands for an option."""
        return (f"loss += {self.weight:g} * (reference({self.of}) - policy({self.of}))",)


class SampledKL(Regulariser):
    """KL(policy || reference) on the policy's own samples, with the score-function gradient (HyPO; Song et al. 2024).

    The value is the mean log-ratio l. The gradient is that of sum_j c_j log policy(y_j), c_j = l_j minus the mean of
    the other samples' l of the same context, which carries no gradient. A context's samples must be in one batch, as
    `llull.align.windows.micro_batches` makes them; one that has a single sample has no baseline.

    Args:
        weight: of the term.
        of: the samples' name.
        column: the number of each option's context.
    """

    def __init__(self, weight: float, of: str = "samples", column: str = "context") -> None:
        super().__init__(of, weight)
        self.column = column
        self.needs = Needs(reference=True, columns=frozenset({column}), units=frozenset({of}))

    def forward(self, batch: Batch, units: Units) -> Tensor:
        """[u]"""
        option = _samples(units, self.of).option
        policy = batch.options.policy[option]
        with torch.no_grad():
            ratio = batch.options.ratio[option]
            _, slot = known_column(batch, self.column)[option].unique(return_inverse=True)
            weight = units.weight.to(ratio)
            slots = len(option)
            total = ratio.new_zeros(slots).index_add(0, slot, weight * ratio)[slot]
            count = ratio.new_zeros(slots).index_add(0, slot, weight)[slot]
            # A weight of 2 is a sample drawn twice: its twin is among the others.
            others = count - 1
            baseline = torch.where(others > 0, (total - ratio) / others.clamp(min=1e-12), 0.0)
        pull = (ratio - baseline) * policy
        return ratio + pull - pull.detach()

    def formula(self) -> tuple[str, ...]:
        """One line, of the value."""
        return (f"loss += {self.weight:g} * (policy({self.of}) - reference({self.of}))",)


class TokenKL(Regulariser):
    """KL(reference || policy) of whole distributions, averaged over the tokens of answers that are to be kept.

    Args:
        weight: of the term.
        of: the answers' name.
    """

    def __init__(self, weight: float, of: str) -> None:
        super().__init__(of, weight)
        self.needs = Needs(tokens=True, divergence="forward_kl", units=frozenset({of}))

    def forward(self, batch: Batch, units: Units) -> Tensor:
        """[u]"""
        option, tokens = _samples(units, self.of).option, batch.options.tokens
        if tokens is None or tokens.divergence is None:
            raise ValueError("distillation reads each token's divergence, and the batch has none")
        total = tokens.per_option(tokens.divergence, len(batch.options))
        return total[option] / batch.options.lengths[option]

    def formula(self) -> tuple[str, ...]:
        """One line; ``divergence`` of an option sums over its tokens."""
        return (f"loss += {self.weight:g} * divergence({self.of}) / length({self.of})",)


def _samples(units: Units, name: str) -> SingleUnits:
    if not isinstance(units, SingleUnits):
        raise InputError(f"units {name!r}: samples are options judged alone, not {type(units).__name__}")
    return units
