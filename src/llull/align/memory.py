"""How much memory a training will take, estimated before its first update."""

from __future__ import annotations

from dataclasses import dataclass

from llull.language.model import LanguageModel

_HEAD_CHUNKS = 3 * 64 * 2**20
"""Logits, their exponentials and their gradient, of one chunk of tokens."""


@dataclass(frozen=True)
class Memory:
    """Bytes that a training takes, by what takes them."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    """Kept for the backward pass, for one micro-batch."""

    @property
    def total(self) -> int:
        """Their sum."""
        return self.weights + self.gradients + self.optimizer + self.activations

    def line(self) -> str:
        """One line to print."""
        parts = ", ".join(f"{name} {_size(getattr(self, name))}" for name in self.__annotations__)
        return f"memory: about {_size(self.total)} ({parts})"


def estimate_memory(
    policy: LanguageModel, budget: int, *, checkpointing: bool = False, reference: bool = False
) -> Memory:
    """Estimate the memory of a training with AdamW.

    Activations of a transformer layer are counted as the inputs of its matrix products and of its norms: 12 hidden
    widths and 4 widths of its feed-forward part for each token; with gradient checkpointing only one hidden width.

    Args:
        policy: the model.
        budget: tokens of a micro-batch.
        checkpointing: whether activations are computed twice instead of kept.
        reference: whether a second model is run along.
    """
    parameters = list(policy.parameters())
    weights = sum(p.numel() * p.element_size() for p in parameters)
    learned = sum(p.numel() for p in parameters if p.requires_grad)
    config = policy.anatomy.base.config
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    hidden = int(text.hidden_size)
    inner = int(getattr(text, "intermediate_size", None) or 4 * hidden)
    layers = int(text.num_hidden_layers)
    widths = hidden if checkpointing else 12 * hidden + 4 * inner
    once = (12 * hidden + 4 * inner) if checkpointing else 0
    activations = 4 * budget * (layers * widths + once) + _HEAD_CHUNKS
    return Memory(weights * (2 if reference else 1), 4 * learned, 8 * learned, activations)


def _size(size: int) -> str:
    return f"{size / 2**30:.2f} GiB" if size >= 2**28 else f"{size / 2**20:.0f} MiB"
