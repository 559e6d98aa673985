"""Entropies, agreement and divergences of next-token distributions at scored positions, without storing logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from llull.errors import InputError
from llull.language.heads import Arithmetic, Head, HeadTiles, spans
from llull.language.logprobs import NEGLIGIBLE, check_shapes, selected_log_probs

CPU_BYTES = 2**27
"""Bytes of logits and their like held at a time on a CPU.

With 32,000 entries and 288 dimensions on one core, reverse KL and its gradients in chunks of 128 rows took as long as
the plain computation with all logits, although they need two products more; chunks of 16 rows took twice as long.
"""

GPU_BYTES = 2**29
"""The same elsewhere."""

_FEWEST_ROWS = 32
"""Products with fewer rows than this would read the head's weight for too little work."""

Mixture = Callable[[Sequence[Tensor]], tuple[Tensor, Tensor | None]]
"""From the log-probabilities of each teacher, [r, V], to the logits of their mixture, [r, V], and the weight it gave to
each position, [r], where it has one."""


@dataclass(frozen=True)
class Teacher:
    """A fixed distribution at each scored position; no gradient goes into it.

    Args:
        hidden: [s, e], the teacher's hidden states at the positions of the student's.
        head: the teacher's head; entries beyond the student's vocabulary are left out.
    """

    hidden: Tensor
    head: Head


@dataclass(frozen=True)
class Divergence:
    """What to measure between the student p = softmax(z / temperature) and the teachers' distribution q.

    Args:
        kind: ``forward_kl`` KL(q || p) = sum q log(q / p), as in TDPO (Zeng et al., 2024) and SparsePO;
            ``reverse_kl`` KL(p || q) = sum p log(p / q);
            ``jensen_shannon`` KL(p || m) / 2 + KL(q || m) / 2 with m = (p + q) / 2, in nats;
            ``total_variation`` sum |p - q| / 2.
        teachers: one, or several with a mixture.
        mixture: how several teachers make one distribution (`geometric_mixture`, `adaptive_contrast`, or any function).
        temperature: divides the logits of student and mixture.
    """

    kind: str
    teachers: Sequence[Teacher]
    mixture: Mixture | None = None
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise InputError(f"divergence: no kind {self.kind!r}; one of {', '.join(_KINDS)}")
        if not self.teachers or (len(self.teachers) > 1 and self.mixture is None):
            raise InputError(f"divergence: {len(self.teachers)} teachers; give one, or a mixture that joins them")
        if not self.temperature > 0:
            raise InputError(f"divergence: temperature {self.temperature}; it must be above 0")


@dataclass(frozen=True)
class TokenStatistics:
    """What was asked about s scored tokens; each is [s], and None where it was not asked for.

    Args:
        log_probs: log-probability of the target, differentiable.
        entropy: entropy of the student's distribution in nats, differentiable.
        top1: whether the target is the student's most probable token.
        divergence: the divergence to the teachers, differentiable in the student.
        mixing: the weight the mixture gave to the position.
        concentration: log of the sum of squared probabilities of the student.
    """

    log_probs: Tensor
    entropy: Tensor | None = None
    top1: Tensor | None = None
    divergence: Tensor | None = None
    mixing: Tensor | None = None
    concentration: Tensor | None = None


def geometric_mixture(*weights: float) -> Mixture:
    """The mixture q proportional to prod_k q_k^w_k.

    Weights (w, 1 - w) on (aligned, reference) give the optimum of KL-regularised alignment at strength w (Liu et al.,
    2024, decoding-time realignment); a single weight 1 / T is a teacher at temperature T.
    """

    def mix(log_probs: Sequence[Tensor]) -> tuple[Tensor, None]:
        if len(log_probs) != len(weights):
            raise InputError(f"geometric mixture: {len(weights)} weights for {len(log_probs)} teachers; give one each")
        total = log_probs[0] * weights[0]
        for weight, other in zip(weights[1:], log_probs[1:], strict=True):
            total.add_(other, alpha=weight)
        return total, None

    return mix


def adaptive_contrast(alpha: float = 10.0, floor: float = 1e-3, temperature: float = 1.0) -> Mixture:
    """The token-adaptive teacher of AlignDistil (Zhang et al., 2025) from an aligned and a reversely aligned model.

    z* = (w (z_aligned - z_reverse) + z_aligned) / temperature with w = alpha sum_v |q_aligned - q_reverse| + floor for
    each position; the sum is twice the total variation. `TokenStatistics.mixing` holds w, for the loss to divide by.
    """

    def mix(log_probs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        if len(log_probs) != 2:
            raise InputError(f"adaptive contrast: {len(log_probs)} teachers; give the aligned and the reversed one")
        aligned, reverse = log_probs
        weight = (aligned.exp() - reverse.exp()).abs_().sum(1).mul_(alpha).add_(floor)
        return (aligned - reverse).mul_(weight.unsqueeze(1)).add_(aligned).div_(temperature), weight

    return mix


def token_statistics(
    hidden: Tensor,
    head: Head,
    target: Tensor,
    *,
    entropy: bool = False,
    top1: bool = False,
    concentration: bool = False,
    divergence: Divergence | None = None,
    chunk: int | None = None,
) -> TokenStatistics:
    """Log-probabilities of targets and whatever else is asked about their distributions, in one pass.

    Rows are taken a chunk at a time; the backward pass computes the chunk's logits again, the teachers' included, and
    uses closed forms: with p the student and q the teacher, d entropy / dz = -p (log p + entropy),
    d KL(q || p) / dz = p - q, and p (a - sum p a) for the others, a = log p - log q for KL(p || q), (log p - log m) / 2
    for Jensen-Shannon and sign(p - q) / 2 for total variation. Where only log-probabilities are asked for, this is
    `selected_log_probs`.

    Args:
        hidden: float [s, d], the hidden state each token is predicted from.
        head: the student's head.
        target: int64 [s].
        entropy: whether to give entropies.
        top1: whether to say where the target is the most probable token.
        concentration: whether to give the log of the sum of squared probabilities.
        divergence: the divergence to measure.
        chunk: rows of logits held at a time; by default what keeps all buffers within `CPU_BYTES` or `GPU_BYTES`.

    Returns:
        The statistics, float32 (float64 for float64 arguments), differentiable once in hidden, weight and bias.

    Raises:
        InputError: if shapes do not fit.
    """
    if not (entropy or top1 or concentration or divergence):
        found = selected_log_probs(hidden, head.weight, target, bias=head.bias, softcap=head.softcap, scale=head.scale)
        return TokenStatistics(found)
    check_shapes(hidden, head.weight, target)
    if divergence is not None:
        _check_teachers(divergence, len(hidden), len(head.weight))
    rows = chunk or _default_rows(len(head.weight), len(divergence.teachers) if divergence else 0, hidden.device)
    arithmetic = Arithmetic.choose(hidden, head.weight)
    rows = max(1, min(rows, len(hidden)))
    asked = _Asked(head.softcap, head.scale, entropy, top1, concentration, divergence, rows, arithmetic)
    return TokenStatistics(*_TokenStatistics.apply(hidden, head.weight, head.bias, target, asked))


def _check_teachers(divergence: Divergence, count: int, vocabulary: int) -> None:
    for number, teacher in enumerate(divergence.teachers):
        if teacher.hidden.ndim != 2 or len(teacher.hidden) != count:
            raise InputError(
                f"divergence: teacher {number} has hidden states {tuple(teacher.hidden.shape)} for {count} positions; "
                "give one row for each position of the student"
            )
        if len(teacher.head.weight) < vocabulary:
            raise InputError(
                f"divergence: teacher {number} has {len(teacher.head.weight)} vocabulary entries and the student "
                f"{vocabulary}; cut the student's head to the common vocabulary"
            )


def _default_rows(vocabulary: int, teachers: int, device: torch.device) -> int:
    room = CPU_BYTES if device.type == "cpu" else GPU_BYTES
    # Four of the student: logits, log-probabilities, probabilities, their gradient. Two of each teacher.
    return max(_FEWEST_ROWS, room // (4 * vocabulary * (4 + 2 * teachers)))


@dataclass(frozen=True)
class _Asked:
    softcap: float | None
    scale: float
    entropy: bool
    top1: bool
    concentration: bool
    divergence: Divergence | None
    rows: int
    arithmetic: Arithmetic


class _Chunks:
    """Student and teachers, ready to give log-probabilities of any rows over the whole vocabulary."""

    def __init__(self, hidden: Tensor, head: Head, asked: _Asked, kept: Tensor | None = None) -> None:
        self.asked = asked
        self.vocabulary = len(head.weight)
        self.arithmetic = asked.arithmetic
        self.student = HeadTiles(hidden, head, self.arithmetic, (asked.rows, self.vocabulary))
        self.weight = self.student.weight(slice(0, self.vocabulary))
        self.teachers: list[tuple[HeadTiles, Tensor]] = []
        for teacher in asked.divergence.teachers if asked.divergence else ():
            states = teacher.hidden.detach()
            tiles = self._teacher_tiles(states if kept is None else states[kept], teacher.head)
            self.teachers.append((tiles, tiles.weight(slice(0, self.vocabulary))))

    def _teacher_tiles(self, hidden: Tensor, head: Head) -> HeadTiles:
        statistics = self.arithmetic.statistics
        operands = Arithmetic.choose(hidden, head.weight).operands
        # Teachers may be of another precision; what is compared is in the student's.
        arithmetic = Arithmetic(operands if operands.itemsize == 2 else statistics, statistics)
        return HeadTiles(hidden, head, arithmetic, (self.asked.rows, self.vocabulary))

    def spans(self, count: int) -> list[slice]:
        # Of no rows there is one empty part, so that results of the right kinds come out.
        return list(spans(count, self.asked.rows)) or [slice(0, 0)]

    def logits(self, rows: slice) -> Tensor:
        """The student's logits [r, V]; they live until the next call."""
        return self.student.logits(rows, slice(0, self.vocabulary), self.weight)

    def tempered(self, logits: Tensor, log_probs: Tensor) -> Tensor:
        """The student's log-probabilities at the divergence's temperature."""
        assert self.asked.divergence is not None
        temperature = self.asked.divergence.temperature
        return log_probs if temperature == 1.0 else logits.div(temperature).log_softmax(1)

    def taught(self, rows: slice) -> tuple[Tensor, Tensor | None]:
        """Log-probabilities of the teachers' distribution, [r, V], and the mixture's weight, [r]."""
        divergence = self.asked.divergence
        assert divergence is not None
        every = [
            tiles.logits(rows, slice(0, self.vocabulary), weight).log_softmax(1) for tiles, weight in self.teachers
        ]
        mixed, mixing = (every[0], None) if divergence.mixture is None else divergence.mixture(every)
        if divergence.mixture is not None or divergence.temperature != 1.0:
            mixed = mixed.div(divergence.temperature).log_softmax(1)
        return mixed, mixing


class _TokenStatistics(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, target: Tensor, asked: _Asked
    ) -> tuple[Tensor | None, ...]:
        ctx.set_materialize_grads(False)
        ctx.asked = asked
        ctx.save_for_backward(hidden, weight, bias, target)
        with torch.autocast(hidden.device.type, enabled=False):
            chunks = _Chunks(hidden, Head(weight, bias, asked.softcap, asked.scale), asked)
            parts = [_describe_chunk(chunks, rows, target[rows]) for rows in chunks.spans(len(target))]
        log_probs, entropy, top1, divergence, mixing, concentration = (
            torch.cat(column) if column[0] is not None else None for column in zip(*parts, strict=True)
        )
        ctx.mark_non_differentiable(*(fixed for fixed in (top1, mixing, concentration) if fixed is not None))
        return log_probs, entropy, top1, divergence, mixing, concentration

    @staticmethod
    @once_differentiable  # its annotation hides the name of the first argument from the type checker
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *gradients: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        hidden, weight, bias, target = ctx.saved_tensors
        asked: _Asked = ctx.asked
        by_output = [gradients[0], gradients[1], gradients[3]]
        kept = torch.zeros(len(target), dtype=torch.bool, device=target.device)
        for gradient in by_output:
            if gradient is not None:
                kept |= ~(gradient.abs() <= NEGLIGIBLE)
        index = kept.nonzero().squeeze(1)
        by_output = [gradient[index] if gradient is not None else None for gradient in by_output]
        with torch.autocast(hidden.device.type, enabled=False):
            chunks = _Chunks(hidden[index], Head(weight, bias, asked.softcap, asked.scale), asked, index)
            to_hidden, to_weight, to_bias = _pull_back(chunks, target[index], by_output, ctx.needs_input_grad[:3])
        if to_hidden is not None:
            to_hidden = torch.zeros_like(hidden).index_copy_(0, index, to_hidden.mul_(asked.scale).to(hidden.dtype))
        if to_weight is not None:
            to_weight = to_weight.to(weight.dtype)
        if to_bias is not None:
            to_bias = to_bias.to(bias.dtype)
        return to_hidden, to_weight, to_bias, None, None


def _describe_chunk(chunks: _Chunks, rows: slice, target: Tensor) -> tuple[Tensor | None, ...]:
    asked = chunks.asked
    logits = chunks.logits(rows)
    log_probs = logits.log_softmax(1)
    chosen = log_probs.gather(1, target.unsqueeze(1)).squeeze(1)
    entropy = top1 = value = mixing = concentration = None
    if asked.top1:
        top1 = logits.argmax(1) == target
    if asked.entropy:
        entropy = log_probs.exp().mul_(log_probs).sum(1).neg_()
    if asked.divergence is not None:
        taught, mixing = chunks.taught(rows)
        value = _KINDS[asked.divergence.kind].value(chunks.tempered(logits, log_probs), taught).clamp_min_(0.0)
    if asked.concentration:
        concentration = log_probs.mul(2.0).logsumexp(1)
    return chosen, entropy, top1, value, mixing, concentration


def _pull_back(
    chunks: _Chunks, target: Tensor, by_output: list[Tensor | None], needed: tuple[bool, bool, bool]
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Gradients to scale * hidden, weight and bias, in the dtype of statistics, None where not needed."""
    arithmetic, student = chunks.arithmetic, chunks.student
    statistics = arithmetic.statistics
    to_hidden = torch.zeros_like(student.hidden, dtype=statistics) if needed[0] else None
    to_weight = torch.zeros_like(chunks.weight, dtype=statistics) if needed[1] else None
    to_bias = chunks.weight.new_zeros(chunks.vocabulary, dtype=statistics) if needed[2] else None
    for rows in chunks.spans(len(target)):
        by_row = [part[rows].to(statistics).unsqueeze(1) if part is not None else None for part in by_output]
        pull = _chunk_pull(chunks, rows, target[rows].unsqueeze(1), by_row)
        if to_hidden is not None:
            student.arithmetic.add_product(to_hidden[rows], pull, chunks.weight)
        if to_weight is not None:
            student.arithmetic.add_product(to_weight, pull.T, student.hidden[rows])
        if to_bias is not None:
            to_bias.add_(pull.sum(0), alpha=chunks.asked.scale)
    return to_hidden, to_weight, to_bias


def _chunk_pull(chunks: _Chunks, rows: slice, target: Tensor, by_row: list[Tensor | None]) -> Tensor:
    """Gradient to u = scale * (hidden @ weight.T + bias), [r, V]."""
    to_chosen, to_entropy, to_value = by_row
    logits = chunks.logits(rows)
    log_probs = logits.log_softmax(1)
    probs = log_probs.exp()
    pull = torch.zeros_like(probs)
    if to_chosen is not None:
        pull.addcmul_(probs, to_chosen, value=-1.0).scatter_add_(1, target, to_chosen)
    if to_entropy is not None:
        pull.addcmul_(_centered(probs, log_probs), to_entropy, value=-1.0)
    if to_value is not None:
        divergence = chunks.asked.divergence
        assert divergence is not None
        taught, _ = chunks.taught(rows)
        slope = _KINDS[divergence.kind].slope(chunks.tempered(logits, log_probs), taught)
        pull.addcmul_(slope, to_value, value=1.0 / divergence.temperature)
    slope_of_cap = chunks.student.slope(logits)
    return pull if slope_of_cap is None else pull.mul_(slope_of_cap)


def _centered(probs: Tensor, worth: Tensor) -> Tensor:
    """p (a - sum p a): what a gradient a to probabilities is to their logits."""
    mean = (probs * worth).sum(1, keepdim=True)
    return (worth - mean).mul_(probs)


def _middle(log_p: Tensor, log_q: Tensor) -> Tensor:
    return torch.logaddexp(log_p, log_q).sub_(torch.log(log_p.new_tensor(2.0)))


def _jensen_shannon(log_p: Tensor, log_q: Tensor) -> Tensor:
    middle = _middle(log_p, log_q)
    total = (log_p - middle).mul_(log_p.exp()).add_((log_q - middle).mul_(log_q.exp()))
    return total.sum(1).div_(2.0)


@dataclass(frozen=True)
class _Kind:
    """A divergence of log-probabilities [r, V] of student and teacher: its value [r], and d value / d logits [r, V]."""

    value: Callable[[Tensor, Tensor], Tensor]
    slope: Callable[[Tensor, Tensor], Tensor]


_KINDS = {
    "forward_kl": _Kind(
        lambda log_p, log_q: (log_q - log_p).mul_(log_q.exp()).sum(1),
        lambda log_p, log_q: log_p.exp().sub_(log_q.exp()),
    ),
    "reverse_kl": _Kind(
        lambda log_p, log_q: (log_p - log_q).mul_(log_p.exp()).sum(1),
        lambda log_p, log_q: _centered(log_p.exp(), log_p - log_q),
    ),
    "jensen_shannon": _Kind(
        _jensen_shannon,
        lambda log_p, log_q: _centered(log_p.exp(), (log_p - _middle(log_p, log_q)).div_(2.0)),
    ),
    "total_variation": _Kind(
        lambda log_p, log_q: (log_p.exp() - log_q.exp()).abs_().sum(1).div_(2.0),
        lambda log_p, log_q: _centered(log_p.exp(), (log_p.exp() - log_q.exp()).sign_().div_(2.0)),
    ),
}
