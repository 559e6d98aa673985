"""MODPO (076): with the other reward as a margin the trained policy is the optimum for the weighted reward."""

from __future__ import annotations

import pytest
import torch
from tabular import TabularPolicy, all_pairs, optimum, train
from torch import Tensor

from llull.objectives import Objective, PairUnits
from llull.objectives.presets.margins import MODPO
from llull.objectives.presets.noisy import SoftDPO

BETA = 0.5


def rewards(seed: int) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    first = torch.randn(4, 10, generator=random, dtype=torch.float64)
    return first, -0.5 * first + torch.randn(4, 10, generator=random, dtype=torch.float64)


def value(log_probs: Tensor, reward: Tensor) -> float:
    """Mean of E[reward] - beta * KL to the uniform reference."""
    probs = log_probs.exp()
    return (probs * (reward - BETA * (log_probs + torch.tensor(10.0).log()))).sum(-1).mean().item()


def trained(objective: Objective, preferred: Tensor, columns: dict[str, Tensor]) -> Tensor:
    policy = TabularPolicy.uniform(4, 10)
    units = PairUnits.of(*all_pairs(4, 10), preferred=preferred)
    train(policy, objective, units, steps=600, rate=0.05, columns=columns)
    return policy.log_probs().detach()


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_margins_reach_the_front_that_mixing_losses_misses(share: float, seed: int) -> None:
    one, other = rewards(seed)
    wanted = share * one + (1 - share) * other
    first, second = all_pairs(4, 10)
    gaps = [reward.reshape(-1)[first] - reward.reshape(-1)[second] for reward in (one, other)]
    best = value(optimum(torch.zeros(4, 10), wanted, BETA).log(), wanted)
    columns = {"other_reward": other.reshape(-1)}
    margin = value(trained(MODPO(BETA, share, soft=True), torch.sigmoid(gaps[0]), columns), wanted)
    # A weighted sum of two DPO losses is one soft DPO loss with the weighted probabilities.
    mixed_judgments = share * torch.sigmoid(gaps[0]) + (1 - share) * torch.sigmoid(gaps[1])
    mixed = value(trained(SoftDPO(BETA), mixed_judgments, {}), wanted)
    assert abs(best - margin) < 0.005
    assert best - mixed > 0.005


def test_the_whole_share_is_dpo() -> None:
    one, other = rewards(0)
    first, second = all_pairs(4, 10)
    judged = torch.sigmoid(one.reshape(-1)[first] - one.reshape(-1)[second])
    alone = trained(MODPO(BETA, 1.0, soft=True), judged, {"other_reward": other.reshape(-1)})
    torch.testing.assert_close(alone, trained(SoftDPO(BETA), judged, {}))
