"""Next-token logits of growing sequences: with the keys and values kept, or computed anew where a model keeps none."""

from __future__ import annotations

import inspect
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor

from llull.language.anatomy import Anatomy
from llull.language.probing import evaluating

_log = logging.getLogger(__name__)

_TOLERANCE = {torch.float64: 1e-5, torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 5e-2}
"""Largest root mean square difference of logits from those of one plain call, relative to 1 + their own."""


class Decoder(ABC):
    """Sequences of one model that grow by a token at a time."""

    @abstractmethod
    def start(self, prompts: Sequence[np.ndarray]) -> Tensor:
        """Read some prompts, [t] ids each; returns logits [prompts, vocabulary] of what comes next."""

    @abstractmethod
    def step(self, ids: Tensor) -> Tensor:
        """Append a token, int64 [rows], to each row; returns logits [rows, vocabulary] of what comes next."""

    @abstractmethod
    def keep(self, rows: Tensor) -> None:
        """Go on with these rows only, int64 [k], each as often as it is named."""

    def fork(self) -> Decoder:
        """Another decoder at the same point."""
        return deepcopy(self)


class CachedDecoder(Decoder):
    """Keeps keys and values; prompts of different lengths are padded at their beginning.

    Args:
        model: called for logits.
        anatomy: of the model.
    """

    def __init__(self, model: Any, anatomy: Anatomy) -> None:
        self.model, self.anatomy = model, anatomy
        known = inspect.signature(anatomy.base.forward).parameters
        self._positions = "position_ids" in known
        self._last_only: dict[str, Any] = {"logits_to_keep": 1} if "logits_to_keep" in known else {}

    def start(self, prompts: Sequence[np.ndarray]) -> Tensor:
        """Read some prompts."""
        from transformers import DynamicCache

        device = self.anatomy.device
        longest = max(map(len, prompts))
        ids = np.zeros((len(prompts), longest), np.int64)
        seen = np.zeros((len(prompts), longest), np.int64)
        for row, prompt in enumerate(prompts):
            ids[row, longest - len(prompt) :] = prompt
            seen[row, longest - len(prompt) :] = 1
        self._cache = DynamicCache(config=self.anatomy.config)
        self._mask = torch.from_numpy(seen).to(device)
        self._length = self._mask.sum(1)
        # Without padding no mask is made at all, which attention computes faster.
        self._padded = bool((seen == 0).any())
        positions = (self._mask.cumsum(1) - 1).clamp(min=0)
        return self._logits(torch.from_numpy(ids).to(device), positions)

    def step(self, ids: Tensor) -> Tensor:
        """Append a token to each row."""
        if self._padded:
            self._mask = torch.cat([self._mask, self._mask.new_ones(len(ids), 1)], 1)
        positions = self._length[:, None]
        self._length = self._length + 1
        return self._logits(ids[:, None], positions)

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows only."""
        rows = rows.to(self.anatomy.device)
        self._cache.reorder_cache(rows)  # type: ignore[arg-type]  # annotated for a legacy tensor type
        self._length = self._length[rows]
        if self._padded:
            self._mask = self._mask[rows]

    def fork(self) -> CachedDecoder:
        """Another decoder at the same point."""
        made = CachedDecoder(self.model, self.anatomy)
        made._cache, made._mask = deepcopy(self._cache), self._mask
        made._length, made._padded = self._length, self._padded
        return made

    def _logits(self, ids: Tensor, positions: Tensor) -> Tensor:
        where = {"position_ids": positions} if self._positions else {}
        mask = {"attention_mask": self._mask} if self._padded else {}
        out = self.model(
            input_ids=ids,
            past_key_values=self._cache,
            use_cache=True,
            return_dict=True,
            **where,
            **mask,
            **self._last_only,
        )
        return out.logits[:, -1]


class PlainDecoder(Decoder):
    """Reads each row from its beginning for every token: slow, and right for every causal model.

    Args:
        model: called for logits.
        anatomy: of the model.
    """

    def __init__(self, model: Any, anatomy: Anatomy) -> None:
        self.model, self.anatomy = model, anatomy
        self._rows: list[np.ndarray] = []

    def start(self, prompts: Sequence[np.ndarray]) -> Tensor:
        """Read some prompts."""
        self._rows = [np.asarray(prompt, np.int64) for prompt in prompts]
        return self._logits()

    def step(self, ids: Tensor) -> Tensor:
        """Append a token to each row."""
        self._rows = [np.append(row, added) for row, added in zip(self._rows, ids.tolist(), strict=True)]
        return self._logits()

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows only."""
        self._rows = [self._rows[row] for row in rows.tolist()]

    def fork(self) -> PlainDecoder:
        """Another decoder at the same point."""
        made = PlainDecoder(self.model, self.anatomy)
        made._rows = list(self._rows)
        return made

    def _logits(self) -> Tensor:
        lengths = np.array([len(row) for row in self._rows])
        found: list[Tensor | None] = [None] * len(lengths)
        # Rows of one length at a time: there is no padding that a model could read.
        for length in np.unique(lengths):
            at = np.flatnonzero(lengths == length)
            ids = torch.from_numpy(np.stack([self._rows[row] for row in at])).to(self.anatomy.device)
            logits = self.model(input_ids=ids, use_cache=False, return_dict=True).logits[:, -1]
            for row, one in zip(at.tolist(), logits, strict=True):
                found[row] = one
        return torch.stack([one for one in found if one is not None])


def decoder_for(model: Any, anatomy: Anatomy) -> Callable[[Any, Anatomy], Decoder]:
    """The decoder to use: with keys and values kept, if that gives the logits that plain calls give.

    Args:
        model: a causal language model.
        anatomy: of the model.

    Returns:
        `CachedDecoder` or `PlainDecoder`.
    """
    generator = np.random.default_rng(0)
    vocabulary = anatomy.text_config.vocab_size
    prompts = [generator.integers(0, vocabulary, length) for length in (9, 4, 9)]
    added = torch.from_numpy(generator.integers(0, vocabulary, (3, 4))).to(anatomy.device)
    with torch.inference_mode(), evaluating(anatomy.base):
        expected = _trial(PlainDecoder(model, anatomy), prompts, added)
        try:
            found = _trial(CachedDecoder(model, anatomy), prompts, added)
        except Exception as fault:  # An architecture may do anything with a cache that it does not know.
            reason = f"{type(fault).__name__}: {str(fault).splitlines()[0] if str(fault) else ''}"
        else:
            difference = (found - expected).double().square().mean().sqrt()
            size = 1 + expected.double().square().mean().sqrt()
            if difference <= _TOLERANCE.get(found.dtype, 5e-2) * size:
                return CachedDecoder
            reason = "with its keys and values kept it gives other logits"
    _log.warning("%s reads every sample from its beginning for each token: %s", type(anatomy.base).__name__, reason)
    return PlainDecoder


def _trial(decoder: Decoder, prompts: list[np.ndarray], added: Tensor) -> Tensor:
    """Logits [rows, vocabulary] of some rows that grow, double and end."""
    logits = [decoder.start(prompts)]
    decoder.keep(torch.tensor([1, 0, 1]))
    decoder = decoder.fork()
    logits += [decoder.step(added[:, at]) for at in (0, 1)]
    decoder.keep(torch.tensor([0, 2]))
    logits += [decoder.step(added[1:, at]) for at in (2, 3)]
    return torch.cat(logits)
