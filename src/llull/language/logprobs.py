"""Log-probabilities of chosen tokens straight from hidden states, without the matrix of logits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from llull.errors import InputError
from llull.language.heads import Arithmetic, Head, HeadTiles, spans, tile_shape

NEGLIGIBLE = 1e-30
"""Gradients of log-probabilities at or below this size count as zero.

Where a margin saturates, sigmoid gradients shrink to denormal float32 numbers, which CPUs multiply more slowly: with
gradients of 1e-40 the products below took a quarter more time on one core, and all layers before them suffer too. Rows
without a gradient are left out of the backward pass, which also saves their products (0.02 s in place of 0.65 s).
"""


def selected_log_probs(
    hidden: Tensor,
    weight: Tensor,
    target: Tensor,
    *,
    bias: Tensor | None = None,
    softcap: float | None = None,
    scale: float = 1.0,
    chunk: tuple[int, int] | None = None,
) -> Tensor:
    """Log-probabilities of one token per row: log softmax(z)[target], z = softcap(scale * (hidden @ weight.T + bias)).

    Logits are computed a tile at a time and never stored: what is kept for the backward pass is the hidden states, the
    targets and two numbers per row (the highest logit and the log-sum of exponentials below it), and the backward pass
    computes each tile again. With a frozen head nothing is computed again: the forward pass also gathers the gradient
    of each row with respect to its hidden state, weight[target] - softmax(z) @ weight, and pays one matrix product more
    in place of two. Without gradients (under `torch.no_grad`, or where nothing requires one) only the values are
    computed. The memory needed is one tile beside tensors the size of the arguments. Sums are float32 for 16-bit
    arguments and float64 for float64.

    Args:
        hidden: float [s, d], the hidden state each token is predicted from; several rows may be equal.
        weight: float [V, d], the head's matrix; it may be the embedding itself.
        target: int64 [s], the token predicted, from 0 to V - 1.
        bias: float [V].
        softcap: c in z = c * tanh(u / c), for architectures that cap their logits.
        scale: factor on the logits.
        chunk: rows and vocabulary entries of logits held at a time; by default what suits the device.

    Returns:
        float32 [s] (float64 for float64 arguments), at most 0; differentiable once in hidden, weight and bias.

    Raises:
        InputError: if shapes do not fit, or (checked on CPU) a target is not in the vocabulary.

    >>> hidden, weight = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 0.0], [0.0, 1.0]])
    >>> selected_log_probs(hidden, weight, torch.tensor([1])).exp()
    tensor([0.5000])
    """
    check_shapes(hidden, weight, target)
    head = Head(weight, bias, softcap, scale)
    shape = tile_shape(len(hidden), len(weight), hidden.device, chunk)
    differentiable = any(part is not None and part.requires_grad for part in (hidden, weight, bias))
    if not (torch.is_grad_enabled() and differentiable):
        return _Scan(hidden, head, target, shape).run().log_probs
    return _SelectedLogProbs.apply(hidden, weight, bias, target, softcap, scale, shape)  # pyright: ignore[reportReturnType]


def check_shapes(hidden: Tensor, weight: Tensor, target: Tensor) -> None:
    """Raise an InputError where hidden [s, d], weight [V, d] and target [s] do not fit together."""
    if hidden.ndim != 2 or weight.ndim != 2 or hidden.shape[1] != weight.shape[1] or target.shape != hidden.shape[:1]:
        raise InputError(
            f"selected tokens: hidden {tuple(hidden.shape)}, weight {tuple(weight.shape)} and target "
            f"{tuple(target.shape)} do not fit; give hidden [s, d], weight [V, d] and target [s]"
        )
    # On a GPU the comparison would make the host wait; there a token outside the vocabulary scores -inf.
    if target.device.type == "cpu" and len(target):
        lowest, highest = int(target.min()), int(target.max())
        if lowest < 0 or highest >= len(weight):
            raise InputError(
                f"selected tokens: targets from {lowest} to {highest} with a vocabulary of {len(weight)}; "
                "leave out positions that are not scored, and use the tokenizer the model was made with"
            )


def place_targets(target: Tensor, columns: slice) -> tuple[Tensor, Tensor]:
    """Where targets lie in a part of the vocabulary: index [r, 1], clamped to the part, and whether it is inside."""
    local = (target - columns.start).unsqueeze(1)
    inside = (local >= 0) & (local < columns.stop - columns.start)
    return local.clamp(0, columns.stop - columns.start - 1), inside


class _Scan:
    """One pass over the vocabulary with a running maximum (as in Milakov and Gimelshein, 2018, algorithm 3)."""

    def __init__(self, hidden: Tensor, head: Head, target: Tensor, shape: tuple[int, int]) -> None:
        self.arithmetic = Arithmetic.choose(hidden, head.weight)
        self.tiles = HeadTiles(hidden, head, self.arithmetic, shape)
        self.target = target
        self.shape = shape
        count, statistics = len(hidden), self.arithmetic.statistics
        self.highest = torch.full((count, 1), -torch.inf, dtype=statistics, device=hidden.device)
        self.total = torch.zeros((count, 1), dtype=statistics, device=hidden.device)
        self.chosen = torch.full((count, 1), -torch.inf, dtype=statistics, device=hidden.device)
        self.pull: Tensor | None = None

    def run(self, with_pull: bool = False) -> _Scan:
        """Fill the sums; `with_pull` also gathers sum_v exp(z_v - highest) * dz_v/du * weight_v, [s, d]."""
        if with_pull:
            self.pull = torch.zeros_like(self.tiles.hidden, dtype=self.arithmetic.statistics)
        with torch.no_grad(), torch.autocast(self.target.device.type, enabled=False):
            for columns in spans(len(self.tiles.head.weight), self.shape[1]):
                weight = self.tiles.weight(columns)
                for rows in spans(len(self.target), self.shape[0]):
                    self._add_tile(rows, columns, weight)
        return self

    def _add_tile(self, rows: slice, columns: slice, weight: Tensor) -> None:
        logits = self.tiles.logits(rows, columns, weight)
        local, inside = place_targets(self.target[rows], columns)
        self.chosen[rows] = torch.where(inside, logits.gather(1, local), self.chosen[rows])
        slope = self.tiles.slope(logits) if self.pull is not None else None
        before = self.highest[rows]
        highest = torch.maximum(before, logits.amax(1, keepdim=True))
        fade = before.sub(highest).exp_()
        logits.sub_(highest).exp_()
        self.total[rows] = self.total[rows].mul_(fade).add_(logits.sum(1, keepdim=True))
        self.highest[rows] = highest
        if self.pull is not None:
            pull = self.pull[rows].mul_(fade)
            self.arithmetic.add_product(pull, logits if slope is None else logits.mul_(slope), weight)

    @property
    def log_probs(self) -> Tensor:
        """Log-probabilities of the targets, [s]."""
        return (self.chosen - self.highest - self.total.log()).squeeze(1)

    def hidden_slope(self) -> Tensor:
        """d log p(target) / d (scale * hidden), [s, d]; needs a run with the pull."""
        assert self.pull is not None
        slope = self.tiles.slope(self.chosen)
        toward = self.tiles.head.weight[self.target].to(self.pull.dtype)
        if slope is not None:
            toward.mul_(slope)
        return toward.sub_(self.pull.div_(self.total))


class _SelectedLogProbs(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        target: Tensor,
        softcap: float | None,
        scale: float,
        shape: tuple[int, int],
    ) -> Tensor:
        head_is_frozen = not (ctx.needs_input_grad[1] or ctx.needs_input_grad[2])
        scan = _Scan(hidden, Head(weight, bias, softcap, scale), target, shape).run(with_pull=head_is_frozen)
        log_probs = scan.log_probs
        ctx.rest = softcap, scale, shape, scan.arithmetic, hidden.dtype
        if head_is_frozen:
            ctx.save_for_backward(scan.hidden_slope())
        else:
            ctx.save_for_backward(hidden, weight, bias, target, scan.highest, scan.total.log_())
        return log_probs

    @staticmethod
    @once_differentiable  # its annotation hides the name of the first argument from the type checker
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        softcap, scale, shape, arithmetic, dtype = ctx.rest
        if len(ctx.saved_tensors) == 1:
            (slope,) = ctx.saved_tensors
            pulled = (slope * gradient.mul(scale).masked_fill(gradient.abs() <= NEGLIGIBLE, 0.0).unsqueeze(1)).to(dtype)
            return pulled, None, None, None, None, None, None
        hidden, weight, bias, target, *normalizer = ctx.saved_tensors
        kept = (~(gradient.abs() <= NEGLIGIBLE)).nonzero().squeeze(1)
        whole = len(kept) == len(gradient)
        hidden_kept = hidden
        if not whole:
            hidden_kept, target, gradient = hidden[kept], target[kept], gradient[kept]
            normalizer = [part[kept] for part in normalizer]
        with torch.autocast(hidden.device.type, enabled=False):
            tiles = HeadTiles(hidden_kept, Head(weight, bias, softcap, scale), arithmetic, shape)
            found = _pull_back(tiles, target, (normalizer[0], normalizer[1]), gradient, shape, ctx.needs_input_grad[:3])
        to_hidden, to_weight, to_bias = found
        if to_hidden is not None:
            to_hidden = to_hidden.mul_(scale).to(dtype)
            if not whole:
                to_hidden = torch.zeros_like(hidden).index_copy_(0, kept, to_hidden)
        return to_hidden, to_weight, to_bias, None, None, None, None


def _pull_back(
    tiles: HeadTiles,
    target: Tensor,
    normalizer: tuple[Tensor, Tensor],
    gradient: Tensor,
    shape: tuple[int, int],
    needed: tuple[bool, bool, bool],
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Gradients of sum(gradient * log_probs) to scale * hidden, weight and bias, None where not needed."""
    arithmetic, head = tiles.arithmetic, tiles.head
    # Highest logit and log-sum of what is below it are subtracted in turn: their sum would round away the second.
    highest, log_total = normalizer
    by_row = gradient.to(arithmetic.statistics).unsqueeze(1)
    # The row's gradient multiplies hidden states [s, d], once, and not every tile of probabilities.
    weighted = tiles.hidden.mul(by_row).to(arithmetic.operands) if needed[1] else None
    to_hidden = torch.zeros_like(tiles.hidden, dtype=arithmetic.statistics) if needed[0] else None
    to_weight = torch.empty_like(head.weight) if needed[1] else None
    to_bias = torch.empty_like(head.bias) if needed[2] and head.bias is not None else None
    for columns in spans(len(head.weight), shape[1]):
        weight = tiles.weight(columns)
        # One part of the vocabulary sums over all rows before it is rounded to the weight's dtype.
        part = torch.zeros_like(weight, dtype=arithmetic.statistics) if to_weight is not None else None
        bias_part = torch.zeros(len(weight), dtype=arithmetic.statistics, device=weight.device)
        for rows in spans(len(target), shape[0]):
            logits = tiles.logits(rows, columns, weight)
            slope = tiles.slope(logits)
            pull = logits.sub_(highest[rows]).sub_(log_total[rows]).exp_()
            local, inside = place_targets(target[rows], columns)
            pull.scatter_add_(1, local, inside.to(pull.dtype).neg_())
            if slope is not None:
                pull.mul_(slope)
            if to_hidden is not None:
                arithmetic.add_product(to_hidden[rows], pull, weight)
            if part is not None and weighted is not None:
                arithmetic.add_product(part, pull.T, weighted[rows])
            if to_bias is not None:
                bias_part.add_(pull.T @ by_row[rows].squeeze(1), alpha=head.scale)
        if to_weight is not None and part is not None:
            to_weight[columns] = part.neg_()
        if to_bias is not None:
            to_bias[columns] = bias_part.neg_()
    return to_hidden.mul_(-by_row) if to_hidden is not None else None, to_weight, to_bias
