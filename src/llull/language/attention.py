"""Attention in which tokens see their ancestors only, plugged into transformers' attention interface.

A model whose attention implementation is ours computes what it always did, by the implementation it had, unless its
backbone is called with a `TreeLayout` as the keyword argument ``tree_layout``: architectures pass unknown keyword
arguments down to their attention layers, and gradient checkpointing keeps them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cached_property
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from llull.errors import InputError
from llull.language.attention_blocks import attend_blocks, takes_blocks
from llull.language.attention_flex import attend_flex, make_block_mask
from llull.language.packing import Packed

_PREFIX = "llull_trees_else_"
_NOT_SUPPORTED = ("s_aux", "position_bias", "head_mask")


class TreeLayout:
    """The part of a `Packed` that attention needs, on the device of the model, with the masks made from it.

    Args:
        packed: the row.
        device: where the model computes.
    """

    def __init__(self, packed: Packed, device: torch.device) -> None:
        self.packed = packed
        self.device = device
        self.end = packed.end.to(device)
        self.position = packed.position.to(device)
        self.windows: set[int | None] = set()
        """The sliding windows that attention layers asked for, in tokens."""
        self._flex_masks: dict[int | None, Any] = {}
        self._masks: dict[int | None, list[Tensor]] = {}

    def block_mask(self, window: int | None) -> Any:
        """The mask of the whole row for FlexAttention."""
        if window not in self._flex_masks:
            self._flex_masks[window] = make_block_mask(self.end, self.position, window)
        return self._flex_masks[window]

    @cached_property
    def spans(self) -> list[int]:
        """Tokens of each tree."""
        return [after - start for start, after in pairwise(self.packed.starts)]

    def masks(self, window: int | None) -> list[Tensor]:
        """For each tree, bool [t, t]: which keys (columns) each query (row) sees."""
        if window not in self._masks:
            self._masks[window] = [
                visible(self.end[start:after] - start, self.position[start:after], window)
                for start, after in pairwise(self.packed.starts)
            ]
        return self._masks[window]


def visible(end: Tensor, position: Tensor, window: int | None = None) -> Tensor:
    """Which tokens of a tree see which.

    Args:
        end: [t] end of each token's subtree.
        position: [t] depth.
        window: see only so many tokens up the path, the token itself included; None: all.

    Returns:
        bool [t, t], queries in rows.
    """
    index = torch.arange(len(end), device=end.device)
    seen = (index[None, :] <= index[:, None]) & (index[:, None] < end[None, :])
    if window is not None:
        seen &= position[:, None] - position[None, :] < window
    return seen


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    layout: TreeLayout,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    softcap: float | None = None,
) -> tuple[Tensor, None]:
    """Attention over a row of trees.

    Args:
        module: the attention layer.
        query: [1, heads, T, d].
        key: [1, key-value heads, T, d].
        value: [1, key-value heads, T, d].
        layout: the trees.
        scaling: what products are multiplied by; None: 1 / sqrt(d).
        dropout: share of attention weights to drop.
        sliding_window: see only so many tokens up the path.
        softcap: c in ``c tanh(product / c)``.

    Returns:
        [1, T, heads, d], and None for the weights.
    """
    layout.windows.add(sliding_window)
    kind = query.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else value.dtype
    query, key, value = query.to(dtype), key.to(dtype), value.to(dtype)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    window = sliding_window if sliding_window is not None and sliding_window < layout.packed.longest else None
    if query.device.type == "cuda" and not dropout:
        out = attend_flex(query, key, value, layout.block_mask(window), scale=scale, softcap=softcap)
        return out.transpose(1, 2), None
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    plain = window is None and softcap is None and not dropout and query.shape[-1] == value.shape[-1]
    if plain and takes_blocks(query):
        return attend_blocks(query, key, value, layout.packed.blocks, scale).transpose(1, 2), None
    parts = [states.split(layout.spans, 2) for states in (query, key, value)]
    outs = [
        _attend_masked(q, k, v, mask, scale, dropout, softcap)
        for q, k, v, mask in zip(*parts, layout.masks(window), strict=True)
    ]
    return torch.cat(outs, 2).transpose(1, 2), None


def _attend_masked(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float, dropout: float, softcap: float | None
) -> Tensor:
    if softcap is None:
        return nn.functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, dropout_p=dropout, scale=scale
        )
    products = softcap * torch.tanh(query @ key.transpose(2, 3) * (scale / softcap))
    weights = products.masked_fill(~mask, -torch.inf).softmax(-1, dtype=torch.float32).to(query.dtype)
    return nn.functional.dropout(weights, dropout) @ value


def use_tree_attention(model: Any) -> Callable[[], None]:
    """Let a transformers model attend over trees when its backbone is given a ``tree_layout``.

    Without one it computes as before, so that it can still generate.

    Args:
        model: a `transformers.PreTrainedModel`.

    Returns:
        A function that undoes it.

    Raises:
        InputError: if the architecture does not go through transformers' attention interface.
    """
    before = {id(config): (config, config._attn_implementation) for config in _configs(model)}
    current = model.config._attn_implementation or "eager"
    if not current.startswith(_PREFIX):
        _register(current)
        model.set_attn_implementation(_PREFIX + current)
        if model.config._attn_implementation != _PREFIX + current:
            raise InputError(f"{type(model).__name__} does not let its attention be replaced")

    def undo() -> None:
        for config, name in before.values():
            config._attn_implementation_internal = name

    return undo


def _configs(model: nn.Module) -> list[Any]:
    found = {id(m.config): m.config for m in model.modules() if hasattr(m, "config")}
    return [config for config in found.values() if hasattr(config, "_attn_implementation")]


def _register(name: str) -> None:
    """Register our attention over the one called ``name``."""

    def forward(
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        tree_layout: TreeLayout | None = None,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor | None]:
        if tree_layout is None:
            eager = getattr(sys.modules[type(module).__module__], "eager_attention_forward", None)
            inner: Any = ALL_ATTENTION_FUNCTIONS.get(name, eager)
            return inner(module, query, key, value, attention_mask, **kwargs)
        extra = [key for key in _NOT_SUPPORTED if kwargs.get(key) is not None]
        if extra:
            raise InputError(f"{type(module).__name__} attends with {extra[0]}, which trees cannot take")
        known = ("scaling", "dropout", "sliding_window", "softcap")
        return attend(module, query, key, value, tree_layout, **{k: kwargs[k] for k in known if k in kwargs})

    AttentionInterface.register(_PREFIX + name, forward)
    if name in ALL_MASK_ATTENTION_FUNCTIONS:
        AttentionMaskInterface.register(_PREFIX + name, ALL_MASK_ATTENTION_FUNCTIONS[name])


# At import, and not only when a model is given our attention: a process that unpickles such a model needs them too.
for _name in ("eager", "sdpa"):
    _register(_name)
