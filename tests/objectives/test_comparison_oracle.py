"""Steps without gradients: their arithmetic against a plain loop, when they are refused, which pairs they are for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from llull.errors import InputError
from llull.objectives.comparison_oracle import ComparisonOracle, nearly_equal


def slope_up(parameter: Tensor) -> tuple[Tensor, Tensor]:
    """The first coordinate is the chosen option's log-probability, the second the rejected one's."""
    return parameter[:1], parameter[1:2]


@pytest.mark.parametrize("improving_only", [False, True])
@pytest.mark.parametrize("sparsity", [0.0, 0.3])
def test_a_step_is_the_signed_sum_of_directions(improving_only: bool, sparsity: float) -> None:
    oracle = ComparisonOracle(200, 1e-3, 0.5, sparsity=sparsity, improving_only=improving_only)
    start = torch.zeros(4, dtype=torch.float64)
    step = oracle.step(start, slope_up, torch.Generator().manual_seed(3))
    random, total, better = torch.Generator().manual_seed(3), [0.0] * 4, 0
    for _ in range(200):
        z = torch.randn(4, generator=random, dtype=torch.float64).tolist()
        good = z[0] > 0 > z[1]
        better += good
        if good or not improving_only:
            total = [t + (v if good else -v) for t, v in zip(total, z, strict=True)]
    norm = sum(t * t for t in total) ** 0.5
    expected = [0.5 * better / 200 * t / norm if abs(t / norm) >= sparsity else 0.0 for t in total]
    assert step.taken
    assert step.improving == better
    assert step.parameter.tolist() == pytest.approx(expected)
    assert start.tolist() == [0.0] * 4


def test_too_few_better_directions_or_none_leave_the_parameter() -> None:
    start = torch.zeros(3)
    few = ComparisonOracle(40, least=41).step(start, slope_up, torch.Generator().manual_seed(0))
    assert not few.taken
    assert few.improving > 0
    assert torch.equal(few.parameter, start)
    never = ComparisonOracle(20).step(start, lambda p: (-p.abs().sum()[None], p[:1]))
    assert (never.taken, never.improving) == (False, 0)


def test_every_pair_or_any_pair_has_to_be_served() -> None:
    """Two pairs that want opposite things: no direction serves both, every second one serves one of them."""

    def opposed(p: Tensor) -> tuple[Tensor, Tensor]:
        return torch.stack([p[0], -p[0]]), torch.stack([-p[0], p[0]])

    assert ComparisonOracle(30).step(torch.zeros(2), opposed).improving == 0
    assert ComparisonOracle(30, any_pair=True).step(torch.zeros(2), opposed).improving == 30


def test_pairs_are_split_by_how_alike_the_reference_finds_them() -> None:
    chosen, rejected = torch.tensor([-1.0, -1.0, -1.0, -6.0]), torch.tensor([-1.0, -4.0, -4.5, -4.0])
    assert nearly_equal(chosen, rejected).tolist() == [False, True, False, True]


def test_settings_and_precisions_without_meaning_are_refused() -> None:
    for wrong in ({"directions": 0}, {"radius": 0.0}, {"rate": -1.0}, {"sparsity": -0.1}, {"least": 0}):
        with pytest.raises(InputError):
            ComparisonOracle(**wrong)
    with pytest.raises(InputError, match="float32"):
        ComparisonOracle().step(torch.zeros(2, dtype=torch.bfloat16), slope_up)
