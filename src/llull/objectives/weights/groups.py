"""Weights of groups that move to where the loss is largest, so that no community is left behind."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from llull.errors import InputError
from llull.objectives.axes import Outcome, Weight
from llull.objectives.batch import Batch

Rule = Literal["exponentiated", "softmax"]


class WorstGroup(Weight):
    """The worst group's mean loss instead of the mean over all (group-robust; Sagawa et al. 2020, Ramesh et al. 2024).

    A unit of group g counts q_g * n / n_g, n_g the group's weight in the data set and n that of all, so that the loss
    is the sum over groups of q_g times the group's mean loss. After each window, with L_g the mean losses seen in it:
    ``exponentiated`` multiplies q_g by exp(rate * L_g) and divides by the sum, which converges on the worst group of a
    convex game; ``softmax`` sets q to softmax(rate * running mean of L), a soft maximum. Units of no known group form
    a group of their own. A group that a window did not contain keeps its weight, up to the division.

    Args:
        rate: how fast weights follow losses; for ``softmax`` how near it comes to the maximum.
        rule: of the two.
        memory: share of the old running mean that a window leaves (``softmax`` only).
    """

    share: Tensor
    size: Tensor
    running: Tensor

    def __init__(self, rate: float = 0.1, rule: Rule = "exponentiated", memory: float = 0.9) -> None:
        super().__init__()
        if not rate >= 0 or not 0 <= memory < 1:
            raise InputError(f"groups: rate {rate:g} must not be negative and memory {memory:g} must lie in [0, 1)")
        if rule not in ("exponentiated", "softmax"):
            raise InputError(f"rule: no {rule!r}; choose exponentiated or softmax")
        self.rate, self.rule, self.memory = rate, rule, memory
        self.register_buffer("share", torch.ones(1))
        self.register_buffer("size", torch.ones(1))
        self.register_buffer("running", torch.full((1,), torch.nan))

    def begin(self, everything: Batch) -> None:
        """Count the groups; all start with their share of the data, so that the first loss is the plain mean."""
        units = everything.main
        if not len(units):
            return
        groups = int(units.group.max()) + 2
        weight = units.weight.to(self.share.dtype)
        self.size = torch.zeros(groups, dtype=weight.dtype, device=weight.device).index_add(
            0, units.group % groups, weight
        )
        self.share = self.size / self.size.sum()
        self.running = torch.full_like(self.size, torch.nan)

    def forward(self, batch: Batch, outcome: Outcome) -> Tensor:
        """[u]"""
        factor = self.share * self.size.sum() / self.size.clamp(min=1e-12)
        return factor[batch.main.group % len(self.size)].to(outcome.losses.dtype)

    def note(self, batch: Batch, outcome: Outcome) -> dict[str, Tensor]:
        """For each group the sum of losses and of weights."""
        units, zeros = batch.main, torch.zeros_like(self.size)
        slot, weight = units.group % len(zeros), units.weight.to(zeros.dtype)
        return {
            "group_loss": zeros.index_add(0, slot, outcome.losses.detach().to(zeros.dtype) * weight),
            "group_count": zeros.index_add(0, slot, weight),
        }

    def update(self, sums: dict[str, Tensor]) -> None:
        """Move weight towards the groups that lose most."""
        if "group_loss" not in sums:
            return
        count = sums["group_count"]
        loss = sums["group_loss"] / count.clamp(min=1e-12)
        if self.rule == "exponentiated":
            step = torch.where(count > 0, self.rate * loss, 0.0)
            self.share = torch.softmax(torch.log(self.share) + step, dim=0)
            return
        moved = torch.where(self.running.isnan(), loss, self.memory * self.running + (1 - self.memory) * loss)
        self.running = torch.where(count > 0, moved, self.running)
        known = ~self.running.isnan()
        soft = torch.softmax(torch.where(known, self.rate * self.running, -torch.inf), dim=0)
        self.share = torch.where(known, soft, 0.0)

    def formula(self) -> tuple[str, ...]:
        """One line."""
        return ("loss *= group_weight * all_units / group_units",)
