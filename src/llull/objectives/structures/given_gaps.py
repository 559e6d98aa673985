"""Pairs whose gap in reward is known: the policy's implied gap is brought to it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from llull.objectives.axes import Belief, Kind, Link, Needs, Outcome, PairLink, Score, Structure
from llull.objectives.batch import Batch, PairUnits
from llull.objectives.scores.offsets import known_column


class GivenGaps(Structure):
    """A link between the gap of two scores and the gap of two given rewards; who won does not matter.

    Args:
        column: the given reward of each option.
        scale: what a unit of it is worth.
    """

    kind: Kind = "pairs"

    def __init__(self, column: str = "reward", scale: float = 1.0) -> None:
        super().__init__()
        self.column, self.scale = column, scale
        self.needs = Needs(columns=frozenset({column}))

    def forward(self, batch: Batch, score: Score, link: Link, belief: Belief) -> Outcome:
        """Loss of each pair: [m]."""
        units = batch.main
        if not isinstance(units, PairUnits) or not isinstance(link, PairLink):
            raise TypeError("a structure of given gaps reads PairUnits through a PairLink")
        chosen, rejected = score.pair(batch, units)
        reward = known_column(batch, self.column).to(chosen)
        implied = chosen - rejected
        given = self.scale * (reward[units.chosen] - reward[units.rejected])
        return Outcome(link(implied, given), implied.detach())

    def formula(self) -> tuple[str, ...]:
        """Two lines."""
        return (
            "loss = link(s(w) - s(l), given)",
            f"given = {self.scale:g} * ({self.column}(w) - {self.column}(l))",
        )


class BackwardKL(PairLink):
    """KL(given || implied) between the probabilities that two gaps give to either order."""

    def forward(self, chosen: Tensor, rejected: Tensor) -> Tensor:
        """From implied and given gaps: [m]."""
        return _order_divergence(rejected, chosen)

    def formula(self) -> tuple[str, ...]:
        """Two lines."""
        return (
            "link(d, g) = share(g) * log(share(g) / share(d)) + share(-g) * log(share(-g) / share(-d))",
            "share(d) = sigmoid(d)",
        )


class ForwardKL(PairLink):
    """KL(implied || given) between the probabilities that two gaps give to either order."""

    def forward(self, chosen: Tensor, rejected: Tensor) -> Tensor:
        """From implied and given gaps: [m]."""
        return _order_divergence(chosen, rejected)

    def formula(self) -> tuple[str, ...]:
        """Two lines."""
        return (
            "link(d, g) = share(d) * log(share(d) / share(g)) + share(-d) * log(share(-d) / share(-g))",
            "share(d) = sigmoid(d)",
        )


def _order_divergence(first: Tensor, second: Tensor) -> Tensor:
    straight = torch.sigmoid(first) * (logsigmoid(first) - logsigmoid(second))
    return straight + torch.sigmoid(-first) * (logsigmoid(-first) - logsigmoid(-second))
