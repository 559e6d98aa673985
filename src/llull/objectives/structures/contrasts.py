"""One weighted sum of scores for each judgment, inside one link: several contrasts judged together."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from llull.errors import InputError
from llull.objectives.axes import Belief, Kind, Link, Outcome, PairLink, Score, Structure
from llull.objectives.batch import Batch, ListUnits


class WeightedContrasts(Structure):
    """link(z, 0), z the weighted mean of how far a ranking's first option scores above each of the others.

    Args:
        weights: of the second option, the third, and so on; options beyond them are refused, places left empty are
            left out of the mean.
    """

    kind: Kind = "lists"

    def __init__(self, weights: Sequence[float]) -> None:
        super().__init__()
        self.weights = tuple(float(weight) for weight in weights)
        if not self.weights or min(self.weights) < 0 or sum(self.weights) == 0:
            raise InputError("weights of contrasts must not be negative, and not all zero")

    def forward(self, batch: Batch, score: Score, link: Link, belief: Belief) -> Outcome:
        """Loss of each unit: [m]."""
        units = batch.main
        if not isinstance(units, ListUnits) or not isinstance(link, PairLink):
            raise TypeError("weighted contrasts read ListUnits through a PairLink")
        scores = score.list(batch, units)
        others = units.option.shape[1] - 1
        if others > len(self.weights):
            raise InputError(f"units have {others} contrasts and the objective weights for {len(self.weights)}")
        weight = scores.new_tensor(self.weights[:others]) * units.mask[:, 1:]
        lead = (weight * (scores[:, :1] - scores[:, 1:])).sum(1) / weight.sum(1).clamp(min=1e-12)
        return Outcome(link(lead, torch.zeros_like(lead)), lead.detach())

    def formula(self) -> tuple[str, ...]:
        """``o`` lists the K options, ``share`` their weights."""
        return (
            "loss = link(lead, 0)",
            "lead = sum(share[k] * (s(o[0]) - s(o[k])) for k in range(1, K)) / sum(share[k] for k in range(1, K))",
            f"share = {(0.0, *self.weights)!r}",
        )
