"""What an objective asks of each option: the slope of its loss along that option's log-probability."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from llull.objectives.batch import Batch
from llull.objectives.objective import Objective


@dataclass(frozen=True)
class Coefficients:
    """d loss / d log-probability: negative where an option is to become more likely.

    Published losses differ, in their gradient, by these numbers alone (survey of preference learning, 2024).
    """

    options: Tensor
    """float [n]: of each option's summed log-probability, where the loss reads that."""
    tokens: Tensor | None
    """float [t]: of each token's, where the loss looks inside options."""


def gradient_coefficients(objective: Objective, batch: Batch) -> Coefficients:
    """The slopes of an objective's mean loss over a batch, by automatic differentiation.

    Args:
        objective: begun and settled as for training.
        batch: its scores and units; their gradients are left alone.

    Returns:
        For each option, and for each token if the batch has tokens; 0 where the loss does not look. Divergences given
        with the tokens count as known, so their own slopes are not in it.
    """
    policy = batch.options.policy.detach().requires_grad_()
    tokens = batch.options.tokens
    leaves = [policy]
    if tokens is not None:
        leaves.append(tokens.policy.detach().requires_grad_())
        tokens = replace(tokens, policy=leaves[1])
    with torch.enable_grad():
        loss = objective(replace(batch, options=replace(batch.options, policy=policy, tokens=tokens))).mean()
        slopes = torch.autograd.grad(loss, leaves, allow_unused=True)
    found = [torch.zeros_like(leaf) if slope is None else slope for leaf, slope in zip(leaves, slopes, strict=True)]
    return Coefficients(found[0], None if tokens is None else found[1])
