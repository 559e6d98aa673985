"""VPO (060), offline: pessimism does not fall for an option that was seen twice and was lucky."""

from __future__ import annotations

import torch
from tabular import TabularPolicy, judged_pairs, train

from llull.objectives import Objective, PairUnits, SingleUnits
from llull.objectives.presets.margins import VPO

ARMS, BETA = 10, 0.1


def outcome(objective: Objective, seed: int) -> tuple[bool, float]:
    """Whether the lucky arm is what the trained policy gives most often, and the expected reward."""
    random = torch.Generator().manual_seed(seed)
    utility = torch.linspace(0, 1, ARMS, dtype=torch.float64).unsqueeze(0)
    seen = judged_pairs(4 * utility[:, 1:], 200, random)
    # Arm 0 is the worst; it was compared twice, with middling arms, and won by luck.
    lucky = torch.tensor([0, 0]), torch.tensor([4, 5])
    units = PairUnits.of(torch.cat([seen.chosen + 1, lucky[0]]), torch.cat([seen.rejected + 1, lucky[1]]))
    policy = TabularPolicy.uniform(1, ARMS)
    named = {"main": units, "calibration": SingleUnits.of(torch.arange(ARMS))}
    train(policy, objective, named, steps=500, rate=0.3)
    return bool(policy.probs().argmax() == 0), policy.expected(utility).item()


def test_pessimism_leaves_the_lucky_arm_and_earns_more() -> None:
    seeds = range(4)
    plain = [outcome(VPO(BETA, alpha=0.0), seed) for seed in seeds]
    careful = {alpha: [outcome(VPO(BETA, alpha=alpha), seed) for seed in seeds] for alpha in (0.05, 0.2)}
    assert sum(picked for picked, _ in plain) >= len(plain) / 2
    for outcomes in careful.values():
        assert sum(picked for picked, _ in outcomes) <= len(outcomes) / 10
        assert sum(earned for _, earned in outcomes) > sum(earned for _, earned in plain) + 0.2 * len(plain)
