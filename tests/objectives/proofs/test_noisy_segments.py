"""Robust 2D-DPO (222): with 30% of segment scores turned round, the corrected loss fits what clean scores would.

A linear policy over segments: token features are the only parameters' directions. Plain 2D-DPO keeps the direction and
shrinks its length; the correction restores the length, and with it the likelihood of clean scores. That the direction
gets better is not claimed: the correction raises variance.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from llull.objectives import Batch, PairUnits, Scores, Tokens
from llull.objectives.presets.tokens import Robust2DDPO

PAIRS, WIDTH, FLIPS = 3000, 8, 0.3


class World:
    """Pairs of options of one segment and one token, of worth 1 for the chosen and 0 for the rejected one."""

    def __init__(self, seed: int, pairs: int = PAIRS) -> None:
        random = torch.Generator().manual_seed(seed)
        taste = 1.5 * torch.randn(WIDTH, generator=torch.Generator().manual_seed(99), dtype=torch.float64) / WIDTH**0.5
        features = torch.randn(pairs, 2, WIDTH, generator=random, dtype=torch.float64)
        lead = (features @ taste).diff(dim=1)[:, 0]
        second = torch.rand(pairs, generator=random, dtype=torch.float64) < torch.sigmoid(lead)
        self.clean = torch.where(second, 1.0, -1.0).double()
        flipped = torch.rand(pairs, generator=random) < FLIPS
        self.noisy = torch.where(flipped, -self.clean, self.clean)
        self.features = features.reshape(-1, WIDTH)

    def loss(self, theta: Tensor, sign: Tensor, objective: Robust2DDPO) -> Tensor:
        """The objective, where ``sign`` says which option's segment is the good one."""
        own = self.features @ theta
        at = torch.arange(len(own))
        first = 2 * torch.arange(len(sign))
        good = first + (sign > 0).long()
        worth = torch.zeros(len(own), dtype=torch.float64).index_fill(0, good, 1.0)
        tokens = Tokens(at, own, torch.zeros_like(own), step=torch.zeros_like(at), weight=worth)
        units = {"main": PairUnits.of(good, 2 * first + 1 - good)}
        return objective(Batch(Scores(own, torch.zeros_like(own), None, tokens), units)).mean()

    def fitted(self, sign: Tensor, objective: Robust2DDPO) -> Tensor:
        """Parameters after training."""
        theta = torch.zeros(WIDTH, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.Adam([theta], lr=0.1)
        for _ in range(50):
            loss = self.loss(theta, sign, objective)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return theta.detach()


@functools.cache
def fits(seed: int) -> dict[str, tuple[float, float]]:
    """For each fit the length of its parameters and the loss on new clean segments."""
    world, new = World(seed), World(seed + 100)
    plain = Robust2DDPO(1.0, segments=1, largest=1.0)
    found = {
        "clean": world.fitted(world.clean, plain),
        "plain": world.fitted(world.noisy, plain),
        "robust": world.fitted(world.noisy, Robust2DDPO(1.0, segments=1, largest=1.0, flips=FLIPS)),
    }
    return {name: (theta.norm().item(), new.loss(theta, new.clean, plain).item()) for name, theta in found.items()}


def test_the_correction_restores_the_length_and_the_likelihood_of_clean_scores() -> None:
    for seed in range(3):
        found = fits(seed)
        assert found["plain"][0] < 0.5 * found["clean"][0]
        assert 0.6 < found["robust"][0] / found["clean"][0] < 1.6
        assert found["robust"][1] <= found["plain"][1] - 0.05
        assert found["robust"][1] >= found["clean"][1]


def test_no_noise_is_plain_and_flips_are_right_on_average() -> None:
    """Mean over both signs, in proportion to how often they occur, of the corrected loss is the loss on clean ones."""
    world = World(5, pairs=50)
    theta = torch.linspace(-1, 1, WIDTH, dtype=torch.float64)
    plain, robust = Robust2DDPO(1.0, 1, 1.0), Robust2DDPO(1.0, 1, 1.0, flips=FLIPS)
    clean = world.loss(theta, world.clean, plain).item()
    straight, turned = (world.loss(theta, sign, robust).item() for sign in (world.clean, -world.clean))
    assert abs((1 - FLIPS) * straight + FLIPS * turned - clean) < 1e-9
    assert abs(world.loss(theta, world.clean, Robust2DDPO(1.0, 1, 1.0, flips=0.0)).item() - clean) < 1e-6


def test_the_correction_of_additive_noise_takes_off_most_of_what_it_adds() -> None:
    """Worth drawn around the truth: the mean corrected loss is nearer to the clean one than the mean plain one."""
    random = torch.Generator().manual_seed(0)
    own = torch.tensor([0.8, -1.2], dtype=torch.float64)
    sigma, draws = 0.5, 40000
    found = {}
    for variance in (0.0, sigma**2):
        objective = Robust2DDPO(1.0, segments=1, largest=2.0, variance=variance)
        option = torch.arange(2 * draws)
        noise = sigma * torch.randn(2 * draws, generator=random, dtype=torch.float64)
        policy = own.repeat(draws)

        def loss(worth: Tensor, option: Tensor = option, policy: Tensor = policy, objective=objective) -> float:
            tokens = Tokens(option, policy, torch.zeros_like(policy), step=torch.zeros_like(option), weight=worth)
            units = {"main": PairUnits.of(option[::2], option[1::2])}
            return objective(Batch(Scores(policy, torch.zeros_like(policy), None, tokens), units)).mean().item()

        if not variance:
            clean = loss(torch.ones(2 * draws, dtype=torch.float64))
        found[variance] = loss(1 + noise) - clean
    assert found[0.0] > 0.01
    assert abs(found[sigma**2]) < 0.5 * found[0.0]
