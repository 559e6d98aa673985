"""Rankings of several options at once."""

from __future__ import annotations

import torch

from llull.objectives.axes import Belief, Kind, Link, ListLink, Outcome, Score, Structure
from llull.objectives.batch import Batch, ListUnits


class Listwise(Structure):
    """Each ranking gives one loss, from the scores of its options."""

    kind: Kind = "lists"

    def forward(self, batch: Batch, score: Score, link: Link, belief: Belief) -> Outcome:
        """Loss of each ranking: [m]."""
        units = batch.main
        if not isinstance(units, ListUnits) or not isinstance(link, ListLink):
            raise TypeError("rankings are ListUnits, read through a ListLink")
        scores = score.list(batch, units)
        first, last = _ends(units)
        gap = (scores.gather(1, first[:, None]) - scores.gather(1, last[:, None]))[:, 0]
        return Outcome(link(scores, units), gap.detach())

    def formula(self) -> tuple[str, ...]:
        """``scores`` are those of the ranking's options, best first."""
        return ("loss = link(scores)", "scores = [s(y) for y in ranking]")


def _ends(units: ListUnits) -> tuple[torch.Tensor, torch.Tensor]:
    """The places of one of the best and of one of the worst options of each ranking: int64 [m], [m]."""
    worst = torch.where(units.mask, units.tier, -1)
    best = torch.where(units.mask, units.tier, units.tier.max() + 1 if units.tier.numel() else units.tier)
    return best.argmin(dim=1), worst.argmax(dim=1)
