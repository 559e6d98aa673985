"""Eurus (252): rewards with a sign learn what differences cannot see, and what DPO does to the chosen likelihood."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from llull.objectives import DPO, PRESETS, Batch, Objective, PairUnits, Scores, SingleUnits
from llull.objectives.presets.rewards import BradleyTerryReward
from llull.objectives.presets.singles import KTO, EurusReward

WIDTH, PAIRS = 8, 2000


class World:
    """Answers are an offset of their question plus what makes them good or bad; the question shows its offset."""

    def __init__(self, seed: int, shown: bool = True) -> None:
        random = torch.Generator().manual_seed(seed)
        draw = lambda *shape: torch.randn(*shape, generator=random, dtype=torch.float64)  # noqa: E731
        taste = draw(WIDTH)
        taste = taste / taste.norm()
        offset = 1.5 * draw(2 * PAIRS, 1, WIDTH).expand(-1, 2, -1)
        own = draw(2 * PAIRS, 2, WIDTH)
        better = (own @ taste).argsort(dim=1, descending=True)
        own = own.gather(1, better[:, :, None].expand_as(own))
        shown_part = offset if shown else torch.zeros_like(offset)
        self.features = torch.cat([offset + own, shown_part, torch.ones(2 * PAIRS, 2, 1).double()], dim=2)

    def measured(self, objective: Objective) -> tuple[float, float, float]:
        """On new questions: accuracy on pairs, share with both signs right, and AUC of any right against any wrong."""
        theta = torch.zeros(2 * WIDTH + 1, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.Adam([theta], lr=0.05)
        pairs = {"main": PairUnits.of(2 * torch.arange(PAIRS), 2 * torch.arange(PAIRS) + 1)}
        for _ in range(200):
            loss = objective(Batch(Scores((self.features[:PAIRS] @ theta).reshape(-1)), pairs)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        right, wrong = (self.features[PAIRS:] @ theta.detach()).unbind(1)
        accuracy = (right > wrong).double().mean().item()
        signs = ((right > 0) & (wrong < 0)).double().mean().item()
        return accuracy, signs, (right[:, None] > wrong).double().mean().item()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_absolute_terms_learn_to_subtract_what_a_question_adds(seed: int) -> None:
    world = World(seed)
    differences, signed = world.measured(BradleyTerryReward()), world.measured(EurusReward())
    assert signed[0] >= differences[0] - 0.02
    assert signed[1] >= differences[1] + 0.15
    assert signed[2] >= differences[2] + 0.10


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_is_not_shown_cannot_be_subtracted(seed: int) -> None:
    world = World(seed, shown=False)
    differences, signed = world.measured(BradleyTerryReward()), world.measured(EurusReward())
    assert signed[2] <= differences[2] + 0.02


class Prefixed:
    """Pairs of answers that share most of their features, as answers with a long common prefix do."""

    def __init__(self, seed: int, options: int = 200, pairs: int = 20) -> None:
        random = torch.Generator().manual_seed(seed)
        draw = lambda *shape: torch.randn(*shape, generator=random, dtype=torch.float64)  # noqa: E731
        self.features = draw(options, 16)
        prefix = draw(pairs, 16)
        # What sets the wrong answer apart points along what both share.
        step = 0.15 * prefix + 0.1 * draw(pairs, 16)
        self.features[: 2 * pairs : 2] = prefix - step
        self.features[1 : 2 * pairs : 2] = prefix + step
        self.right, self.wrong = torch.arange(0, 2 * pairs, 2), torch.arange(1, 2 * pairs, 2)

    def rise(self, objective: Objective, paired: bool) -> float:
        """By how much the mean log-probability of right answers rises in 60 steps."""
        theta = torch.zeros(16, dtype=torch.float64, requires_grad=True)
        log_probs = lambda: torch.log_softmax(self.features @ theta, 0)  # noqa: E731
        start: Tensor = log_probs().detach()
        option = torch.cat([self.right, self.wrong])
        accept = (torch.arange(len(option)) < len(self.right)).double()
        main = PairUnits.of(self.right, self.wrong) if paired else SingleUnits.of(option, accept)
        units = {"main": main, "mismatched": SingleUnits.of(option)}
        for _ in range(60):
            batch = Batch(Scores(log_probs(), start), units)
            objective.settle(objective.survey(batch))
            (slope,) = torch.autograd.grad(objective(batch).mean(), theta)
            theta = (theta - 0.5 * slope).detach().requires_grad_()
        return (log_probs() - start)[self.right].mean().item()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_dpo_lowers_right_answers_that_share_their_prefix_and_others_lower_them_less(seed: int) -> None:
    """In part a negative: KTO and NCA are said to raise them, and here they lower them too, a half as much at most."""
    world = Prefixed(seed)
    fall = -world.rise(DPO(0.1), True)
    assert fall > 0.05
    assert abs(world.rise(KTO(0.1), False)) < 0.25 * fall
    assert abs(world.rise(PRESETS["NCA"](0.1), True)) < 0.5 * fall
