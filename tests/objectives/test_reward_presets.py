"""Objectives of reward models: by hand, at extremes, under cuts, and against TRL's own trainer."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from written_formulas import execute

from llull.errors import InputError
from llull.objectives import PRESETS, Batch, PairUnits, Scores
from llull.objectives.presets.rewards import BradleyTerryReward
from llull.objectives.regularisers.centering import Centering
from llull.objectives.scores.reward import Reward

KINDS = {
    "plain": {},
    "margin": {"margin": "strength", "scale": 0.5},
    "centered": {"centering": 0.02},
    "all": {"margin": "strength", "centering": 0.1, "ties": "davidson"},
}


def rewards(n: int, seed: int = 0) -> Scores:
    random = torch.Generator().manual_seed(seed)
    return Scores(torch.randn(n, generator=random, dtype=torch.float64).requires_grad_())


def pairs(m: int, **columns: torch.Tensor) -> PairUnits:
    return PairUnits.of(torch.arange(0, 2 * m, 2), torch.arange(1, 2 * m, 2), **columns)


def strengths(m: int, seed: int = 1) -> torch.Tensor:
    return torch.rand(m, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_lead_of_one_costs_log_one_plus_exp_minus_one() -> None:
    batch = Batch(Scores(torch.tensor([1.5, 0.5], dtype=torch.float64)), {"main": pairs(1)})
    assert BradleyTerryReward()(batch).mean().item() == pytest.approx(math.log1p(math.exp(-1)), rel=1e-12)
    centered = BradleyTerryReward(centering=0.25)(batch).mean().item()
    assert centered == pytest.approx(math.log1p(math.exp(-1)) + 0.25 * 2.0**2, rel=1e-12)


def test_length_plays_no_part() -> None:
    short = Scores(torch.tensor([1.0, 0.0]), length=torch.tensor([1, 1]))
    long = Scores(torch.tensor([1.0, 0.0]), length=torch.tensor([90, 3]))
    losses = [BradleyTerryReward()(Batch(options, {"main": pairs(1)})).mean() for options in (short, long)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("kind", KINDS)
def test_the_formula_executed_gives_the_loss(kind: str) -> None:
    options, strength = rewards(10), strengths(5)
    objective = BradleyTerryReward(**KINDS[kind])
    expected = [
        execute(
            objective.formula(),
            {
                "w": 2 * i,
                "l": 2 * i + 1,
                "p": 1.0,
                "strength": strength[i].item(),
                "policy": lambda y: options.policy[y].item(),
            },
        )
        for i in range(5)
    ]
    found = objective(Batch(options, {"main": pairs(5, strength=strength)})).mean().item()
    assert found == pytest.approx(sum(expected) / 5, rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_extreme_rewards_have_finite_losses_and_gradients(kind: str) -> None:
    options = Scores(torch.tensor([-1e4, 1e4, 1e3, 0.0, 0.0, 1e3], requires_grad=True))
    losses = BradleyTerryReward(**KINDS[kind])(Batch(options, {"main": pairs(3)})).mean()
    losses.backward()
    assert losses.isfinite()
    assert options.policy.grad is not None
    assert options.policy.grad.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_finite_differences(kind: str) -> None:
    units = pairs(3, strength=strengths(3), tie=torch.tensor([False, True, False]))
    objective = BradleyTerryReward(**KINDS[kind]).double()

    def loss(values: torch.Tensor) -> torch.Tensor:
        return objective(Batch(Scores(values), {"main": units})).mean()

    assert torch.autograd.gradcheck(loss, (rewards(6).policy,))


@pytest.mark.parametrize("kind", KINDS)
def test_sums_and_counts_do_not_depend_on_cut_or_order(kind: str) -> None:
    options = rewards(12)
    units = pairs(6, strength=strengths(6), weight=torch.tensor([1.0, 2.0, 1.0, 0.5, 1.0, 3.0]))
    objective = BradleyTerryReward(**KINDS[kind])
    whole = objective(Batch(options, {"main": units})).terms
    cuts = [torch.tensor([3, 0]), torch.tensor([5, 1, 4, 2])]
    parts = [objective(Batch(options, {"main": units.select(cut)})).terms for cut in cuts]
    for name, term in whole.items():
        assert sum(part[name].total for part in parts).item() == pytest.approx(term.total.item(), rel=1e-9)
        assert sum(part[name].count for part in parts).item() == term.count.item()


def test_no_judgments_cost_nothing() -> None:
    nothing = pairs(2, weight=torch.zeros(2))
    options = rewards(4)
    loss = BradleyTerryReward(centering=0.1)(Batch(options, {"main": nothing})).mean()
    loss.backward()
    assert loss.item() == 0.0
    empty = BradleyTerryReward(centering=0.1)(Batch(options, {"main": nothing.select(torch.arange(0))}))
    assert empty.mean().item() == 0.0


def test_a_tie_has_a_probability_of_its_own_with_davidson() -> None:
    tie = pairs(1, tie=torch.tensor([True]))
    equal = Batch(Scores(torch.zeros(2, dtype=torch.float64)), {"main": tie})
    objective = BradleyTerryReward(ties="davidson")
    assert objective(equal).mean().item() == pytest.approx(-math.log(1 / 3), rel=1e-6)
    assert [name for name, p in objective.named_parameters() if p.requires_grad] == ["link.log_nu"]


def test_it_is_among_the_presets_and_needs_nothing_beside_rewards() -> None:
    assert PRESETS["BradleyTerryReward"] is BradleyTerryReward
    assert BradleyTerryReward.source
    assert BradleyTerryReward.__doc__
    assert not BradleyTerryReward(centering=0.1).needs.reference


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: BradleyTerryReward(margin="gap"),
        lambda: BradleyTerryReward(ties="none"),
        lambda: BradleyTerryReward(centering=-1.0),
        lambda: Reward(0.0),
        lambda: Centering(0.0),
    ],
)
def test_settings_without_meaning_are_refused(wrong) -> None:
    with pytest.raises(InputError):
        wrong()


@pytest.mark.parametrize(("margin", "centering"), [(False, None), (True, None), (False, 0.05), (True, 0.01)])
def test_loss_and_gradient_are_those_of_trl(margin: bool, centering: float | None) -> None:
    trl = pytest.importorskip("trl")
    options, strength = rewards(16, seed=3), strengths(8).float()
    own = options.policy.detach().float().requires_grad_()
    objective = BradleyTerryReward(margin="strength" if margin else "none", centering=centering or 0.0)
    # TRL has all chosen options first.
    units = PairUnits.of(torch.arange(8), torch.arange(8, 16), strength=strength)
    loss = objective(Batch(Scores(own), {"main": units})).mean()
    loss.backward()

    theirs = options.policy.detach().float().requires_grad_()
    trainer = object.__new__(trl.RewardTrainer)
    trainer.model = SimpleNamespace(training=False)
    trainer.args = SimpleNamespace(center_rewards_coefficient=centering)
    trainer.accelerator = SimpleNamespace(gather=lambda x: x, gather_for_metrics=lambda x: x)
    trainer._metrics = {
        "eval": {name: [] for name in ("min_reward", "mean_reward", "max_reward", "accuracy", "margin")}
    }
    trainer._total_train_tokens = 0
    inputs = {"input_ids": torch.zeros(16, 1)} | ({"margin": strength} if margin else {})
    expected = trainer.compute_loss(lambda **_: SimpleNamespace(logits=theirs[:, None]), inputs)
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    torch.testing.assert_close(own.grad, theirs.grad, rtol=1e-5, atol=1e-7)
