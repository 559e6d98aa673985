"""Reward-augmented relabelling (246): each pair as two rows, told the score of either option, better or worse first."""

from __future__ import annotations

import pytest
import torch
from tabular import TabularPolicy, train
from torch import Tensor

from llull.objectives import DPO, PairUnits

SCORES = torch.arange(1.0, 11.0, dtype=torch.float64)


def rows(chosen: Tensor, rejected: Tensor, relabelled: bool) -> PairUnits:
    """Pairs of scores from 1 to 10; prompt g - 1 asks for score g; without relabelling every prompt sees each pair."""
    w, r = chosen - 1, rejected - 1
    if relabelled:
        return PairUnits.of(torch.cat([10 * w + w, 10 * r + r]), torch.cat([10 * w + r, 10 * r + w]))
    goal = 10 * torch.arange(10).repeat_interleave(len(w))
    return PairUnits.of(goal + w.repeat(10), goal + r.repeat(10))


def drawn(seed: int) -> tuple[Tensor, Tensor]:
    """Pairs of a reference that mostly gives low scores; gaps of at most 2, nothing above 8."""
    random = torch.Generator().manual_seed(seed)
    both = 1 + torch.multinomial(torch.softmax(-0.2 * SCORES, 0).float(), 12_000, True, generator=random).reshape(-1, 2)
    gap = (both[:, 0] - both[:, 1]).abs()
    both = both[(gap > 0) & (gap <= 2) & (both.amax(1) <= 8)]
    return both.amax(1), both.amin(1)


def features(conditioned: bool) -> Tensor:
    """(s, s ** 2) of every option for every goal, and g * s where the policy can see the goal."""
    s = (SCORES / 10).expand(10, 10)
    g = (SCORES / 10).unsqueeze(1).expand(10, 10)
    return torch.stack([s, s**2, g * s] if conditioned else [s, s**2], dim=-1)


@pytest.mark.parametrize("seed", [0, 1])
def test_asking_for_a_score_gives_that_score_even_where_none_was_seen(seed: int) -> None:
    policy = TabularPolicy(-0.2 * SCORES.expand(10, 10), features(conditioned=True))
    train(policy, DPO(0.1), rows(*drawn(seed), relabelled=True), steps=400, rate=0.5)
    given = policy.expected(SCORES)[[0, 2, 4, 6, 9]]
    assert (given.diff() > 0).all()
    assert given[-1] >= 9
    assert given[0] <= 3


def test_without_seeing_the_goal_the_two_rows_cancel() -> None:
    policy = TabularPolicy(-0.2 * SCORES.expand(10, 10), features(conditioned=False))
    train(policy, DPO(0.1), rows(*drawn(0), relabelled=True), steps=50)
    assert policy.parameter.detach().abs().max() < 0.01
    told = TabularPolicy(-0.2 * SCORES.expand(10, 10), features(conditioned=True))
    train(told, DPO(0.1), rows(*drawn(0), relabelled=True), steps=50)
    assert told.parameter.detach().abs().max() > 1


def test_a_good_answer_that_lost_to_a_better_one_is_unlearned_only_without_its_goal() -> None:
    chosen, rejected = torch.tensor([9, 9, 9, 8]), torch.tensor([8, 8, 8, 3])
    odds = []
    for relabelled in (False, True):
        policy = TabularPolicy.uniform(10, 10)
        train(policy, DPO(0.1), rows(chosen, rejected, relabelled), steps=200, rate=0.1)
        odds.append(policy.probs()[7, 7].item() * 10)
    assert odds[0] < 1 < odds[1]
