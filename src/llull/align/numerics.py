"""Settings of arithmetic and of modules that a training must have, and puts back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def flushed_denormals(device: torch.device) -> Iterator[None]:
    """On a CPU, round numbers below 1e-38 to zero.

    Saturated margins give gradients that small, and a CPU computes with them many times slower.
    """
    changed = device.type == "cpu" and torch.set_flush_denormal(True)
    try:
        yield
    finally:
        if changed:
            torch.set_flush_denormal(False)


def silence_dropout(model: nn.Module) -> None:
    """Set every dropout rate to zero: with dropout, policy and reference would differ by noise as large as margins."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for name in ("attention_dropout", "attn_dropout", "resid_dropout", "embd_dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
