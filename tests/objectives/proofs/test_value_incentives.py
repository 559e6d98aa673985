"""VPO (060). Offline, pessimism does not fall for an option that was seen twice and was lucky.

Online, optimism finds the best of eight arms, which nobody has compared yet: each round the objective is minimised on
all judgments so far, and the policy's own pairs are judged. Measured over nine seeds: half of all probability goes to
that arm after 2 rounds in the median, after 8 with alpha 0. The bonus needs a descent from every arm: its gradient
vanishes at the uniform reference, and gradient descent from there alone ends as late as without a bonus. Optimism
costs: where the unseen arm is the worst one, the first two rounds earn less, and the later ones as much.

Gradient descent was taken after Adam had been seen, whose steps do not heed how small the bonus is: under it the bonus
alone found the arm in the first round in five of the nine seeds, and after eight or more in two.
"""

from __future__ import annotations

import functools

import pytest
import torch
from tabular import TabularPolicy, judged_pairs, train
from torch import Tensor

from llull.objectives import Batch, Objective, PairUnits, SingleUnits
from llull.objectives.presets.margins import VPO

ARMS, BETA = 10, 0.1
FEWER_ARMS, ONLINE_BETA, ROUNDS, SEEDS = 8, 0.3, 8, range(9)
SEEN = torch.linspace(0, 1, FEWER_ARMS - 1, dtype=torch.float64)


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


class Online:
    """Rounds of judgments by the policies of several seeds; the last arm is the one that was never compared."""

    def __init__(self, utility: Tensor, alpha: float, restarts: bool) -> None:
        self.utility, self.alpha = utility, alpha
        self.random = [torch.Generator().manual_seed(seed) for seed in SEEDS]
        self.judged: list[list[tuple[int, int]]] = [[] for _ in SEEDS]
        for seed in SEEDS:
            for _ in range(40):
                first, second, *_ = torch.randperm(FEWER_ARMS - 1, generator=self.random[seed]).tolist()
                self.judge(seed, first, second)
        reference = torch.zeros(1, FEWER_ARMS, dtype=torch.float64)
        each_arm = 4 * torch.eye(FEWER_ARMS, dtype=torch.float64)
        self.starts = torch.cat([reference, each_arm]) if restarts else reference
        self.rows = len(SEEDS) * len(self.starts)

    def judge(self, seed: int, first: int, second: int) -> None:
        """A judgment by the Bradley-Terry model of the utility."""
        wins = torch.sigmoid(self.utility[first] - self.utility[second])
        won = torch.rand((), generator=self.random[seed], dtype=torch.float64) < wins
        self.judged[seed].append((first, second) if won else (second, first))

    def minimised(self, number: int) -> Tensor:
        """The policy of each seed, of the start from which the objective came down furthest: [seeds, arms]."""
        judged = torch.tensor(self.judged)
        # Published beside a sum over pairs, here beside their mean.
        objective = VPO(ONLINE_BETA, alpha=self.alpha / number**0.5 / judged.shape[1], attitude="optimistic")
        policy = TabularPolicy.uniform(self.rows, FEWER_ARMS)
        with torch.no_grad():
            policy.parameter.copy_(self.starts.repeat(len(SEEDS), 1))
        row = torch.arange(self.rows).reshape(len(SEEDS), -1, 1, 1)
        options = (FEWER_ARMS * row + judged.unsqueeze(1)).flatten(0, 1)
        arms = torch.arange(self.rows * FEWER_ARMS).reshape(self.rows, -1)
        units = {"main": PairUnits.of(*options.flatten(0, 1).T), "calibration": SingleUnits.of(arms.flatten())}
        # Each row descends on its own: the loss is a mean over rows.
        optimizer = torch.optim.SGD(policy.parameters(), lr=20.0 * self.rows)
        for _ in range(300):
            optimizer.zero_grad()
            objective(Batch(policy.scores(), units)).mean().backward()
            optimizer.step()
        with torch.no_grad():
            losses = []
            for pairs, calibration in zip(options, arms, strict=True):
                own = {"main": PairUnits.of(*pairs.T), "calibration": SingleUnits.of(calibration)}
                losses.append(objective(Batch(policy.scores(), own)).mean())
        lowest = torch.stack(losses).reshape(len(SEEDS), -1).argmin(dim=1)
        return policy.probs().reshape(len(SEEDS), -1, FEWER_ARMS)[torch.arange(len(SEEDS)), lowest]

    def run(self) -> Tensor:
        """The policies after each round's minimisation: [rounds, seeds, arms]."""
        policies = []
        for number in range(1, ROUNDS + 1):
            policies.append(self.minimised(number))
            for seed in SEEDS:
                for _ in range(3):
                    drawn = torch.multinomial(policies[-1][seed].clamp(min=1e-12), 2, generator=self.random[seed])
                    self.judge(seed, *drawn.tolist())
        return torch.stack(policies)


@functools.cache
def online(unseen: float, alpha: float, restarts: bool) -> Tensor:
    """Policies of each round where the arm that was never compared has this utility, the others 0 to 1."""
    return Online(torch.cat([SEEN, torch.tensor([unseen]).double()]), alpha, restarts).run()


def rounds_until_found(policies: Tensor) -> Tensor:
    """The first round in which each seed gives the last arm more often than all others; one more than all if none."""
    found = torch.cat([policies[:, :, -1] > 0.5, torch.ones(1, len(SEEDS), dtype=torch.bool)])
    return 1 + found.int().argmax(dim=0)


@pytest.mark.slow
def test_optimism_finds_the_best_arm_that_nobody_has_seen() -> None:
    optimistic = online(2.0, 0.1, True)
    for restarts in (False, True):
        plain = online(2.0, 0.0, restarts)
        assert rounds_until_found(optimistic).median() <= 0.6 * rounds_until_found(plain).median()
        assert optimistic[-1, :, -1].mean() > plain[-1, :, -1].mean() + 0.1


def test_the_bonus_has_no_gradient_at_the_uniform_reference() -> None:
    policy = TabularPolicy.uniform(1, FEWER_ARMS)
    units = {
        "main": PairUnits.of(torch.tensor([1]), torch.tensor([2])),
        "calibration": SingleUnits.of(torch.arange(FEWER_ARMS)),
    }
    slopes = []
    for alpha in (0.0, 10.0):
        loss = VPO(ONLINE_BETA, alpha=alpha, attitude="optimistic")(Batch(policy.scores(), units)).mean()
        slopes += torch.autograd.grad(loss, policy.parameter)
    torch.testing.assert_close(slopes[0], slopes[1])


@pytest.mark.slow
def test_without_restarts_the_bonus_changes_nothing() -> None:
    bonus, plain = online(2.0, 0.1, False), online(2.0, 0.0, False)
    assert rounds_until_found(bonus).median() >= rounds_until_found(plain).median()
    assert bonus[-1, :, -1].mean() < plain[-1, :, -1].mean() + 0.05


@pytest.mark.slow
def test_a_bad_arm_that_nobody_has_seen_is_tried_and_left() -> None:
    utility = torch.cat([SEEN, torch.tensor([-1.0]).double()])
    earned = {alpha: (online(-1.0, alpha, alpha > 0) @ utility).mean(dim=1) for alpha in (0.0, 0.1)}
    assert earned[0.1][:2].mean() < earned[0.0][:2].mean() - 0.2
    assert (online(-1.0, 0.1, True)[-1, :, -1] < 0.5).all()
    assert abs(earned[0.1][-3:].mean() - earned[0.0][-3:].mean()) < 0.05
