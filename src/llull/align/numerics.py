"""Settings of arithmetic and of modules that a training must have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from llull.language.model import LanguageModel


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


def recompute_activations(policy: LanguageModel) -> None:
    """Keep few activations of a model's layers for the backward pass, and compute the others again there."""
    model = policy.anatomy.base
    # Earlier versions of transformers 5 know it by its older name only.
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable({"use_reentrant": False})


def silence_dropout(model: nn.Module) -> None:
    """Let nothing in a model be random while it learns, with or without gradient checkpointing.

    With dropout, policy and reference would differ by noise as large as margins. Modules are in evaluation mode, but
    for layers that compute activations twice: transformers does so in training mode only.
    """
    model.eval()
    for module in model.modules():
        if getattr(module, "gradient_checkpointing", False):
            module.training = True
            for name, value in list(vars(module).items()):
                if isinstance(value, float) and "drop" in name:
                    setattr(module, name, 0.0)
