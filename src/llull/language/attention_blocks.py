"""Attention over the blocks of packed prefix trees on CPU: no mask, and no product that is then thrown away.

Each block runs through PyTorch's CPU flash-attention kernel. Blocks that share queries are merged by their
log-sum-exps, as in Dao et al., 2022 (FlashAttention, section 3.1); in backward each block's gradient is exact once
the kernel is given the merged output and log-sum-exp.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from llull.language.packing import Blocks

_FORWARD: Any = getattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu", None)
_BACKWARD: Any = getattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu_backward", None)


def takes_blocks(query: Tensor) -> bool:
    """Whether `attend_blocks` can run on these queries: they are on the CPU and PyTorch has the kernel."""
    return query.device.type == "cpu" and _FORWARD is not None and _BACKWARD is not None


def attend_blocks(query: Tensor, key: Tensor, value: Tensor, blocks: Blocks, scale: float) -> Tensor:
    """Softmax attention in which each token sees itself and its ancestors.

    Args:
        query: [1, heads, T, d], float32, float64, bfloat16 or float16.
        key: the same shape and dtype.
        value: the same shape and dtype.
        blocks: what attends to what.
        scale: what products of queries and keys are multiplied by.

    Returns:
        [1, heads, T, d], a view of memory laid out as [1, T, heads, d].
    """
    return _Blocks.apply(query, key, value, blocks, scale)


class _Blocks(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, blocks: Blocks, scale: float) -> Tensor:
        batch, heads, tokens, width = query.shape
        out = query.new_empty(batch, tokens, heads, width).transpose(1, 2)
        sums: list[Tensor] = []
        for start, end in blocks.chains:
            part, lse = _FORWARD(
                query[:, :, start:end], key[:, :, start:end], value[:, :, start:end], 0.0, True, scale=scale
            )
            out[:, :, start:end] = part
            sums.append(lse)
        total = torch.cat(sums, -1)
        for start, end, first, stop in blocks.rectangles:
            part, lse = _FORWARD(
                query[:, :, start:end], key[:, :, first:stop], value[:, :, first:stop], 0.0, False, scale=scale
            )
            before = total[:, :, start:end]
            merged = torch.logaddexp(before, lse)
            weight = torch.exp(lse - merged).unsqueeze(-1).to(out.dtype)
            out[:, :, start:end].lerp_(part, weight)
            total[:, :, start:end] = merged
        ctx.save_for_backward(query, key, value, out, total)
        ctx.blocks, ctx.scale = blocks, scale
        return out

    @staticmethod
    @once_differentiable  # Its annotation hides the name of the first argument from the type checker.
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor | None, ...]:
        query, key, value, out, total = ctx.saved_tensors
        (grad,) = grads
        d_query, d_key, d_value = torch.empty_like(query), torch.empty_like(key), torch.empty_like(value)

        def block(start: int, end: int, first: int, stop: int, causal: bool) -> tuple[Tensor, Tensor, Tensor]:
            return _BACKWARD(
                grad[:, :, start:end],
                query[:, :, start:end],
                key[:, :, first:stop],
                value[:, :, first:stop],
                out[:, :, start:end],
                total[:, :, start:end].contiguous(),
                0.0,
                causal,
                scale=ctx.scale,
            )

        for start, end in ctx.blocks.chains:
            parts = block(start, end, start, end, True)
            for whole, part in zip((d_query, d_key, d_value), parts, strict=True):
                whole[:, :, start:end] = part
        for start, end, first, stop in ctx.blocks.rectangles:
            parts = block(start, end, first, stop, False)
            d_query[:, :, start:end] += parts[0]
            d_key[:, :, first:stop] += parts[1]
            d_value[:, :, first:stop] += parts[2]
        return d_query, d_key, d_value, None, None
