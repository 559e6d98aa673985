"""Pairs looked at by segments: the best segments of the chosen option against the worst of the rejected one."""

from __future__ import annotations

import torch
from torch import Tensor

from llull.errors import InputError
from llull.objectives.axes import Belief, Kind, Link, Needs, Outcome, PairLink, Score, Structure
from llull.objectives.batch import Batch, PairUnits, Scores
from llull.objectives.scores.inside import given, given_tokens
from llull.objectives.scores.steps import step_of


class BestAgainstWorst(Structure):
    """The sum over k of link(r_k s(a_k), q_k s(b_k)): segments a_k of the chosen option, b_k of the rejected one.

    A segment's worth is the mean of its tokens' given weights, in [0, largest]. r is the worth of a chosen segment and
    q = largest - worth of a rejected one, so that what is bad in a rejected option counts. The segments with the
    largest r and those with the largest q are paired, as many as asked and as either option has.

    ``variance`` is that of noise in r and q. It adds to the loss, in expectation, half of itself times the curvature
    of the link; for the logistic link this is taken off: variance / 2 * (s(a)^2 + s(b)^2) p (1 - p), with p the
    sigmoid of the lead.

    Args:
        segments: how many are paired at most.
        largest: the highest worth.
        variance: of noise in the worth; 0 takes nothing off.
    """

    kind: Kind = "pairs"
    needs = Needs(reference=True, tokens=True)

    def __init__(self, segments: int = 3, largest: float = 1.0, variance: float = 0.0) -> None:
        super().__init__()
        if segments < 1 or not largest > 0 or variance < 0:
            raise InputError(
                f"segments {segments} must be at least 1, largest {largest:g} positive, "
                f"variance {variance:g} not negative"
            )
        self.segments, self.largest, self.variance = segments, largest, variance

    def forward(self, batch: Batch, score: Score, link: Link, belief: Belief) -> Outcome:
        """Loss of each pair: [m]."""
        units = batch.main
        if not isinstance(units, PairUnits) or not isinstance(link, PairLink):
            raise TypeError("segments are of PairUnits, read through a PairLink")
        worth, there, scored, width = self._segments(batch, score)
        at = torch.arange(width, device=worth.device)
        first, second = units.chosen[:, None] * width + at, units.rejected[:, None] * width + at
        good = worth[first].masked_fill(~there[first], -torch.inf)
        bad = (self.largest - worth[second]).masked_fill(~there[second], -torch.inf)
        count = min(self.segments, width)
        good, best = good.topk(count, dim=1)
        bad, worst = bad.topk(count, dim=1)
        paired = torch.isfinite(good) & torch.isfinite(bad)
        row, _ = paired.nonzero(as_tuple=True)
        own, other = scored[first.gather(1, best)[paired]], scored[second.gather(1, worst)[paired]]
        chosen, rejected = good[paired] * own, bad[paired] * other
        straight = link(chosen, rejected)
        of = units.select(row)
        turned = link(rejected, chosen) if belief.turns else None
        as_judged, as_turned = belief(of, straight, turned)
        losses = as_judged * straight
        if turned is not None and as_turned is not None:
            losses = losses + as_turned * turned
        losses = torch.where(of.tie, link.tie(chosen, rejected), losses)
        if self.variance:
            p = torch.sigmoid(chosen - rejected)
            losses = losses - 0.5 * self.variance * (own**2 + other**2) * p * (1 - p)
        lead = (chosen - rejected).detach()
        total = losses.new_zeros(len(units))
        return Outcome(total.index_add(0, row, losses), total.index_add(0, row, lead))

    def _segments(self, batch: Batch, score: Score) -> tuple[Tensor, Tensor, Tensor, int]:
        """Of each segment worth, presence and score, in a table [options, width] laid out in a row; and the width."""
        tokens, n = given_tokens(batch), len(batch.options)
        key, width = step_of(tokens)

        def per_segment(values: Tensor) -> Tensor:
            return values.new_zeros(n * width).index_add(0, key, values)

        size = per_segment(torch.ones_like(tokens.policy))
        worth = per_segment(given(tokens.weight, "worth of segments").to(tokens.policy)) / size.clamp(min=1.0)
        reference = per_segment(given(tokens.reference, "reference scores of tokens"))
        scored = score(Batch(Scores(per_segment(tokens.policy), reference, size.clamp(min=1.0)), {}))
        return worth, size > 0, scored, width

    def formula(self) -> tuple[str, ...]:
        """``segments(y)`` are an option's segments, of which ``policy``, ``reference`` and ``worth`` are known."""
        best = f"sorted(segments(w), key=lambda a: -worth(a))[:{self.segments}]"
        worst = f"sorted(segments(l), key=worth)[:{self.segments}]"
        lines = (f"loss = sum(link(worth(a) * s(a), ({self.largest:g} - worth(b)) * s(b)) for a, b in pairs)",)
        if self.variance:
            p = f"sigmoid(worth(a) * s(a) - ({self.largest:g} - worth(b)) * s(b))"
            lines = (
                *lines,
                f"loss += -{0.5 * self.variance:g} * sum((s(a) ** 2 + s(b) ** 2) * curve(a, b) for a, b in pairs)",
                f"curve(a, b) = {p} * (1 - {p})",
            )
        return (*lines, f"pairs = list(zip({best}, {worst}))")
