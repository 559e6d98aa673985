"""The distribution that tokens are drawn from, and drawing from it with one random number each."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from llull.language.sampling.sampler import Settings

_OFTEN_ENOUGH = 128
"""So many most probable tokens mostly have the share that is asked for; they are found faster than all are sorted."""


def model_log_probs(logits: Tensor) -> Tensor:
    """The model's own distribution at temperature 1, in at least float32.

    Args:
        logits: [rows, vocabulary].

    Returns:
        Log-probabilities [rows, vocabulary].
    """
    return (logits if logits.dtype == torch.float64 else logits.float()).log_softmax(-1)


def sampling_log_probs(log_probs: Tensor, settings: Settings) -> Tensor:
    """The tempered and cut distribution.

    Args:
        log_probs: the model's own [rows, vocabulary].
        settings: temperature, ``top_k``, ``top_p`` and ``min_p``, applied in this order. Tokens that are exactly as
            probable as the last one kept are kept too.

    Returns:
        Log-probabilities [rows, vocabulary], of minus infinity where a token is cut off.
    """
    if settings.plain:
        return log_probs
    if settings.temperature == 0:
        certain = torch.full_like(log_probs, -math.inf)
        return certain.scatter_(-1, log_probs.argmax(-1, keepdim=True), 0.0)
    tempered = (log_probs / settings.temperature).log_softmax(-1)
    if settings.top_k is not None and settings.top_k < tempered.shape[-1]:
        least = tempered.topk(settings.top_k).values[..., -1:]
        tempered = tempered.masked_fill(tempered < least, -math.inf).log_softmax(-1)
    if settings.top_p < 1:
        tempered = tempered.masked_fill(tempered < _last_within(tempered, settings.top_p), -math.inf).log_softmax(-1)
    if settings.min_p > 0:
        least = tempered.amax(-1, keepdim=True) + math.log(settings.min_p)
        tempered = tempered.masked_fill(tempered < least, -math.inf).log_softmax(-1)
    return tempered


def _last_within(log_probs: Tensor, share: float) -> Tensor:
    """The log-probability [rows, 1] of the last of the fewest most probable tokens that have a share together."""
    vocabulary = log_probs.shape[-1]
    for most in (_OFTEN_ENOUGH, vocabulary):
        ranked = log_probs.topk(min(most, vocabulary)).values
        within = ranked.double().exp().cumsum(-1)
        if most >= vocabulary or bool((within[:, -1] >= share).all()):
            break
    # Those before which the share is not yet reached; the first is always among them.
    kept = (within[:, :-1] < share).sum(-1, keepdim=True)
    return ranked.gather(-1, kept)


def draw(log_probs: Tensor, uniform: Tensor) -> Tensor:
    """Draw one token of each row by inverting the cumulative distribution, in the order of the vocabulary.

    Args:
        log_probs: [rows, vocabulary].
        uniform: float64 [rows], at least 0 and below 1.

    Returns:
        int64 [rows]; never a token of probability 0.
    """
    cumulative = log_probs.double().exp().cumsum(-1)
    whole = cumulative[:, -1:]
    # A product that is rounded up to the whole would lead beyond the last token.
    below = torch.nextafter(whole, torch.zeros_like(whole))
    return torch.searchsorted(cumulative, torch.minimum(uniform[:, None] * whole, below), right=True).squeeze(-1)
