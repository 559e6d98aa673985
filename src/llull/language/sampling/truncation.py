"""The distribution that tokens are drawn from, and drawing from it with one random number each."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from llull.language.sampling.sampler import Settings


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
        settings: temperature, ``top_k``, ``top_p`` and ``min_p``, applied in this order.

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
        ranked, order = torch.sort(tempered, dim=-1, descending=True, stable=True)
        before = ranked.double().exp().cumsum(-1) - ranked.double().exp()
        # The first token stays, whatever rounding makes of the probability before it.
        cut = before >= settings.top_p
        cut[..., 0] = False
        tempered = tempered.masked_fill(cut.gather(-1, order.argsort(-1)), -math.inf).log_softmax(-1)
    if settings.min_p > 0:
        least = tempered.amax(-1, keepdim=True) + math.log(settings.min_p)
        tempered = tempered.masked_fill(tempered < least, -math.inf).log_softmax(-1)
    return tempered


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
