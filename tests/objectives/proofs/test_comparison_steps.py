"""ComPO (219): pairs of near-twins, on which DPO lowers what it should raise and comparison steps do not."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from llull.objectives import DPO, Batch, PairUnits, Scores
from llull.objectives.comparison_oracle import ComparisonOracle

WIDTH, CANDIDATES = 32, 220


def twins(seed: int) -> Tensor:
    """Features of candidates; the first two are c + u and c - u, with u against c: [CANDIDATES, WIDTH]."""
    random = torch.Generator().manual_seed(seed)
    features = torch.randn(CANDIDATES, WIDTH, generator=random, dtype=torch.float64)
    c = torch.randn(WIDTH, generator=random, dtype=torch.float64)
    across = torch.randn(WIDTH, generator=random, dtype=torch.float64)
    across = across - (across @ c) / (c @ c) * c
    u = -0.06 * c + 0.05 * c.norm() * across / across.norm()
    assert c @ u < -(u @ u)
    assert torch.cosine_similarity(c + u, c - u, dim=0) > 0.95
    features[0], features[1] = c + u, c - u
    return features


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_likelihood_falls_under_dpo_and_rises_in_every_step_that_is_taken(seed: int) -> None:
    features = twins(seed)

    def log_probs(theta: Tensor) -> tuple[Tensor, Tensor]:
        everything = torch.log_softmax(features @ theta, 0)
        return everything[:1], everything[1:2]

    zero = torch.zeros(WIDTH, dtype=torch.float64)
    start = torch.cat(log_probs(zero))
    theta = zero.clone().requires_grad_()
    units = {"main": PairUnits.of(torch.tensor([0]), torch.tensor([1]))}
    for _ in range(50):
        loss = DPO(0.1)(Batch(Scores(torch.cat(log_probs(theta)), start), units)).mean()
        (slope,) = torch.autograd.grad(loss, theta)
        theta = (theta - 0.5 * slope).detach().requires_grad_()
    assert log_probs(theta.detach())[0].item() < start[0].item() - 0.05

    random = torch.Generator().manual_seed(seed)
    taken = {}
    for only in (False, True):
        oracle, at, count, share = ComparisonOracle(800, 5e-4, 0.2, improving_only=only), zero, 0, []
        for _ in range(8):
            step = oracle.step(at, log_probs, random)
            share.append(step.improving / 800)
            before, after = log_probs(at), log_probs(step.parameter)
            if step.taken:
                count += 1
                assert after[0] > before[0]
                assert after[1] < before[1]
            at = step.parameter
        taken[only] = count / 8
        assert 0.005 < sum(share) / 8 < 0.15
        if only:
            assert log_probs(at)[0].item() > start[0].item()
    assert taken[True] >= 0.9
    assert taken[True] >= taken[False]
