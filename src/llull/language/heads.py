"""The last layer of a language model: from hidden states to logits, a tile at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

CPU_TILE = (1024, 1024)
"""Rows and vocabulary entries of logits held at a time on a CPU: 4 MiB, so that a tile stays in cache.

Measured on one core with 32,000 entries and 288 dimensions: product, maximum, exponential and sum took 1.13 times
as long as the product alone with this tile, and 1.42 times with whole rows of logits.
"""

GPU_TILE = (4096, 8192)
"""Rows and vocabulary entries of logits held at a time elsewhere: 128 MiB of float32."""

_PRODUCT_KEEPS_FLOAT32 = "dtype" in torch.ops.aten.mm.overloads()


@dataclass(frozen=True)
class Head:
    """What turns hidden states into logits: z = softcap * tanh(u / softcap), u = scale * (hidden @ weight.T + bias).

    Args:
        weight: [V, d]; may be the embedding matrix itself.
        bias: [V].
        softcap: the bound on logits of architectures that have one (Gemma 2); None leaves z = u.
        scale: the factor on logits of architectures that have one (Cohere; Granite divides by its inverse).
    """

    weight: Tensor
    bias: Tensor | None = None
    softcap: float | None = None
    scale: float = 1.0


@dataclass(frozen=True)
class Arithmetic:
    """The types a head computes in.

    Args:
        operands: dtype of the factors of matrix products.
        statistics: dtype of logits and of everything summed over the vocabulary.
    """

    operands: torch.dtype
    statistics: torch.dtype

    @classmethod
    def choose(cls, hidden: Tensor, weight: Tensor) -> Arithmetic:
        """Float64 for float64; on CUDA the given 16-bit type with float32 sums; float32 for everything else.

        CPUs convert 16-bit operands to float32 a tile at a time, which is exact and costs one pass over the weight.
        """
        given = torch.promote_types(hidden.dtype, weight.dtype)
        if given == torch.float64:
            return cls(torch.float64, torch.float64)
        if hidden.device.type != "cuda":
            return cls(torch.float32, torch.float32)
        if torch.is_autocast_enabled("cuda"):
            given = torch.get_autocast_dtype("cuda")
        return cls(given, torch.float32)

    def product(self, left: Tensor, right: Tensor, out: Tensor | None = None) -> Tensor:
        """left @ right in the dtype of statistics."""
        if self.operands == self.statistics:
            return torch.mm(left, right, out=out) if out is not None else torch.mm(left, right)
        if _PRODUCT_KEEPS_FLOAT32 and left.is_cuda:
            return torch.mm(left, right, out_dtype=self.statistics)
        return torch.mm(left, right).to(self.statistics)

    def add_product(self, total: Tensor, left: Tensor, right: Tensor) -> None:
        """Add left @ right to a total of the dtype of statistics, in place."""
        if self.operands == self.statistics:
            total.addmm_(left, right)
        else:
            total.add_(self.product(left.to(self.operands), right))


def tile_shape(rows: int, vocabulary: int, device: torch.device, chunk: tuple[int, int] | None) -> tuple[int, int]:
    """Rows and vocabulary entries of one tile: the chunk asked for or what suits the device, no more than there are.

    Few rows are given a wider tile, so that a tile has about as many entries as it may.
    """
    if chunk is None:
        most_rows, width = CPU_TILE if device.type == "cpu" else GPU_TILE
        width = most_rows * width // max(1, min(rows, most_rows))
        chunk = (most_rows, width)
    return max(1, min(rows, chunk[0])), max(1, min(vocabulary, chunk[1]))


def spans(length: int, size: int) -> Iterator[slice]:
    """Consecutive slices of at most `size` that cover `length`."""
    return (slice(start, min(start + size, length)) for start in range(0, length, size))


class HeadTiles:
    """A head ready to give logits of any rows and any part of the vocabulary into one reused buffer.

    Args:
        hidden: [s, d].
        head: the head.
        arithmetic: the types to compute in.
        shape: rows and vocabulary entries of the largest tile.
    """

    def __init__(self, hidden: Tensor, head: Head, arithmetic: Arithmetic, shape: tuple[int, int]) -> None:
        self.head = head
        self.arithmetic = arithmetic
        scaled = hidden if head.scale == 1.0 else hidden * head.scale
        self.hidden = scaled.to(arithmetic.operands)
        """Hidden states times the head's scale, [s, d]."""
        # Products of 16-bit operands cannot be written into a float32 buffer.
        size = shape[0] * shape[1] if arithmetic.operands == arithmetic.statistics else 0
        self._buffer = torch.empty(size, dtype=arithmetic.statistics, device=hidden.device)

    def weight(self, columns: slice) -> Tensor:
        """The rows of the weight for these vocabulary entries, [w, d], in the dtype of operands."""
        return self.head.weight[columns].to(self.arithmetic.operands)

    def logits(self, rows: slice, columns: slice, weight: Tensor) -> Tensor:
        """Logits [r, w]; they live until the next call."""
        count, width = rows.stop - rows.start, columns.stop - columns.start
        buffer = self._buffer[: count * width].view(count, width) if len(self._buffer) else None
        logits = self.arithmetic.product(self.hidden[rows], weight.T, out=buffer)
        if self.head.bias is not None:
            logits.add_(self.head.bias[columns].to(logits.dtype), alpha=self.head.scale)
        if self.head.softcap is not None:
            logits.div_(self.head.softcap).tanh_().mul_(self.head.softcap)
        return logits

    def slope(self, logits: Tensor) -> Tensor | None:
        """dz/du of the cap at logits z, 1 - (z / softcap)^2; None where there is no cap."""
        if self.head.softcap is None:
            return None
        return logits.div(self.head.softcap).square_().neg_().add_(1.0)
