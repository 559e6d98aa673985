"""PRO (094), TPO (088) and RankDPO (245): rankings teach more than their best and worst options.

A linear scorer of 12 features learns from noisily rated options of a few contexts, and is measured by Kendall's tau to
the truth on new contexts.
"""

from __future__ import annotations

import functools

import pytest
import torch
from tabular import TabularPolicy
from torch import Tensor

from llull.objectives import DPO, Batch, ListUnits, Objective, PairUnits, Tokens
from llull.objectives.links.lists import AllPairs
from llull.objectives.links.logistic import Logistic
from llull.objectives.presets.lists import PRO, RankDPO, TreePO
from llull.objectives.scores.log_ratio import LogRatio
from llull.objectives.structures.listwise import Listwise

WIDTH, SEEDS = 12, range(4)


def tau(scores: Tensor, truth: Tensor) -> float:
    """Mean Kendall's tau over contexts, of [p, k] and [p, k] without ties."""
    order = lambda x: torch.sign(x[:, :, None] - x[:, None, :])  # noqa: E731
    k = truth.shape[1]
    return ((order(scores) * order(truth)).sum((1, 2)) / (k * (k - 1))).mean().item()


class World:
    """Contexts of rated options; ``ratings`` are in [0, 1], with noise, and best first within a context."""

    def __init__(self, seed: int, contexts: int = 20, options: int = 6, noise: float = 0.3, raters: int = 1) -> None:
        random = torch.Generator().manual_seed(seed)
        draw = lambda *shape: torch.randn(*shape, generator=random, dtype=torch.float64)  # noqa: E731
        self.taste = draw(WIDTH) / WIDTH**0.5
        features = draw(contexts, options, WIDTH)
        worth = features @ self.taste
        ratings = worth + noise * draw(raters, contexts, options)
        self.agreement = [tau(one, worth) for one in ratings]
        rating = ratings.mean(0) if raters == 1 else shares_won(ratings)
        # Near-ties of shares are told apart by the mean rating.
        order = (rating + 1e-6 * ratings.mean(0)).argsort(dim=1, descending=True)
        self.averaged = tau(rating + 1e-6 * ratings.mean(0), worth)
        self.features = features.gather(1, order[:, :, None].expand_as(features))
        self.rating = rating.gather(1, order)
        self.gain = (self.rating - self.rating.min()) / (self.rating.max() - self.rating.min())
        self.new = draw(300, 12, WIDTH)

    def lists(self, gain: Tensor | None = None) -> ListUnits:
        """One ranking a context."""
        contexts, options = self.rating.shape
        return ListUnits.of(
            torch.arange(contexts * options).reshape(contexts, options), gain=self.gain if gain is None else gain
        )

    def ends(self) -> PairUnits:
        """The best option of each context against its worst."""
        contexts, options = self.rating.shape
        first = options * torch.arange(contexts)
        return PairUnits.of(first, first + options - 1)

    def learned(self, objective: Objective, units: ListUnits | PairUnits, wrapped: bool = False) -> float:
        """Tau on new contexts after training; ``wrapped`` as released code of TPO wraps its loss."""
        contexts, options = self.rating.shape
        policy = TabularPolicy(torch.zeros(contexts, options), self.features)
        optimizer = torch.optim.Adam(policy.parameters(), lr=0.05)
        objective.double()
        at = torch.arange(contexts * options)
        for _ in range(150):
            scores = policy.scores()
            tokens = Tokens(at, scores.policy, scores.reference, step=torch.zeros_like(at))
            batch = Batch(type(scores)(scores.policy, scores.reference, tokens=tokens), {"main": units})
            loss = objective(batch).mean()
            loss = -torch.nn.functional.logsigmoid(0.5 * loss) if wrapped else loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return tau(self.new @ policy.parameter.detach(), self.new @ self.taste)


def shares_won(ratings: Tensor) -> Tensor:
    """Of [raters, p, k] the share of comparisons with other options that each wins: [p, k]."""
    return (ratings[..., :, None] > ratings[..., None, :]).double().sum((0, -1)) / (
        len(ratings) * (ratings.shape[-1] - 1)
    )


@functools.cache
def plain(seed: int) -> float:
    """What DPO learns from the best and the worst option of each of 20 contexts."""
    world = World(seed)
    return world.learned(DPO(0.5), world.ends())


def test_lambda_weighted_lists_of_trees_order_new_answers_better_than_best_against_worst() -> None:
    lists = [World(seed).learned(TreePO(0.5), World(seed).lists()) for seed in SEEDS]
    assert sum(lists) / 4 >= sum(map(plain, SEEDS)) / 4 + 0.05


@pytest.mark.parametrize("seed", [0, 1])
def test_the_released_wrapping_learns_to_rank_the_wrong_way(seed: int) -> None:
    world = World(seed)
    assert world.learned(TreePO(0.5), world.lists(), wrapped=True) < 0
    assert world.learned(TreePO(0.5), world.lists()) > 0.5


def test_pro_orders_better_than_best_against_worst_and_longer_rankings_help() -> None:
    by_length = {}
    for length in (2, 3, 5):
        found = []
        for seed in SEEDS:
            world = World(seed, contexts=30, options=length)
            found.append(world.learned(PRO(likelihood=0.0), world.lists(world.rating)))
        by_length[length] = sum(found) / len(found)
    assert by_length[2] < by_length[3] < by_length[5]
    worlds = [World(seed) for seed in SEEDS]
    whole = [world.learned(PRO(likelihood=0.0), world.lists(world.rating)) for world in worlds]
    assert sum(whole) / 4 >= sum(map(plain, SEEDS)) / 4 + 0.05


def test_reward_gaps_are_no_free_win_over_plain_plackett_luce() -> None:
    """A negative that the sheet knows: with temperatures of one the same rankings teach at least as much."""
    worlds = [World(seed) for seed in SEEDS]
    gaps = sum(world.learned(PRO("reward_gap", 0.0), world.lists(world.rating)) for world in worlds) / 4
    ones = sum(world.learned(PRO("one", 0.0), world.lists(world.rating)) for world in worlds) / 4
    assert ones >= gaps - 0.01


def test_shares_won_among_three_raters_agree_with_the_truth_better_than_one_rater() -> None:
    worlds = [World(seed, contexts=300, options=4, noise=0.8, raters=3) for seed in SEEDS]
    one = sum(sum(world.agreement) / 3 for world in worlds) / 4
    assert sum(world.averaged for world in worlds) / 4 >= one + 0.1


def test_rank_dpo_orders_better_than_best_against_worst_but_its_weights_gain_nothing_here() -> None:
    """All pairs are what helps. That weighing them by gain helps too is not seen: equal weights do as well."""
    ranked, ends, even = [], [], []
    for seed in SEEDS:
        world = World(seed, contexts=20, options=4, noise=0.8, raters=3)
        ranked.append(world.learned(RankDPO(0.5, share="weights"), world.lists()))
        ends.append(world.learned(DPO(0.5), world.ends()))
        pairs = AllPairs(Logistic(), share="pairs")
        even.append(world.learned(Objective(LogRatio(0.5), Listwise(), pairs), world.lists()))
    assert sum(ranked) >= 1.05 * sum(ends)
    assert sum(even) >= sum(ranked) - 0.05
