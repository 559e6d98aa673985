"""Heads that turn the last hidden state of an option into its reward."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn

from llull.errors import InputError


class LinearHead(nn.Module):
    """r = w . h (+ b): what transformers calls ``score``.

    Args:
        width: d, of the hidden state.
        bias: whether to add a number, which no comparison of two options can see.
        initial_scale: standard deviation of the first rewards, for hidden states of unit variance.
        seed: of the first weights.
    """

    def __init__(self, width: int, *, bias: bool = False, initial_scale: float = 0.1, seed: int = 0) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1, bias=bias)
        _start(self.score, initial_scale, seed)

    def forward(self, hidden: Tensor) -> Tensor:
        """From hidden states [n, d] to rewards [n]."""
        return self.score(hidden).squeeze(-1)

    def config(self) -> dict[str, Any]:
        """Arguments that make a head of the same shape."""
        return {"width": self.score.in_features, "bias": self.score.bias is not None}


class MLPHead(nn.Module):
    """r = w . tanh(A h + a) + b.

    Args:
        width: d, of the hidden state.
        hidden: rows of A; d if not given.
        initial_scale: standard deviation of the first rewards, for hidden states of unit variance.
        seed: of the first weights.
    """

    def __init__(self, width: int, *, hidden: int | None = None, initial_scale: float = 0.1, seed: int = 0) -> None:
        super().__init__()
        self.inner = nn.Linear(width, hidden or width)
        self.outer = nn.Linear(hidden or width, 1)
        _start(self.inner, 1.0, seed)
        _start(self.outer, initial_scale, seed + 1)

    def forward(self, hidden: Tensor) -> Tensor:
        """From hidden states [n, d] to rewards [n]."""
        return self.outer(torch.tanh(self.inner(hidden))).squeeze(-1)

    def config(self) -> dict[str, Any]:
        """Arguments that make a head of the same shape."""
        return {"width": self.inner.in_features, "hidden": self.inner.out_features}


RewardHead = LinearHead | MLPHead

HEADS: Mapping[str, Callable[..., RewardHead]] = {"linear": LinearHead, "mlp": MLPHead}
"""Every head by its name."""


def make_head(name: str, width: int, **shape: Any) -> RewardHead:
    """A head of a kind, for hidden states of ``width`` numbers; further arguments are those of its class.

    Raises:
        InputError: there is no such kind.
    """
    if name not in HEADS:
        raise InputError(f"there is no reward head {name!r}; known are {', '.join(HEADS)}")
    return HEADS[name](width, **shape)


def head_name(head: RewardHead) -> str:
    """The name of a head's kind."""
    return next(name for name, kind in HEADS.items() if type(head) is kind)


def _start(layer: nn.Linear, scale: float, seed: int) -> None:
    with torch.no_grad():
        random = torch.Generator().manual_seed(seed)
        first = torch.randn(layer.weight.shape, generator=random) * scale / sqrt(layer.in_features)
        layer.weight.copy_(first)
        if layer.bias is not None:
            layer.bias.zero_()
