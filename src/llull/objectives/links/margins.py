"""Pair links that are functions of the scores' difference, other than the logistic."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from llull.errors import InputError
from llull.objectives.axes import PairLink
from llull.objectives.extremes import tangent_exp


class Hinge(PairLink):
    """max(0, margin - (chosen - rejected)).

    Args:
        margin: the lead from which on nothing is lost.
    """

    def __init__(self, margin: float = 1.0) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, chosen: Tensor, rejected: Tensor) -> Tensor:
        """[m]"""
        return torch.relu(self.margin - (chosen - rejected))

    def formula(self) -> tuple[str, ...]:
        """One line."""
        return (f"link(a, b) = relu({self.margin:g} - (a - b))",)


class SquaredLead(PairLink):
    """(chosen - rejected - lead) ** 2: a lead neither smaller nor larger.

    Args:
        lead: what the lead should be.
    """

    def __init__(self, lead: float) -> None:
        super().__init__()
        self.lead = lead

    def forward(self, chosen: Tensor, rejected: Tensor) -> Tensor:
        """[m]"""
        return (chosen - rejected - self.lead) ** 2

    def formula(self) -> tuple[str, ...]:
        """One line."""
        return (f"link(a, b) = (a - b - {self.lead!r}) ** 2",)


class Exponential(PairLink):
    """exp(rejected - chosen), along its tangent beyond exp(40)."""

    def forward(self, chosen: Tensor, rejected: Tensor) -> Tensor:
        """[m]"""
        return tangent_exp(rejected - chosen)

    def formula(self) -> tuple[str, ...]:
        """One line."""
        return ("link(a, b) = exp(b - a)",)


class Discovered(PairLink):
    """The logistic loss of a wrong order blended into the exponential loss of a right one (DiscoPOP, 2024, eq. 5).

    With d = chosen - rejected: (1 - sigmoid(d / tau)) * -log sigmoid(d) + sigmoid(d / tau) * exp(-d).

    Args:
        tau: in (0, 1), how sharp the change is.
    """

    def __init__(self, tau: float = 0.05) -> None:
        super().__init__()
        if not 0 < tau < 1:
            raise InputError(f"tau must lie in (0, 1), not {tau:g}: the exponential half would grow without bound")
        self.tau = tau

    def forward(self, chosen: Tensor, rejected: Tensor) -> Tensor:
        """[m]"""
        lead = chosen - rejected
        # exp(-lead) alone overflows just where its share underflows; together they are at most exp(0).
        exponential = torch.exp(logsigmoid(lead / self.tau) - lead)
        return -logsigmoid(lead) * torch.sigmoid(-lead / self.tau) + exponential

    def formula(self) -> tuple[str, ...]:
        """Two lines."""
        return (
            "link(a, b) = -log(sigmoid(a - b)) * (1 - share(a - b)) + exp(b - a) * share(a - b)",
            f"share(d) = sigmoid(d / {self.tau:g})",
        )


class ReverseKL(PairLink):
    """KL(model || judgment) over the two orders, a judgment being wrong with chance ``noise`` (EXO; Ji et al. 2024).

    Args:
        noise: in (0, 0.5); at 0 the divergence is infinite.
    """

    def __init__(self, noise: float = 1e-3) -> None:
        super().__init__()
        if not 0 < noise < 0.5:
            raise InputError(
                f"noise must lie in (0, 0.5), not {noise:g}: the reverse KL to a certain judgment is infinite"
            )
        self.noise = noise

    def forward(self, chosen: Tensor, rejected: Tensor) -> Tensor:
        """[m]"""
        lead = chosen - rejected
        straight = torch.sigmoid(lead) * (logsigmoid(lead) - math.log1p(-self.noise))
        return straight + torch.sigmoid(-lead) * (logsigmoid(-lead) - math.log(self.noise))

    def formula(self) -> tuple[str, ...]:
        """Two lines."""
        n = repr(self.noise)
        return (
            f"link(a, b) = share(a - b) * log(share(a - b) / (1 - {n})) + share(b - a) * log(share(b - a) / {n})",
            "share(d) = sigmoid(d)",
        )
