"""Pair links with a probability of their own for a tie."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, softplus

from llull.errors import InputError
from llull.objectives.axes import PairLink


class Davidson(PairLink):
    """Ties in proportion to the geometric mean of both options' worth (Davidson 1970).

    With d = chosen - rejected: P(chosen) = 1 / (1 + exp(-d) + nu exp(-d / 2)), P(tie) = nu / (nu + 2 cosh(d / 2)).

    Args:
        nu: positive; twice the odds of a tie between equals. Where learned, this is where it starts.
        learned: whether it is learned with the policy.
    """

    def __init__(self, nu: float = 1.0, learned: bool = False) -> None:
        super().__init__()
        if not nu > 0:
            raise InputError(f"nu must be positive, not {nu:g}: otherwise a tie is impossible")
        # A vector of one number: FSDP2 takes no scalars.
        self.log_nu = nn.Parameter(torch.tensor([math.log(nu)]), requires_grad=learned)

    @property
    def nu(self) -> float:
        """The tie parameter as it stands."""
        return float(self.log_nu.detach().exp())

    def forward(self, chosen: Tensor, rejected: Tensor) -> Tensor:
        """[m]"""
        lead = chosen - rejected
        zero = torch.zeros_like(lead)
        return torch.logsumexp(torch.stack([zero, -lead, self.log_nu[0].to(lead.dtype) - lead / 2]), dim=0)

    def tie(self, first: Tensor, second: Tensor) -> Tensor:
        """[m]"""
        half = (first - second) / 2
        log_nu = self.log_nu[0].to(half.dtype)
        return torch.logsumexp(torch.stack([half, -half, log_nu.expand_as(half)]), dim=0) - log_nu

    def formula(self) -> tuple[str, ...]:
        """Two lines; a judged tie costs ``tie``."""
        return (
            f"link(a, b) = log(1 + exp(b - a) + {self.nu!r} * exp((b - a) / 2))",
            f"tie(a, b) = log(exp((a - b) / 2) + exp((b - a) / 2) + {self.nu!r}) - log({self.nu!r})",
        )


class RaoKupper(PairLink):
    """Ties where the difference stays under a threshold (Rao and Kupper 1967).

    With d = chosen - rejected: P(chosen) = sigmoid(d - threshold), P(tie) = the rest.

    Args:
        threshold: positive, log theta. Where learned, this is where it starts.
        learned: whether it is learned with the policy.
    """

    def __init__(self, threshold: float = 0.5, learned: bool = False) -> None:
        super().__init__()
        if not threshold > 0:
            raise InputError(f"threshold must be positive, not {threshold:g}: otherwise a tie is impossible")
        # softplus keeps a learned threshold positive; a vector of one number, as FSDP2 takes no scalars.
        self.free = nn.Parameter(torch.tensor([math.log(math.expm1(threshold))]), requires_grad=learned)

    @property
    def threshold(self) -> float:
        """The threshold as it stands."""
        return float(softplus(self.free.detach()))

    def forward(self, chosen: Tensor, rejected: Tensor) -> Tensor:
        """[m]"""
        lead = chosen - rejected
        return -logsigmoid(lead - softplus(self.free[0].to(lead.dtype)))

    def tie(self, first: Tensor, second: Tensor) -> Tensor:
        """[m]"""
        lead = first - second
        threshold = softplus(self.free[0].to(lead.dtype))
        return softplus(threshold - lead) + softplus(threshold + lead) - torch.log(torch.expm1(2 * threshold))

    def formula(self) -> tuple[str, ...]:
        """Two lines; a judged tie costs ``tie``."""
        t = repr(self.threshold)
        return (
            f"link(a, b) = -log(sigmoid(a - b - {t}))",
            f"tie(a, b) = -log(1 - sigmoid(a - b - {t}) - sigmoid(b - a - {t}))",
        )
