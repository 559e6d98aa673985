"""UAPO (221) on noisy pairs, and UV-CoT's margins from graded scores (166)."""

from __future__ import annotations

import pytest
import torch
from tabular import TabularPolicy, judged_pairs, train

from llull.objectives import DPO
from llull.objectives.presets.margins import ScoreDPO
from llull.objectives.presets.noisy import UAPO


def world(seed: int, options: int = 12) -> tuple[torch.Tensor, torch.Generator]:
    random = torch.Generator().manual_seed(seed)
    return torch.rand(2, options, generator=random, dtype=torch.float64), random


@pytest.mark.parametrize("anchor", ["running", "learned"])
def test_an_anchor_between_the_options_earns_what_dpo_earns_under_noise(anchor: str) -> None:
    ratios = []
    for seed in range(3):
        utility, random = world(seed)
        units = judged_pairs(6 * utility, 2000, random, flips=0.2)
        earned = []
        for objective in (DPO(1.0), UAPO(1.0, anchor)):
            policy = TabularPolicy.uniform(2, 12)
            train(policy, objective, units, steps=200, rate=0.1)
            earned.append(policy.expected(utility).mean().item())
        ratios.append(earned[1] / earned[0])
    assert min(ratios) >= 0.95


def test_a_running_anchor_follows_the_rewards_and_a_learned_one_stays_within_its_bound() -> None:
    utility, random = world(0)
    units = judged_pairs(6 * utility, 500, random)
    for anchor in ("running", "learned"):
        objective = UAPO(1.0, anchor, up=5.0)
        policy = TabularPolicy.uniform(2, 12)
        train(policy, objective, units, steps=150, rate=0.1)
        reward = policy.scores().ratio.detach()
        mean = (reward[units.chosen].mean() + reward[units.rejected].mean()).item() / 2
        value = objective.link.value().item()
        assert abs(value) <= 10
        if anchor == "running":
            assert value == pytest.approx(mean, abs=0.1)


def test_margins_from_graded_scores_earn_two_points_more_than_winning_alone() -> None:
    """Thirty comparisons by a noisy evaluator whose scores are graded; 0.05 measured, over five seeds."""
    gains = []
    for seed in range(5):
        utility, random = world(seed)
        score = utility + 0.05 * torch.randn(utility.shape, generator=random, dtype=torch.float64)
        units = judged_pairs(1000 * score, 30, random)
        earned = []
        for objective in (DPO(0.5), ScoreDPO(0.5, scale=8.0)):
            policy = TabularPolicy.uniform(2, 12)
            train(policy, objective, units, steps=200, rate=0.05, columns={"reward": score.reshape(-1)})
            earned.append(policy.expected(utility).mean().item())
        gains.append(earned[1] - earned[0])
    assert sum(gains) / len(gains) >= 0.02
