"""Parts of pair objectives by themselves: values by hand, memory, and what they refuse."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import pytest
import torch
from pair_cases import M, RandomBatch, made
from torch import Tensor

from llull.errors import InputError
from llull.objectives import Batch, PairUnits, Scores
from llull.objectives.extremes import log1mexp, tangent_exp
from llull.objectives.links.anchored import Anchored
from llull.objectives.links.margins import Discovered, Exponential, Hinge, ReverseKL, SquaredLead
from llull.objectives.links.separate import AnchoredDown, Calibrated, Guarded, NoiseContrastive
from llull.objectives.links.ties import Davidson, RaoKupper
from llull.objectives.presets.margins import MODPO, VPO, RewardGapDPO
from llull.objectives.presets.noisy import LCPO, DegreeDPO, GroupRobustDPO
from llull.objectives.presets.pairs import AOT, DPO, FDPO, LDDPO, WPO
from llull.objectives.presets.reference_free import LogicPO
from llull.objectives.references import ReferenceRule
from llull.objectives.regularisers.likelihood import ChosenLikelihood
from llull.objectives.weights.beliefs import AsJudged, Reliability
from llull.objectives.weights.factors import ByStrength, Constant, OnPolicy
from llull.objectives.weights.groups import WorstGroup


def at(chosen: float, rejected: float) -> tuple[Tensor, Tensor]:
    return torch.tensor([chosen], dtype=torch.float64), torch.tensor([rejected], dtype=torch.float64)


@pytest.mark.parametrize(
    ("link", "value"),
    [
        (Hinge(), 0.0),
        (SquaredLead(5.0), 9.0),
        (Exponential(), 0.1353352832),
        (Discovered(0.5), 0.0179862 * 0.1269280110 + 0.9820137900 * 0.1353352832),
        (NoiseContrastive(), 0.3132616875 + 0.5 * 1.3132616875 + 0.5 * 0.3132616875),
        (AnchoredDown(), 0.7310585786 + 0.1192029220),
        (Calibrated(0.5), 0.1269280110 + 0.25 + 0.25),
        (Guarded(2.0), 0.1269280110),
    ],
)
def test_links_of_a_lead_of_two_by_hand(link: Callable[[Tensor, Tensor], Tensor], value: float) -> None:
    """Scores 1 and -1: sigmoid(1) = 0.7310586, sigmoid(2) = 0.8807971, sigmoid(4) = 0.9820138."""
    assert link(*at(1, -1)).item() == pytest.approx(value, rel=1e-6)


def test_a_guard_counts_a_fallen_chosen_option() -> None:
    assert Guarded(2.0)(*at(-1, -3)).item() == pytest.approx(math.log(2), rel=1e-9)


def test_reverse_kl_is_zero_where_the_odds_are_the_judgments() -> None:
    lead = math.log(0.9 / 0.1)
    assert ReverseKL(0.1)(*at(lead, 0)).item() == pytest.approx(0, abs=1e-12)


def test_complement_and_tangent_stay_exact_and_finite() -> None:
    x = torch.tensor([-1e-6, -0.5, -1.0, -50.0], dtype=torch.float64)
    expected = [math.log(-math.expm1(value)) for value in x.tolist()]
    torch.testing.assert_close(log1mexp(x), torch.tensor(expected, dtype=torch.float64))
    assert tangent_exp(torch.tensor(41.0, dtype=torch.float64)).item() == pytest.approx(2 * math.exp(40))
    assert torch.isfinite(tangent_exp(torch.tensor(1e4)))


@pytest.mark.parametrize("link", [Davidson(0.7), RaoKupper(0.4)])
@pytest.mark.parametrize("lead", [-3.0, 0.0, 0.5, 20.0])
def test_win_loss_and_tie_are_all_there_is(link: Davidson | RaoKupper, lead: float) -> None:
    first, second = at(lead, 0)
    whole = sum(torch.exp(-loss) for loss in (link(first, second), link(second, first), link.tie(first, second)))
    assert whole.item() == pytest.approx(1, abs=1e-6)


def test_tied_judgments_cost_the_probability_of_a_tie() -> None:
    data = RandomBatch()
    tied = PairUnits.of(data.units.chosen, data.units.rejected, tie=torch.ones(M, dtype=torch.bool))
    objective = made(("DavidsonDPO", {"nu": 0.5}))
    gap = 0.1 * (data.scores().ratio[tied.chosen] - data.scores().ratio[tied.rejected])
    expected = -torch.log(0.5 / (0.5 + 2 * torch.cosh(gap / 2))).mean().item()
    assert objective(data.batch(units=tied)).mean().item() == pytest.approx(expected, rel=1e-6)


def test_the_worst_group_gains_weight_and_an_absent_one_keeps_its_own() -> None:
    data = RandomBatch()
    weight = made(("GroupRobustDPO", {"rate": 1.0})).weights[0]
    weight.begin(data.batch())
    assert weight.share.tolist() == pytest.approx([4 / 6, 2 / 6, 0.0])
    weight.update({"group_loss": torch.tensor([4.0, 4.0, 0.0]), "group_count": torch.tensor([4.0, 2.0, 0.0])})
    odds = (2 / 6 * math.exp(2.0)) / (4 / 6 * math.exp(1.0))
    assert (weight.share[1] / weight.share[0]).item() == pytest.approx(odds, rel=1e-5)
    assert weight.share.sum().item() == pytest.approx(1)
    before = weight.share.clone()
    weight.update({"group_loss": torch.zeros(3), "group_count": torch.zeros(3)})
    torch.testing.assert_close(weight.share, before)


def test_a_running_anchor_starts_at_the_first_window_and_then_moves_slowly() -> None:
    link = Anchored("running", memory=0.9)
    link.update(link.note(torch.tensor([2.0, 4.0]), torch.tensor([0.0, 0.0]), torch.tensor([1.0, 3.0])))
    assert link.shift.item() == pytest.approx(14 / 8)
    link.update(link.note(torch.tensor([3.0]), torch.tensor([1.0]), torch.ones(1)))
    assert link.shift.item() == pytest.approx(0.9 * 14 / 8 + 0.1 * 2)


def test_a_pair_judged_by_heart_is_told_once() -> None:
    belief = Reliability()
    sums = {
        "reliability_sum": torch.tensor([9.0]),
        "reliability_count": torch.tensor([10.0]),
        "reliability_ordered": torch.tensor(10.0),
    }
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for _ in range(60):
            belief.update(sums)
    assert len(told) == 1
    assert "by heart" in str(told[0].message)


def test_memory_travels_in_the_state() -> None:
    data = RandomBatch()
    for case in (("AOT", {}), ("UAPO", {}), ("GroupRobustDPO", {}), ("LCPO", {})):
        objective, fresh = data.begun(made(case)), made(case)
        fresh.begin(data.batch(data.reference))
        fresh.load_state_dict(objective.state_dict())
        assert fresh(data.batch()).mean().item() == objective(data.batch()).mean().item()


@pytest.mark.parametrize(("kind", "steps", "share"), [("fixed", [], 0), ("soft", [4, 8], 0.6), ("hard", [4, 8], 1)])
def test_when_and_how_far_a_reference_moves(kind: str, steps: list[int], share: float) -> None:
    rule = ReferenceRule(kind, every=4)
    assert [step for step in range(12) if rule.due(step)] == steps
    assert rule.share == share


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Discovered(1.5), "tau"),
        (lambda: ReverseKL(0.0), "noise"),
        (lambda: Davidson(0.0), "nu"),
        (lambda: RaoKupper(-1.0), "threshold"),
        (lambda: Anchored("mean"), "anchor"),
        (lambda: FDPO(divergence="hellinger"), "divergence"),
        (lambda: LDDPO(alpha=2.0), "alpha"),
        (lambda: MODPO(share=0.0), "share"),
        (lambda: VPO(attitude="neutral"), "attitude"),
        (lambda: RewardGapDPO(distance="cosine"), "distance"),
        (lambda: AOT(over="batch"), "over"),
        (lambda: LCPO("kto"), "inner"),
        (lambda: GroupRobustDPO(rule="hard"), "rule"),
        (lambda: WorstGroup(rate=-1.0), "rate"),
        (lambda: LogicPO("implies"), "structure"),
        (lambda: Constant(-1.0), "negative"),
        (lambda: ByStrength(unit=0.0), "unit"),
        (lambda: OnPolicy("full"), "alignment"),
        (lambda: AsJudged(soft=True, temperature=0.0), "temperature"),
        (lambda: DPO(beta=-1.0), "beta"),
        (lambda: ReferenceRule("slow"), "rule"),
        (lambda: ReferenceRule("soft", alpha=0.0), "alpha"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(make: Callable[[], object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        make()


def test_what_a_batch_lacks_is_named() -> None:
    data = RandomBatch()
    bare = Batch(Scores(data.scores().policy, data.scores().reference), {"main": data.units})
    for objective, says in ((LDDPO(), "single tokens"), (WPO(), "concentration"), (AOT(), "begin")):
        with pytest.raises(ValueError, match=says):
            objective(bare)
    with pytest.raises(InputError, match="columns given: none"):
        RewardGapDPO()(bare)
    with pytest.raises(InputError, match="2 rewards"):
        MODPO(column="two_rewards")(data.batch())
    with pytest.raises(InputError, match="width"):
        DegreeDPO(width=5)(data.batch())


def test_the_likelihood_of_a_tie_is_of_both_options() -> None:
    data = RandomBatch()
    tied = PairUnits.of(data.units.chosen, data.units.rejected, tie=torch.ones(M, dtype=torch.bool))
    policy = data.scores().policy
    expected = -(policy[tied.chosen] + policy[tied.rejected]) / 2
    torch.testing.assert_close(ChosenLikelihood(1.0, "sum")(data.batch(), tied), expected)
