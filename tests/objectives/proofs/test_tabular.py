"""The bench itself: DPO on soft judgments of all pairs must reach the optimum that is known in closed form."""

from __future__ import annotations

import pytest
import torch
from tabular import TabularPolicy, all_pairs, judged_pairs, optimum, train

from llull.objectives import Objective, PairUnits
from llull.objectives.links.logistic import Logistic
from llull.objectives.scores.log_ratio import LogRatio
from llull.objectives.structures.pairwise import Pairwise
from llull.objectives.weights.beliefs import AsJudged


@pytest.mark.parametrize("log_linear", [False, True])
def test_soft_dpo_on_all_pairs_reaches_the_closed_form_optimum(log_linear: bool) -> None:
    random = torch.Generator().manual_seed(3)
    reference = torch.randn(2, 4, generator=random, dtype=torch.float64)
    utility = torch.randn(2, 4, generator=random, dtype=torch.float64)
    policy = TabularPolicy(reference, torch.eye(8).reshape(2, 4, 8) if log_linear else None)
    chosen, rejected = all_pairs(2, 4)
    worth = utility.reshape(-1)
    units = PairUnits.of(chosen, rejected, preferred=torch.sigmoid(worth[chosen] - worth[rejected]))
    train(policy, Objective(LogRatio(0.5), Pairwise(), Logistic(), belief=AsJudged(soft=True)), units, steps=400)
    assert (policy.probs() - optimum(reference, utility, 0.5)).abs().max() < 1e-3


def test_judged_pairs_agree_with_the_utility_as_often_as_the_model_says() -> None:
    utility = torch.tensor([[0.0, 1.0]])
    units = judged_pairs(utility, 4000, torch.Generator().manual_seed(0))
    right = (units.chosen == 1).double().mean().item()
    assert right == pytest.approx(torch.sigmoid(torch.tensor(1.0)).item(), abs=0.03)
