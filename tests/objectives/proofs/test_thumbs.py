"""BCO (237): thumbs from two domains of contexts, where KTO's gradient saturates; and what it earns on pairs."""

from __future__ import annotations

import functools

import pytest
import torch
from tabular import TabularPolicy, train
from torch import Tensor

from llull.objectives import DPO, Objective, PairUnits, SingleUnits
from llull.objectives.presets.singles import BCO, KTO

OPTIONS, WIDTH, ROWS = 16, 10, 4000


class World:
    """Two contexts of 16 options with 10 features; thumbs up mostly in the first, thumbs down mostly in the second."""

    def __init__(self, seed: int) -> None:
        self.random = torch.Generator().manual_seed(seed)
        self.features = torch.randn(2, OPTIONS, WIDTH, generator=self.random, dtype=torch.float64)
        taste = torch.randn(WIDTH, generator=self.random, dtype=torch.float64)
        self.utility = self.features @ taste / 2
        up, down = (self._judged(first, sign) for first, sign in ((0.8, 1.0), (0.2, -1.0)))
        option = torch.cat([up, down])
        accept = torch.cat([torch.ones(ROWS), torch.zeros(ROWS)])
        # Rows of the same option and verdict as one unit with a weight.
        kind, count = torch.stack([option, accept.long()], 1).unique(dim=0, return_counts=True)
        self.units = SingleUnits.of(kind[:, 0], kind[:, 1].double(), weight=count.double())
        self.columns = {"context_features": torch.eye(2).double().repeat_interleave(OPTIONS, 0)}

    def _judged(self, first: float, sign: float) -> Tensor:
        """Options of which thumbs go up (or down) the more often the better (or worse) they are."""
        domain = (torch.rand(ROWS, generator=self.random) >= first).long()
        odds = torch.sigmoid(sign * self.utility)[domain]
        return domain * OPTIONS + torch.multinomial(odds, 1, generator=self.random)[:, 0]

    def earned(self, objective: Objective) -> float:
        """Mean utility of what the policy gives in both contexts after training."""
        policy = TabularPolicy(torch.zeros(2, OPTIONS), self.features)
        # A context's answers beside the other context.
        other = (self.units.option + OPTIONS) % (2 * OPTIONS)
        units = {"main": self.units, "mismatched": SingleUnits.of(other, weight=self.units.weight)}
        train(policy, objective, units, steps=200, rate=0.02, columns=self.columns)
        return policy.expected(self.utility).mean().item()


@functools.cache
def earned(name: str) -> float:
    """Mean over eight seeds."""
    made = {"bco": lambda: BCO(0.5), "matched": lambda: BCO(0.5, matched=True), "kto": lambda: KTO(0.5)}
    return sum(World(seed).earned(made[name]()) for seed in range(8)) / 8


def test_a_classifier_earns_more_than_the_saturating_utility() -> None:
    assert earned("bco") >= 1.05 * earned("kto")


def test_matching_contexts_earns_more_where_verdicts_come_from_different_domains() -> None:
    assert earned("matched") >= 1.05 * earned("bco")


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_on_pairs_taken_apart_it_learns_but_earns_less_than_dpo(seed: int) -> None:
    """A negative: it is said to be within 3% of DPO there. Options judged alone forget what they were set against."""
    world = World(seed)
    first = torch.randint(2 * OPTIONS, (2000,), generator=world.random)
    second = first // OPTIONS * OPTIONS + (first + torch.randint(1, OPTIONS, (2000,), generator=world.random)) % OPTIONS
    utility = world.utility.reshape(-1)
    wins = torch.rand(2000, generator=world.random) < torch.sigmoid(utility[first] - utility[second])
    chosen, rejected = torch.where(wins, first, second), torch.where(wins, second, first)
    found = []
    for objective, units in (
        (DPO(0.5), PairUnits.of(chosen, rejected)),
        (BCO(0.5), SingleUnits.of(torch.cat([chosen, rejected]), torch.arange(4000).lt(2000).double())),
    ):
        policy = TabularPolicy(torch.zeros(2, OPTIONS), world.features)
        train(policy, objective, units, steps=400, rate=0.02)
        found.append(policy.expected(world.utility).mean().item())
    assert world.utility.mean().item() + 0.3 < found[1] < 0.97 * found[0]
