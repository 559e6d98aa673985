"""Whole distributions compared instead of single pairs: alignment by optimal transport in one dimension."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from llull.errors import InputError
from llull.objectives.axes import Belief, Kind, Link, Needs, Outcome, PairLink, Score, Structure
from llull.objectives.batch import Batch, PairUnits

Over = Literal["data", "window"]


class Transport(Structure):
    """The i-th smallest of one set of scores is compared with the i-th smallest of another (AOT; Melnyk et al. 2024).

    Optimal transport in one dimension pairs by rank. Paired: the policy's gaps between chosen and rejected against the
    reference's gaps. Unpaired: scores of chosen options against scores of rejected ones.

    Ranks are taken over the data set: a table keeps the last known values of every pair, starting at the reference; a
    pair's own value as it is now is ranked among the others' last known ones. ``over="window"`` ranks among the values
    of the window of updates instead, which costs a look at the window before its losses. Neither depends on how a
    window was cut into batches. Weights of judgments do not enter the ranks.

    Args:
        score: the objective's own score against a reference, with which the table is filled.
        paired: compare gaps with the reference's gaps, or chosen with rejected.
        over: the data set, or the window.
    """

    kind: Kind = "pairs"
    first: Tensor
    second: Tensor
    present: Tensor

    def __init__(self, score: Score, paired: bool = True, over: Over = "data") -> None:
        super().__init__()
        if over not in ("data", "window"):
            raise InputError(f"over: no {over!r}; rank over the data or over the window")
        self.score, self.paired, self.over = score, paired, over
        self.needs = Needs(reference=True, survey=over == "window")
        self.register_buffer("first", torch.empty(0))
        self.register_buffer("second", torch.empty(0))
        self.register_buffer("present", torch.empty(0, dtype=torch.bool))

    def begin(self, everything: Batch) -> None:
        """Fill the table from the whole data set."""
        units = self._pairs(everything)
        size = int(units.index.max()) + 1 if len(units) else 0
        self.first = self.second = everything.options.policy.new_zeros(size)
        self.present = torch.zeros(size, dtype=torch.bool, device=self.first.device)
        self._remember(self._dense(units, *self._sides(everything, units)), forget=True)

    def forward(self, batch: Batch, score: Score, link: Link, belief: Belief) -> Outcome:
        """Loss of each pair: [m]."""
        units = self._pairs(batch)
        if not isinstance(link, PairLink):
            raise TypeError("a transport structure reads PairUnits through a PairLink")
        if not bool(self.present.any()):
            raise ValueError("ranks are taken over the data set: call begin with it before the first loss")
        first, second = self._sides(batch, units)
        losses, noted = self._linked(units, link, belief, first, self._at_rank(units, first, 0))
        if not self.paired:
            other, more = self._linked(units, link, belief, self._at_rank(units, second, 1), second)
            # Each rank is met twice, once from either side: both gradients count, the value once.
            losses, noted = losses + other - 0.5 * (losses + other).detach(), noted | more
        if self.over == "data":
            noted = noted | self._dense(units, first.detach(), second.detach())
        return Outcome(losses, (first - second).detach(), noted)

    def survey(self, batch: Batch) -> dict[str, Tensor]:
        """The values of a window's pairs, each at its place in the table."""
        if self.over == "data":
            return {}
        units = self._pairs(batch)
        return self._dense(units, *self._sides(batch, units))

    def settle(self, sums: dict[str, Tensor]) -> None:
        """The window's pairs alone."""
        if "transport_seen" in sums:
            self._remember(sums, forget=True)

    def update(self, sums: dict[str, Tensor]) -> None:
        """Newer values in place of older ones."""
        if "transport_seen" in sums:
            self._remember(sums, forget=False)

    def _pairs(self, batch: Batch) -> PairUnits:
        if not isinstance(batch.main, PairUnits):
            raise TypeError("a transport structure reads PairUnits through a PairLink")
        return batch.main

    def _sides(self, batch: Batch, units: PairUnits) -> tuple[Tensor, Tensor]:
        """Paired: gaps of policy and of reference. Unpaired: scores of chosen and of rejected. [m], [m]."""
        if not self.paired:
            return self.score.pair(batch, units)
        options = batch.options
        if options.reference is None:
            raise ValueError("gaps are compared with the reference's, and the batch has no reference scores")
        nothing = torch.zeros_like(options.reference)
        gaps = []
        for policy in (options.policy, options.reference):
            alone = replace(batch, options=replace(options, policy=policy, reference=nothing))
            chosen, rejected = self.score.pair(alone, units)
            gaps.append(chosen - rejected)
        return gaps[0], gaps[1]

    def _at_rank(self, units: PairUnits, value: Tensor, side: int) -> Tensor:
        """The other side's value at the rank that each value has among all others of its own side: [m]."""
        own, other = (self.first, self.second) if side == 0 else (self.second, self.first)
        value = value.detach()
        known = units.index < len(own)
        place = units.index.clamp(max=len(own) - 1)
        old = torch.where(known & self.present[place], own[place].to(value.dtype), torch.inf)
        ordered = own[self.present].to(value.dtype).sort().values
        rank = torch.searchsorted(ordered, value.contiguous()) - (old < value).long()
        return other[self.present].to(value.dtype).sort().values[rank.clamp(0, len(ordered) - 1)]

    def _linked(
        self, units: PairUnits, link: PairLink, belief: Belief, first: Tensor, second: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        straight = link(first, second)
        turned = link(second, first) if belief.turns else None
        as_judged, as_turned = belief(units, straight, turned)
        losses = as_judged * straight
        if turned is not None and as_turned is not None:
            losses = losses + as_turned * turned
        return losses, belief.note(units, as_judged.detach())

    def _dense(self, units: PairUnits, first: Tensor, second: Tensor) -> dict[str, Tensor]:
        known = units.index < len(self.first)
        place, zeros = units.index[known], torch.zeros_like(self.first)
        return {
            "transport_first": zeros.index_add(0, place, first[known].detach().to(zeros.dtype)),
            "transport_second": zeros.index_add(0, place, second[known].detach().to(zeros.dtype)),
            "transport_seen": zeros.index_add(0, place, zeros.new_ones(len(place))),
        }

    def _remember(self, sums: dict[str, Tensor], forget: bool) -> None:
        seen = sums["transport_seen"]
        now = seen > 0
        first, second = sums["transport_first"] / seen.clamp(min=1), sums["transport_second"] / seen.clamp(min=1)
        self.first, self.second = torch.where(now, first, self.first), torch.where(now, second, self.second)
        self.present = now if forget else self.present | now

    def formula(self) -> tuple[str, ...]:
        """``reference_at``, ``rejected_at`` and ``chosen_at`` give the value of equal rank over the data set."""
        if self.paired:
            return ("loss = link(gap, reference_at(gap))", "gap = s(w) - s(l) + reference_gap")
        return ("loss = (link(s(w), rejected_at(s(w))) + link(chosen_at(s(l)), s(l))) / 2",)
