"""LCPO / RE-PO (042): annotators' reliabilities are found while a policy is trained on their judgments."""

from __future__ import annotations

import warnings

import pytest
import torch
from tabular import TabularPolicy, train
from torch import Tensor

from llull.objectives import DPO, Batch, Objective, PairUnits
from llull.objectives.presets.noisy import LCPO

PAIRS, WIDTH = 1500, 24


class World:
    """Prompts of two options with random features, a linear utility, and two annotators who flip judgments."""

    def __init__(self, seed: int, flips: tuple[float, float] = (0.05, 0.40), width: int = WIDTH, pairs: int = PAIRS):
        random = torch.Generator().manual_seed(seed)
        self.features = torch.randn(2 * pairs, 2, width, generator=random, dtype=torch.float64)
        taste = torch.randn(width, generator=random, dtype=torch.float64)
        lead = (self.features @ taste).diff(dim=1).squeeze(1)
        self.second_better = torch.rand(2 * pairs, generator=random, dtype=torch.float64) < torch.sigmoid(3 * lead)
        self.pairs = pairs
        self.annotator = torch.arange(pairs) % 2
        flip = torch.tensor(flips)[self.annotator]
        self.flipped = torch.rand(pairs, generator=random) < flip
        won = (self.second_better[:pairs] ^ self.flipped).long()
        at = 2 * torch.arange(pairs)
        self.units = PairUnits.of(at + won, at + 1 - won, annotator=self.annotator)

    def trained(self, objective: Objective, steps: int = 150, rate: float = 0.05) -> float:
        """Train on the first half of the prompts; the accuracy on the clean judgments of the second half."""
        policy = TabularPolicy(torch.zeros(self.pairs, 2), self.features[: self.pairs])
        train(policy, objective, self.units, steps=steps, rate=rate)
        if isinstance(objective, LCPO):
            with torch.no_grad():
                chosen, rejected = objective.score.pair(Batch(policy.scores(), {"main": self.units}), self.units)
                straight, turned = objective.link(chosen, rejected), objective.link(rejected, chosen)
                self.share, _ = objective.belief(self.units, straight, turned)
        score = (self.features[self.pairs :] @ policy.parameter.detach()).diff(dim=1).squeeze(1)
        return ((score > 0) == self.second_better[self.pairs :]).double().mean().item()


def area(score: Tensor, positive: Tensor) -> float:
    """Area under the curve: chance that a positive scores above a negative."""
    return (score[positive].unsqueeze(1) > score[~positive]).double().mean().item()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_reliabilities_and_flipped_judgments_are_found(seed: int) -> None:
    world = World(seed)
    objective = LCPO("dpo", beta=1.0)
    accuracy = world.trained(objective)
    eta = objective.belief.eta
    assert eta[0].item() == pytest.approx(0.95, abs=0.05)
    assert eta[1].item() == pytest.approx(0.60, abs=0.05)
    assert accuracy >= world.trained(DPO(beta=1.0)) + 0.02
    assert area(world.share, ~world.flipped) >= 0.95


@pytest.mark.parametrize("seed", [0, 1])
def test_clean_judgments_are_believed(seed: int) -> None:
    world = World(seed, flips=(0.0, 0.0))
    objective = LCPO("dpo", beta=1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        accuracy = world.trained(objective)
    assert accuracy >= world.trained(DPO(beta=1.0)) - 0.01
    assert objective.belief.eta[:2].min().item() >= 0.95


def test_a_policy_that_knows_its_judgments_by_heart_learns_nothing_about_them_and_says_so() -> None:
    """The negative case: as many features as judgments, so that flipped ones are learned too."""
    world = World(0, width=300, pairs=200)
    objective = LCPO("dpo", beta=1.0)
    with pytest.warns(UserWarning, match="by heart"):
        world.trained(objective, steps=300)
    assert objective.belief.eta[1].item() > 0.9
