"""Functions of log-probabilities that stay finite, with their gradients, at extreme values."""

from __future__ import annotations

import torch
from torch import Tensor

STEEPEST = 40.0
"""Where `tangent_exp` leaves the exponential; exp(40) squared still fits float32."""


def log1mexp(x: Tensor) -> Tensor:
    """log(1 - exp(x)) for x < 0, exact near 0 and far from it; x above -1e-7 counts as -1e-7.

    Two forms that meet at -log 2 (Maechler 2012).

    >>> log1mexp(torch.tensor([-0.6931472]))
    tensor([-0.6931])
    """
    x = x.clamp(max=-1e-7)
    return torch.where(x < -0.6931471805599453, torch.log1p(-torch.exp(x)), torch.log(-torch.expm1(x)))


def tangent_exp(x: Tensor) -> Tensor:
    """exp(x) up to `STEEPEST`, and from there on its tangent, so that loss and gradient stay finite."""
    return torch.exp(x.clamp(max=STEEPEST)) * (1 + torch.relu(x - STEEPEST))
