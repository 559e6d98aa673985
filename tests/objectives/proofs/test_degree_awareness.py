"""SelfSupPO (051): a head that tells how far an answer was degraded teaches the policy what answers are judged by."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from llull.objectives import Batch, Objective, PairUnits, Scores, SingleUnits
from llull.objectives.presets.noisy import DegreeDPO

FACTS, NOISE, WIDTH, PAIRS, LEVELS = 5, 25, 8, 24, 4


class Facts:
    """Answers as sets of statements; the first ones are facts asked for, and an answer is as good as it has facts."""

    def __init__(self, seed: int) -> None:
        self.random = torch.Generator().manual_seed(seed)
        first, second = self.answers(4 * PAIRS), self.answers(4 * PAIRS)
        told = first[:, :FACTS].sum(1) != second[:, :FACTS].sum(1)
        first, second = first[told][:PAIRS], second[told][:PAIRS]
        better = (first[:, :FACTS].sum(1) > second[:, :FACTS].sum(1)).unsqueeze(1)
        chosen, rejected = torch.where(better, first, second), torch.where(better, second, first)
        copies = [self.degraded(side) for side in (chosen, rejected)]
        self.options = torch.cat([chosen, rejected, *copies])
        m = len(chosen)
        self.degree = torch.cat([torch.zeros(2 * m), *[torch.arange(LEVELS).repeat(m)] * 2]).long()
        of_chosen = 2 * m + torch.arange(LEVELS * m)
        self.units = {
            "main": PairUnits.of(torch.arange(m), m + torch.arange(m)),
            "degraded_chosen": SingleUnits.of(of_chosen),
            "degraded_rejected": SingleUnits.of(of_chosen + LEVELS * m),
        }

    def answers(self, count: int) -> Tensor:
        return (torch.rand(count, FACTS + NOISE, generator=self.random) < 0.5).double()

    def degraded(self, answers: Tensor) -> Tensor:
        """Copies that keep ever fewer of the facts; other statements stay: [m * LEVELS, ...]."""
        order = torch.rand(len(answers), FACTS, generator=self.random).argsort(1).argsort(1)
        copies = []
        for level in range(LEVELS):
            copy = answers.clone()
            copy[:, :FACTS] *= order >= level * FACTS / (LEVELS - 1)
            copies.append(copy)
        return torch.stack(copies, 1).reshape(-1, answers.shape[1])


def kendall(one: Tensor, other: Tensor) -> float:
    """Share of ordered pairs that agree less those that do not, ties of the second left out."""
    sign = torch.sign(one.unsqueeze(1) - one) * torch.sign(other.unsqueeze(1) - other)
    return (sign.sum() / (other.unsqueeze(1) != other).sum()).item()


def learned(gamma: float, seed: int) -> tuple[float, float]:
    """Kendall's tau of implicit reward and facts on new answers, and the head's accuracy on training copies."""
    facts = Facts(seed)
    torch.manual_seed(seed)
    body = nn.Sequential(nn.Linear(FACTS + NOISE, WIDTH), nn.Tanh()).double()
    worth = nn.Linear(WIDTH, 1).double()
    objective: Objective = DegreeDPO(1.0, gamma, LEVELS, WIDTH).double()
    optimizer = torch.optim.Adam([*body.parameters(), *worth.parameters(), *objective.parameters()], lr=0.01)
    for _ in range(150):
        hidden = body(facts.options)
        policy = worth(hidden).squeeze(1)
        options = Scores(policy, torch.zeros_like(policy), hidden=hidden, columns={"degree": facts.degree})
        optimizer.zero_grad()
        objective(Batch(options, facts.units)).mean().backward()
        optimizer.step()
    new = facts.answers(300)
    with torch.no_grad():
        tau = kendall(worth(body(new)).squeeze(1), new[:, :FACTS].sum(1))
        at = facts.units["degraded_chosen"].option
        head = objective.regularisers[0].head if gamma else None
        told = 0.0 if head is None else (head(body(facts.options[at])).argmax(1) == facts.degree[at]).double().mean()
    return tau, float(told)


def test_telling_degrees_orders_new_answers_better_by_their_facts() -> None:
    gains = []
    for seed in range(4):
        with_head, told = learned(0.5, seed)
        plain, _ = learned(0.0, seed)
        gains.append(with_head - plain)
        assert told >= 2 / LEVELS
    assert sum(gains) / len(gains) >= 0.1
