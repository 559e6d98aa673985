"""Masks over tokens: which of them preferences are about."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from llull.errors import InputError
from llull.objectives.axes import Needs, Part, Regulariser, Score
from llull.objectives.batch import MAIN, Batch, Units
from llull.objectives.scores.inside import given, given_tokens, log_ratios
from llull.objectives.scores.log_ratio import checked_beta


class ActivationMask(Part):
    """Mean absolute activation of the reference at a token, divided by the largest of its option; nothing learned."""

    needs = Needs(tokens=True, state=True)

    def forward(self, batch: Batch) -> Tensor:
        """[t], in [0, 1]."""
        tokens = given_tokens(batch)
        size = given(tokens.state, "hidden states of the reference").abs().mean(-1)
        largest = size.new_zeros(len(batch.options)).scatter_reduce(0, tokens.option, size, "amax")
        return size / largest[tokens.option].clamp(min=1e-12)


class LearnedMask(Part):
    """relu(state . w + b) of the reference's hidden state at a token; it learns with the policy and can be exactly 0.

    Args:
        width: of the hidden states; if not given, it is told by `widen`.
        start: the mask of every token at the start; positive, or nothing would ever be learned.
        floor: added to the mask, so that a token that it leaves out does not drift freely.
    """

    needs = Needs(tokens=True, state=True)

    def __init__(self, width: int | None = None, start: float = 1.0, floor: float = 0.0) -> None:
        super().__init__()
        if not start > 0 or floor < 0:
            raise InputError(f"masks: start {start:g} must be positive and floor {floor:g} not negative")
        self.floor = floor
        self.weight = None if width is None else nn.Parameter(torch.zeros(width))
        # A vector of one number: FSDP2 takes no scalars.
        self.bias = nn.Parameter(torch.tensor([start]))

    def widen(self, width: int) -> None:
        """Make the weights, if their number was not given."""
        if self.weight is None:
            self.weight = nn.Parameter(torch.zeros(width, dtype=self.bias.dtype, device=self.bias.device))

    def forward(self, batch: Batch) -> Tensor:
        """[t]"""
        weight = given(self.weight, "the width of hidden states")
        state = given(given_tokens(batch).state, "hidden states of the reference").to(weight.dtype)
        if state.shape[1] != len(weight):
            raise InputError(f"width: hidden states have {state.shape[1]} numbers, not {len(weight)}")
        return self.floor + torch.relu(state @ weight + self.bias)


class MaskedTokens(Score):
    """s(y) = beta * sum over tokens of (mask_u * log-ratio + mask_d * divergence) (SparsePO).

    Args:
        mask: of log-ratios.
        drift_mask: of divergences; the same one for a common mask.
        beta: strength of the pull to the reference.
    """

    needs = Needs(reference=True, tokens=True, divergence="forward_kl")

    def __init__(self, mask: Part, drift_mask: Part, beta: float = 0.1) -> None:
        super().__init__()
        self.mask, self.drift_mask, self.beta = mask, drift_mask, checked_beta(beta)

    def forward(self, batch: Batch) -> Tensor:
        """[n]"""
        tokens = given_tokens(batch)
        drift = self.drift_mask(batch) * given(tokens.divergence, "divergences")
        return self.beta * tokens.per_option(self.mask(batch) * log_ratios(tokens) + drift, len(batch.options))

    def formula(self) -> tuple[str, ...]:
        """``masked(y)`` lists (mask, log-ratio, drift mask, divergence) of an option's tokens."""
        return (f"s(y) = {self.beta:g} * sum(u * h + v * d for u, h, v, d in masked(y))",)


class MaskSize(Regulariser):
    """Mean mask of a unit's tokens, over its options: an L1 penalty that makes masks sparse.

    Args:
        mask: the mask.
        weight: of the term.
    """

    def __init__(self, mask: Part, weight: float) -> None:
        super().__init__(MAIN, weight)
        self.mask = mask

    def forward(self, batch: Batch, units: Units) -> Tensor:
        """[u]"""
        tokens, n = given_tokens(batch), len(batch.options)
        mask = self.mask(batch)
        mean = tokens.per_option(mask, n) / tokens.per_option(torch.ones_like(mask), n).clamp(min=1.0)
        return mean[units.options].sum(1).to(batch.options.policy.dtype)

    def formula(self) -> tuple[str, ...]:
        """``mask(y)`` is the mean over an option's tokens."""
        return (f"loss += {self.weight:g} * (mask(w) + mask(l))",)
