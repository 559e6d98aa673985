"""Scores with something known added or taken off: lengths, rewards from elsewhere, margins of pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from llull.errors import InputError
from llull.objectives.axes import Needs, Score
from llull.objectives.batch import Batch, PairUnits


class WithLength(Score):
    """inner(y) + weight * length(y): a long option has to earn less, so that length is not what is learned.

    Args:
        inner: the score.
        weight: what a token is worth to those who judged.
    """

    def __init__(self, inner: Score, weight: float) -> None:
        super().__init__()
        self.inner, self.weight = inner, weight

    def forward(self, batch: Batch) -> Tensor:
        """[n]"""
        return self.inner(batch) + self.weight * batch.options.lengths

    def rounding(self, batch: Batch) -> Tensor:
        """[n]: of the inner score."""
        return self.inner.rounding(batch)

    def formula(self) -> tuple[str, ...]:
        """The inner score under another name."""
        return (f"s(y) = inner(y) + {self.weight:g} * length(y)", *_renamed(self.inner))


class LessRewards(Score):
    """(inner(y) - weights . rewards(y)) / share: what is left for one aspect once others are paid for.

    Args:
        inner: the score.
        column: the known rewards, [n] or [n, k].
        weights: of the k rewards.
        share: of the aspect that is trained.
    """

    def __init__(self, inner: Score, column: str, weights: Sequence[float], share: float = 1.0) -> None:
        super().__init__()
        if not 0 < share <= 1:
            raise InputError(f"share: the trained aspect's weight must lie in (0, 1], not {share:g}")
        self.inner, self.column, self.share = inner, column, share
        self.weight_of = tuple(float(weight) for weight in weights)
        self.needs = Needs(columns=frozenset({column}))

    def forward(self, batch: Batch) -> Tensor:
        """[n]"""
        rewards = known_column(batch, self.column).to(batch.options.policy)
        rewards = rewards.reshape(len(rewards), -1)
        if rewards.shape[1] != len(self.weight_of):
            raise InputError(
                f"column {self.column!r} has {rewards.shape[1]} rewards and the objective {len(self.weight_of)} weights"
            )
        return (self.inner(batch) - rewards @ rewards.new_tensor(self.weight_of)) / self.share

    def rounding(self, batch: Batch) -> Tensor:
        """[n]: of the inner score, by the share."""
        return self.inner.rounding(batch) / self.share

    def formula(self) -> tuple[str, ...]:
        """The inner score under another name."""
        if len(self.weight_of) == 1:
            paid = f"{self.weight_of[0]:g} * {self.column}(y)"
        else:
            paid = " + ".join(f"{weight:g} * {self.column}(y)[{at}]" for at, weight in enumerate(self.weight_of))
        return (f"s(y) = (inner(y) - ({paid})) / {self.share:g}", *_renamed(self.inner))


class LessMargin(Score):
    """The inner scores of a pair, the chosen one less a margin that grows with how much better it was judged.

    The margin is scale * g(x), x the pair's strength or its gap in a known reward; it is an offset of the scores'
    difference, so a judgment turned round has its negative. A pair of unknown strength has no margin.

    Args:
        inner: the score.
        column: a reward [n] whose gap is taken; without it the pair's strength.
        scale: of the margin.
        growth: ``linear`` x, or ``log`` of x, which is no margin for x = 1; gaps below 1e-3 count as 1e-3.
    """

    def __init__(
        self, inner: Score, column: str | None = None, scale: float = 1.0, growth: Literal["linear", "log"] = "linear"
    ) -> None:
        super().__init__()
        self.inner, self.column, self.scale, self.growth = inner, column, scale, growth
        self.needs = Needs() if column is None else Needs(columns=frozenset({column}))

    def forward(self, batch: Batch) -> Tensor:
        """The inner score: [n]."""
        return self.inner(batch)

    def pair(self, batch: Batch, units: PairUnits) -> tuple[Tensor, Tensor]:
        """[m], [m]"""
        chosen, rejected = self.inner.pair(batch, units)
        if self.column is None:
            known = units.strength
        else:
            reward = known_column(batch, self.column)
            known = reward[units.chosen] - reward[units.rejected]
        margin = known.to(chosen).clamp(min=1e-3).log() if self.growth == "log" else known.to(chosen)
        return chosen - self.scale * torch.where(known.isnan(), 0.0, margin), rejected

    def rounding(self, batch: Batch) -> Tensor:
        """[n]: of the inner score."""
        return self.inner.rounding(batch)

    def formula(self) -> tuple[str, ...]:
        """The margin counts against the chosen option."""
        known = "strength" if self.column is None else f"({self.column}(w) - {self.column}(l))"
        grown = known if self.growth == "linear" else f"log(max({known}, 0.001))"
        return (f"s(y) = inner(y) - (y == w) * {self.scale:g} * {grown}", *_renamed(self.inner))


def known_column(batch: Batch, column: str) -> Tensor:
    """A known number of each option, or an error that names what there is."""
    if column not in batch.options.columns:
        there = ", ".join(sorted(batch.options.columns)) or "none"
        raise InputError(f"column {column!r} of options is needed and not there; columns given: {there}")
    return batch.options.columns[column]


def _renamed(inner: Score) -> tuple[str, ...]:
    first, *others = inner.formula()
    return (first.replace("s(y)", "inner(y)", 1), *others)
