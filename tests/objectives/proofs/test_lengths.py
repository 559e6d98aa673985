"""R-DPO takes a known liking for length out of judgments."""

from __future__ import annotations

import pytest
import torch
from tabular import TabularPolicy, all_pairs, optimum, train

from llull.objectives import Objective, PairUnits
from llull.objectives.links.logistic import Logistic
from llull.objectives.scores.log_ratio import LogRatio
from llull.objectives.scores.offsets import WithLength
from llull.objectives.structures.pairwise import Pairwise
from llull.objectives.weights.beliefs import AsJudged

BETA, LIKING = 0.5, 0.05


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_with_the_judges_liking_for_length_known_the_policy_is_that_of_quality_alone(seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    quality = torch.randn(3, 6, generator=random, dtype=torch.float64)
    length = torch.randint(5, 60, (3, 6), generator=random)
    judged_by = (quality + LIKING * length).reshape(-1)
    first, second = all_pairs(3, 6)
    units = PairUnits.of(first, second, preferred=torch.sigmoid(judged_by[first] - judged_by[second]))
    target = optimum(torch.zeros(3, 6), quality, BETA)

    def trained(alpha: float) -> TabularPolicy:
        policy = TabularPolicy(torch.zeros(3, 6), length=length)
        objective = Objective(WithLength(LogRatio(BETA), alpha), Pairwise(), Logistic(), belief=AsJudged(soft=True))
        train(policy, objective, units, steps=600)
        return policy

    fair, plain = trained(LIKING), trained(0.0)
    assert (fair.probs() - target).abs().max() < 0.01
    assert (plain.probs() - target).abs().max() > 0.1
    wanted = (target * length).sum(-1)
    assert (fair.expected(length) - wanted).abs().max() < 1
    assert plain.expected(length).mean() > fair.expected(length).mean() + 1
