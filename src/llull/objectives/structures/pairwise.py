"""Pairs: one option judged better than another, of the same context or of two."""

from __future__ import annotations

import torch

from llull.objectives.axes import Belief, Kind, Link, Outcome, PairLink, Score, Structure
from llull.objectives.batch import Batch, PairUnits


class Pairwise(Structure):
    """Each judged pair gives one loss: its judgment as it stands, turned round, or tied, as far as it is believed.

    The two options may respond to different contexts (joint preference, Bansal et al. 2024): nothing here asks for one.
    """

    kind: Kind = "pairs"

    def forward(self, batch: Batch, score: Score, link: Link, belief: Belief) -> Outcome:
        """Loss of each pair: [m]."""
        units = batch.main
        if not isinstance(units, PairUnits) or not isinstance(link, PairLink):
            raise TypeError("a pairwise structure reads PairUnits through a PairLink")
        chosen, rejected = score.pair(batch, units)
        straight = link(chosen, rejected)
        turned = link(rejected, chosen) if belief.turns else None
        as_judged, as_turned = belief(units, straight, turned)
        losses = as_judged * straight
        if turned is not None and as_turned is not None:
            losses = losses + as_turned * turned
        if bool(units.tie.any()):
            losses = torch.where(units.tie, link.tie(chosen, rejected), losses)
        noted = belief.note(units, as_judged.detach()) | link.note(chosen.detach(), rejected.detach(), units.weight)
        return Outcome(losses, (chosen - rejected).detach(), noted)

    def formula(self) -> tuple[str, ...]:
        """One link of two scores."""
        return ("loss = link(s(w), s(l))",)
