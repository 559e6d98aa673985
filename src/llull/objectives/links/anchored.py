"""A pair through a utility anchor between its options: the chosen one above it, the rejected one below."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from llull.errors import InputError
from llull.objectives.axes import PairLink

Anchor = Literal["zero", "running", "learned"]


class Anchored(PairLink):
    """-up * log sigmoid((chosen - a) / w) - down * log sigmoid((a - rejected) / w), w = sqrt(1 + s ** 2) (UAPO, 2025).

    The anchor a stands for the utility of a typical answer: ``zero`` (the reference), ``running``, a mean of all scores
    over the windows so far without gradient, or ``learned`` with the policy within [-bound, bound], without which it
    would run away where accepted and rejected options are of unequal number. The uncertainty s widens the comparison.

    Args:
        anchor: which.
        uncertain: learn s; otherwise it is 0.
        up: weight of the chosen option's half.
        down: weight of the rejected option's half.
        memory: share of the old running mean that a window leaves.
        bound: of a learned anchor.
    """

    shift: Tensor
    started: Tensor

    def __init__(
        self,
        anchor: Anchor = "running",
        uncertain: bool = False,
        up: float = 1.0,
        down: float = 1.0,
        memory: float = 0.9,
        bound: float = 10.0,
    ) -> None:
        super().__init__()
        if anchor not in ("zero", "running", "learned"):
            raise InputError(f"anchor: no {anchor!r}; choose zero, running or learned")
        self.anchor, self.up, self.down, self.memory, self.bound = anchor, up, down, memory, bound
        self.register_buffer("shift", torch.zeros(()))
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))
        # Vectors of one number: FSDP2 takes no scalars.
        self.free = nn.Parameter(torch.zeros(1), requires_grad=anchor == "learned")
        self.log_s = nn.Parameter(torch.tensor([-2.0]), requires_grad=uncertain)
        self.uncertain = uncertain

    def value(self) -> Tensor:
        """The anchor as it stands."""
        return self.bound * torch.tanh(self.free[0] / self.bound) if self.anchor == "learned" else self.shift

    def width(self) -> Tensor:
        """By how much uncertainty widens the comparison."""
        return torch.sqrt(1 + torch.exp(2 * self.log_s[0])) if self.uncertain else torch.ones_like(self.shift)

    def forward(self, chosen: Tensor, rejected: Tensor) -> Tensor:
        """[m]"""
        anchor, width = self.value().to(chosen.dtype), self.width().to(chosen.dtype)
        return -self.up * logsigmoid((chosen - anchor) / width) - self.down * logsigmoid((anchor - rejected) / width)

    def note(self, chosen: Tensor, rejected: Tensor, weight: Tensor) -> dict[str, Tensor]:
        """Sum of scores, and of weights of the options they belong to."""
        if self.anchor != "running":
            return {}
        weight = weight.to(chosen.dtype)
        return {"anchor_sum": (weight * (chosen + rejected)).sum(), "anchor_count": 2 * weight.sum()}

    def update(self, sums: dict[str, Tensor]) -> None:
        """Move the running anchor towards the window's mean score; the first window sets it."""
        if "anchor_sum" not in sums or not bool(sums["anchor_count"] > 0):
            return
        mean = (sums["anchor_sum"] / sums["anchor_count"]).to(self.shift.dtype)
        self.shift = torch.where(self.started, self.memory * self.shift + (1 - self.memory) * mean, mean)
        self.started = torch.ones_like(self.started)

    def formula(self) -> tuple[str, ...]:
        """One line."""
        with torch.no_grad():
            a, w = repr(float(self.value())), repr(float(self.width()))
        above, below = f"log(sigmoid((a - {a}) / {w}))", f"log(sigmoid(({a} - b) / {w}))"
        return (f"link(a, b) = -{self.up:g} * {above} - {self.down:g} * {below}",)
