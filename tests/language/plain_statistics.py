"""What the chunked computations must equal: the whole matrix of logits and autograd."""

from __future__ import annotations

import torch
from torch import Tensor

from llull.language.heads import Head


def plain_logits(hidden: Tensor, head: Head) -> Tensor:
    logits = hidden @ head.weight.T
    if head.bias is not None:
        logits = logits + head.bias
    logits = logits * head.scale
    if head.softcap is not None:
        logits = head.softcap * torch.tanh(logits / head.softcap)
    return logits


def plain_log_probs(hidden: Tensor, head: Head, target: Tensor) -> Tensor:
    return plain_logits(hidden, head).log_softmax(1).gather(1, target.unsqueeze(1)).squeeze(1)


def plain_entropy(hidden: Tensor, head: Head) -> Tensor:
    return torch.distributions.Categorical(logits=plain_logits(hidden, head)).entropy()


def plain_divergence(kind: str, student: Tensor, teacher: Tensor) -> Tensor:
    """From probabilities [s, V] of both."""
    middle = (student + teacher) / 2
    return {
        "forward_kl": lambda: (teacher * (teacher / student).log()).sum(1),
        "reverse_kl": lambda: (student * (student / teacher).log()).sum(1),
        "jensen_shannon": lambda: (
            ((student * (student / middle).log()).sum(1) + (teacher * (teacher / middle).log()).sum(1)) / 2
        ),
        "total_variation": lambda: (student - teacher).abs().sum(1) / 2,
    }[kind]()


def random_problem(
    rows: int = 23,
    vocabulary: int = 37,
    size: int = 8,
    dtype: torch.dtype = torch.float32,
    *,
    bias: bool = False,
    softcap: float | None = None,
    scale: float = 1.0,
    seed: int = 0,
) -> tuple[Tensor, Head, Tensor]:
    """Hidden states and a head that require gradients, and targets."""
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(rows, size, generator=generator, dtype=dtype).requires_grad_()
    weight = torch.randn(vocabulary, size, generator=generator, dtype=dtype).requires_grad_()
    shift = torch.randn(vocabulary, generator=generator, dtype=dtype).requires_grad_() if bias else None
    target = torch.randint(0, vocabulary, (rows,), generator=generator)
    return hidden, Head(weight, shift, softcap, scale), target


def gradients(loss: Tensor, *inputs: Tensor | None) -> list[Tensor]:
    return list(torch.autograd.grad(loss, [part for part in inputs if part is not None]))
