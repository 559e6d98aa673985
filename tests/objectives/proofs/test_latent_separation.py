"""GRACE (118), the latent part: a pooler that keeps safe answers apart finds jailbreaks that lay near safe ones."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from llull.objectives import Batch, Objective, PairUnits, Scores
from llull.objectives.presets.stability import GRACE

WIDTH, OUT, EACH = 384, 16, 600


class World:
    """Embeddings of safe, unsafe and jailbreak answers; jailbreaks lie near safe ones, apart in few directions."""

    def __init__(self, seed: int) -> None:
        random = torch.Generator().manual_seed(seed)
        draw = lambda *shape: torch.randn(*shape, generator=random, dtype=torch.float64)  # noqa: E731
        unsafe, own = draw(WIDTH), draw(WIDTH)
        unsafe, own = 6 * unsafe / unsafe.norm(), 4 * own / own.norm()
        # A jailbreak is a little unsafe, and unlike either in a direction of its own.
        centers = (torch.zeros(WIDTH, dtype=torch.float64), unsafe, 0.2 * unsafe + own)
        self.train, self.test = ([c + draw(EACH, WIDTH) for c in centers] for _ in range(2))
        self.start = draw(WIDTH, OUT) / WIDTH**0.5

    def pooled(self, objective: Objective | None) -> Tensor:
        """A linear pooler [WIDTH, OUT], trained on the latent terms; as it starts without an objective."""
        pooler = self.start.clone().requires_grad_()
        if objective is None:
            return self.start
        optimizer = torch.optim.Adam([pooler], lr=3e-3)
        at = torch.arange(EACH)
        empty = torch.empty(0).long()
        apart = PairUnits.of(torch.cat([at, at]), torch.cat([EACH + at, 2 * EACH + at]))
        units = {
            "main": PairUnits.of(empty, empty),
            "separate": apart,
            "gather": PairUnits.of(EACH + at, 2 * EACH + at),
        }
        zeros = torch.zeros(3 * EACH, dtype=torch.float64)
        for _ in range(80):
            hidden = torch.cat(self.train) @ pooler
            loss = objective(Batch(Scores(zeros, zeros, hidden=hidden), units)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return pooler.detach()

    def recall(self, objective: Objective | None) -> float:
        """Share of new jailbreaks nearer to the unsafe centroid than 95% of new safe answers are, by the difference."""
        pooler = self.pooled(objective)
        safe, unsafe = ((self.train[k] @ pooler).mean(0) for k in (0, 1))

        def suspicion(x: Tensor) -> Tensor:
            return (x @ pooler - safe).norm(dim=1) - (x @ pooler - unsafe).norm(dim=1)

        bar = suspicion(self.test[0]).quantile(0.95)
        return (suspicion(self.test[2]) > bar).double().mean().item()


@functools.cache
def recall(name: str) -> float:
    """Mean over three seeds."""
    made = {"none": None, "both": GRACE(margin=12.0, radius=1.0), "apart": GRACE(margin=12.0, gather=0.0)}
    return sum(World(seed).recall(made[name]) for seed in range(3)) / 3


def test_keeping_apart_and_together_finds_more_jailbreaks() -> None:
    assert recall("both") >= recall("none") + 0.2


def test_without_what_gathers_fewer_are_found() -> None:
    assert recall("apart") <= recall("both") - 0.05
