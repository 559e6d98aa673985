"""Small policies whose probabilities are exact, and a full-batch loop that trains them on any objective."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from llull.objectives import Batch, Objective, PairUnits, Scores
from llull.objectives.batch import Units


class TabularPolicy(nn.Module):
    """A softmax over K options for each of P prompts; option k of prompt p is option p * K + k of the batch.

    Args:
        reference: [P, K] logits of the reference (float64); the policy starts there.
        features: [P, K, d] for a log-linear policy whose logits are reference + features @ parameters; without them
            each logit is free.
        length: [P, K] tokens of each option; 1 if not given.
    """

    def __init__(self, reference: Tensor, features: Tensor | None = None, length: Tensor | None = None) -> None:
        super().__init__()
        self.reference = torch.log_softmax(reference.double(), dim=-1)
        self.features = None if features is None else features.double()
        self.length = length
        shape = reference.shape if features is None else features.shape[-1:]
        self.parameter = nn.Parameter(torch.zeros(shape, dtype=torch.float64))

    @classmethod
    def uniform(cls, prompts: int, options: int) -> TabularPolicy:
        """Free logits, starting at the uniform policy."""
        return cls(torch.zeros(prompts, options))

    def logits(self) -> Tensor:
        """[P, K]"""
        moved = self.parameter if self.features is None else self.features @ self.parameter
        return self.reference + moved

    def log_probs(self) -> Tensor:
        """[P, K], with gradient."""
        return torch.log_softmax(self.logits(), dim=-1)

    def probs(self) -> Tensor:
        """[P, K], without gradient."""
        return self.log_probs().detach().exp()

    def scores(self, columns: Mapping[str, Tensor] | None = None) -> Scores:
        """The scores of all P * K options."""
        length = None if self.length is None else self.length.reshape(-1)
        return Scores(
            self.log_probs().reshape(-1), self.reference.reshape(-1), length, columns={} if columns is None else columns
        )

    def expected(self, utility: Tensor) -> Tensor:
        """Mean utility [P, K] of the options that the policy gives, for each prompt: [P]."""
        return (self.probs() * utility).sum(-1)

    def kl(self) -> Tensor:
        """KL(policy || reference) of each prompt: [P]."""
        now = self.log_probs().detach()
        return (now.exp() * (now - self.reference)).sum(-1)


def train(
    policy: TabularPolicy,
    objective: Objective,
    units: Units | Mapping[str, Units],
    *,
    steps: int = 200,
    rate: float = 0.05,
    columns: Mapping[str, Tensor] | None = None,
    watch: Iterable[int] = (),
) -> list[Tensor]:
    """Full-batch Adam on an objective, through begin, survey, settle, loss and update; what it learns learns too.

    Returns:
        The policy's probabilities [P, K] at the steps to ``watch``.
    """
    named = units if isinstance(units, Mapping) else {"main": units}
    objective.double()
    with torch.no_grad():
        objective.begin(Batch(policy.scores(columns), named))
    optimizer = torch.optim.Adam([*policy.parameters(), *objective.parameters()], lr=rate)
    seen, watched = [], set(watch)
    for step in range(steps):
        if step in watched:
            seen.append(policy.probs())
        with torch.no_grad():
            objective.settle(objective.survey(Batch(policy.scores(columns), named)))
        losses = objective(Batch(policy.scores(columns), named))
        optimizer.zero_grad()
        losses.mean().backward()
        optimizer.step()
        objective.update(dict(losses.noted))
    if steps in watched:
        seen.append(policy.probs())
    return seen


def all_pairs(prompts: int, options: int) -> tuple[Tensor, Tensor]:
    """Every pair of options i < j of every prompt, as indexes of options: [m], [m]."""
    first, second = torch.triu_indices(options, options, 1)
    offset = options * torch.arange(prompts).unsqueeze(1)
    return (offset + first).reshape(-1), (offset + second).reshape(-1)


def judged_pairs(
    utility: Tensor, count: int, random: torch.Generator, *, flips: float = 0.0, **columns: Tensor
) -> PairUnits:
    """Pairs of two random options of a random prompt, judged by the Bradley-Terry model of a utility.

    Args:
        utility: [P, K].
        count: how many pairs.
        random: where chance comes from.
        flips: share of judgments turned round afterwards.
        columns: further columns of the units.
    """
    prompts, options = utility.shape
    prompt = torch.randint(prompts, (count,), generator=random)
    first = torch.randint(options, (count,), generator=random)
    second = (first + torch.randint(1, options, (count,), generator=random)) % options
    wins = torch.sigmoid(utility[prompt, first] - utility[prompt, second])
    won = torch.rand(count, generator=random, dtype=wins.dtype) < wins
    won = won ^ (torch.rand(count, generator=random) < flips)
    chosen = prompt * options + torch.where(won, first, second)
    rejected = prompt * options + torch.where(won, second, first)
    return PairUnits.of(chosen, rejected, **columns)


def optimum(reference: Tensor, utility: Tensor, beta: float) -> Tensor:
    """The policy that maximises expected utility - beta * KL to the reference: [P, K] probabilities."""
    return torch.softmax(torch.log_softmax(reference, dim=-1) + utility / beta, dim=-1)
