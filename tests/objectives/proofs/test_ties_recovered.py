"""Ties: both tie models recover the tie parameter and the utilities that made the judgments."""

from __future__ import annotations

import pytest
import torch
from tabular import TabularPolicy, train
from torch import Tensor

from llull.objectives import DPO, Objective, PairUnits
from llull.objectives.presets.noisy import DavidsonDPO, RaoKupperDPO

OPTIONS, COUNT = 6, 6000
UTILITY = torch.linspace(-1.2, 1.2, OPTIONS, dtype=torch.float64)


def judged(davidson: bool, parameter: float, seed: int) -> PairUnits:
    """Pairs judged by a tie model, written with exponentials rather than by the links."""
    random = torch.Generator().manual_seed(seed)
    first = torch.randint(OPTIONS, (COUNT,), generator=random)
    second = (first + torch.randint(1, OPTIONS, (COUNT,), generator=random)) % OPTIONS
    a, b = UTILITY[first].exp(), UTILITY[second].exp()
    if davidson:
        whole = a + b + parameter * (a * b).sqrt()
        win, lose = a / whole, b / whole
    else:
        theta = torch.tensor(parameter).exp()
        win, lose = a / (a + theta * b), b / (b + theta * a)
    chance = torch.rand(COUNT, generator=random, dtype=torch.float64)
    turned = (chance >= win) & (chance < win + lose)
    chosen, rejected = torch.where(turned, second, first), torch.where(turned, first, second)
    return PairUnits.of(chosen, rejected, tie=chance >= win + lose)


def learned(objective: Objective, units: PairUnits) -> Tensor:
    """Implied utilities, with mean zero."""
    policy = TabularPolicy.uniform(1, OPTIONS)
    train(policy, objective, units, steps=400, rate=0.03)
    implied = policy.scores().ratio.detach()
    return implied - implied.mean()


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("davidson", "truth"), [(True, 0.5), (True, 2.0), (False, 0.3), (False, 1.0)])
def test_the_tie_parameter_is_recovered_and_utilities_are_not_shrunk(davidson: bool, truth: float, seed: int) -> None:
    units = judged(davidson, truth, seed)
    objective = DavidsonDPO(beta=1.0) if davidson else RaoKupperDPO(beta=1.0)
    implied = learned(objective, units)
    found = objective.link.nu if davidson else objective.link.threshold
    assert found == pytest.approx(truth, rel=0.1)
    error = (implied - UTILITY).abs().mean()
    assert error < 0.08
    # Ties as half of each order pull all utilities together, the more the more ties there are.
    halved = learned(DPO(beta=1.0), units)
    assert halved.std() < implied.std()
    if truth >= 1:
        assert (halved - UTILITY).abs().mean() > 2 * error
