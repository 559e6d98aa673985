"""OSP (054): soft judgments settle at the judge's own gaps, where hard ones drive the policy away without end."""

from __future__ import annotations

import pytest
import torch
from tabular import TabularPolicy, all_pairs, optimum, train

from llull.objectives import DPO, Objective, PairUnits
from llull.objectives.presets.noisy import SoftDPO

BETA = 0.5


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_soft_judgments_reach_the_optimal_policy_and_hard_ones_run_past_it(seed: int) -> None:
    utility = torch.randn(2, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    first, second = all_pairs(2, 5)
    worth = utility.reshape(-1)
    better = worth[first] > worth[second]
    chosen, rejected = torch.where(better, first, second), torch.where(better, second, first)
    gap = worth[chosen] - worth[rejected]
    units = PairUnits.of(chosen, rejected, preferred=torch.sigmoid(gap))

    def outcome(objective: Objective, steps: int) -> tuple[float, float]:
        policy = TabularPolicy.uniform(2, 5)
        train(policy, objective, units, steps=steps)
        implied = BETA * policy.scores().ratio.detach()
        error = (implied[chosen] - implied[rejected] - gap).abs().mean().item()
        target = optimum(torch.zeros(2, 5), utility, BETA)
        return error, (target * (target.log() - policy.log_probs().detach())).sum(-1).mean().item()

    soft, hard, hard_longer = outcome(SoftDPO(BETA), 500), outcome(DPO(BETA), 500), outcome(DPO(BETA), 1000)
    assert soft[0] <= 0.1
    assert soft[1] < 0.01
    assert hard[1] > 10 * soft[1]
    assert hard_longer[0] > hard[0] + 0.5
    assert hard[0] > 1
