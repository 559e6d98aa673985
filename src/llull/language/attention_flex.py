"""FlexAttention over packed prefix trees: one compiled kernel for the whole row, blocks that see nothing skipped.

Its mask and its numbers are tested on CPU, where PyTorch runs it without a kernel; the compiled one has not been run by
the tests. The probe of `llull.language.probing` compares its numbers with the model's own before they are used.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention


@cache
def _compiled(function: Any) -> Any:
    return torch.compile(function, dynamic=True)


def make_block_mask(end: Tensor, position: Tensor, window: int | None) -> BlockMask:
    """Which keys each query of a row sees, as FlexAttention wants it.

    Args:
        end: int64 [T] end of each token's subtree.
        position: int64 [T] depth.
        window: see only so many tokens up the path, the token itself included; None: all.

    Returns:
        The mask, the same for all heads.
    """

    def sees(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        seen = (key <= query) & (query < end[key])
        return seen if window is None else seen & (position[query] - position[key] < window)

    make = _compiled(create_block_mask) if end.is_cuda else create_block_mask
    return make(sees, None, None, len(end), len(end), device=str(end.device))


def attend_flex(
    query: Tensor, key: Tensor, value: Tensor, mask: BlockMask, *, scale: float, softcap: float | None = None
) -> Tensor:
    """Softmax attention under a block mask: compiled on a GPU, plain PyTorch elsewhere.

    Args:
        query: [1, heads, T, d].
        key: [1, key-value heads, T, d]; each of its heads serves as many neighboring query heads.
        value: [1, key-value heads, T, d].
        mask: from `make_block_mask`.
        scale: what products of queries and keys are multiplied by.
        softcap: c in ``c tanh(product / c)``.

    Returns:
        [1, heads, T, d].
    """

    run = _compiled(flex_attention) if query.is_cuda else flex_attention
    return run(
        query,
        key,
        value,
        score_mod=None if softcap is None else _cap(softcap),
        block_mask=mask,
        scale=scale,
        enable_gqa=query.shape[1] != key.shape[1],
    )


def _cap(softcap: float) -> Callable[..., Tensor]:
    def cap(score: Tensor, batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return softcap * torch.tanh(score / softcap)

    return cap
