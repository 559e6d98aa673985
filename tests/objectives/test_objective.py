"""The composition itself: formulas as twins, sums and counts, ties, weights and beliefs."""

from __future__ import annotations

import pytest
import torch
from written_formulas import execute

from llull.errors import InputError
from llull.objectives import DPO, Batch, Objective, PairUnits, Scores
from llull.objectives.links.logistic import Logistic
from llull.objectives.regularisers.likelihood import ChosenLikelihood
from llull.objectives.scores.log_probability import LogProbability
from llull.objectives.scores.log_ratio import LogRatio
from llull.objectives.structures.pairwise import Pairwise
from llull.objectives.weights.beliefs import AsJudged, Debiased, Reliability, Smoothed


def scores(n: int, seed: int = 0) -> Scores:
    random = torch.Generator().manual_seed(seed)
    policy = -20 * torch.rand(n, generator=random, dtype=torch.float64)
    length = torch.randint(3, 30, (n,), generator=random)
    reference = policy + torch.randn(n, generator=random, dtype=torch.float64)
    return Scores(policy.requires_grad_(), reference, length)


def pairs(m: int, **columns: torch.Tensor) -> PairUnits:
    return PairUnits.of(torch.arange(0, 2 * m, 2), torch.arange(1, 2 * m, 2), **columns)


def facts(options: Scores, w: int, l: int) -> dict[str, object]:  # noqa: E741
    return {
        "w": w,
        "l": l,
        "policy": lambda y: options.policy[y].item(),
        "reference": lambda y: options.reference[y].item(),
        "length": lambda y: options.lengths[y].item(),
    }


def test_dpo_at_the_reference_is_log_two() -> None:
    options = Scores(torch.tensor([-3.0, -5.0]), torch.tensor([-3.0, -5.0]))
    assert DPO()(Batch(options, {"main": pairs(1)})).mean().item() == pytest.approx(0.693147, abs=1e-6)


@pytest.mark.parametrize("belief", [AsJudged(), AsJudged(soft=True), Smoothed(0.1), Debiased(0.2), Reliability(0.8)])
def test_a_formula_executed_gives_the_loss(belief: torch.nn.Module) -> None:
    options = scores(8)
    soft = torch.tensor([1.0, 0.6, 0.5, 0.2], dtype=torch.float64)
    units = pairs(4, preferred=soft, annotator=torch.tensor([0, 1, 0, -1]))
    objective = Objective(LogRatio(0.3, "mean"), Pairwise(), Logistic(0.1), belief=belief)
    batch = Batch(options, {"main": units})
    objective.begin(batch)
    expected = [
        execute(objective.formula(), facts(options, 2 * i, 2 * i + 1) | {"p": soft[i].item(), "eta": 0.8})
        for i in range(4)
    ]
    assert objective(batch).mean().item() == pytest.approx(sum(expected) / 4, rel=1e-6)


def test_sums_and_counts_do_not_depend_on_how_a_batch_is_cut() -> None:
    options, units = scores(12), pairs(6, weight=torch.tensor([1.0, 2.0, 1.0, 0.5, 1.0, 3.0]))
    whole = DPO()(Batch(options, {"main": units})).terms["main"]
    cuts = [torch.tensor([0, 3]), torch.tensor([1, 2, 4, 5])]
    parts = [DPO()(Batch(options, {"main": units.select(cut)})).terms["main"] for cut in cuts]
    assert sum(part.total for part in parts).item() == pytest.approx(whole.total.item(), rel=1e-12)
    assert sum(part.count for part in parts).item() == whole.count.item() == 8.5


def test_a_weight_of_two_is_a_row_seen_twice() -> None:
    options = scores(4)
    twice = PairUnits.of(torch.tensor([0, 2, 2]), torch.tensor([1, 3, 3]))
    weighted = pairs(2, weight=torch.tensor([1.0, 2.0]))
    both = [DPO()(Batch(options, {"main": units})).mean().item() for units in (twice, weighted)]
    assert both[0] == pytest.approx(both[1], rel=1e-6)


def test_a_tie_is_half_of_each_order() -> None:
    options = scores(2)
    tied = DPO()(Batch(options, {"main": pairs(1, tie=torch.tensor([True]))})).mean()
    orders = [
        DPO()(Batch(options, {"main": PairUnits.of(torch.tensor([a]), torch.tensor([1 - a]))})).mean() for a in (0, 1)
    ]
    assert tied.item() == pytest.approx((sum(orders) / 2).item(), rel=1e-9)


def test_reliability_moves_towards_the_mean_share_of_each_annotator() -> None:
    options = scores(6)
    units = pairs(3, annotator=torch.tensor([0, 0, 2]), weight=torch.tensor([1.0, 3.0, 1.0]))
    objective = Objective(LogRatio(1.0), Pairwise(), Logistic(), belief=Reliability(0.9, rate=0.1))
    batch = Batch(options, {"main": units})
    objective.begin(batch)
    noted = objective(batch).noted
    gap = options.ratio[units.chosen] - options.ratio[units.rejected]
    share = torch.sigmoid(gap + torch.logit(torch.tensor(0.9, dtype=torch.float64))).detach()
    objective.update(dict(noted))
    eta = objective.belief.eta
    assert eta[0].item() == pytest.approx(0.81 + 0.1 * ((share[0] + 3 * share[1]) / 4).item(), rel=1e-5)
    assert eta[1].item() == pytest.approx(0.9)
    assert eta[3].item() == pytest.approx(0.9)


def test_what_an_objective_remembers_is_in_its_state() -> None:
    objective = Objective(LogRatio(), Pairwise(), Logistic(), belief=Reliability())
    assert list(objective.state_dict()) == ["belief.eta", "belief.ordered"]


@pytest.mark.parametrize("noise", [0.5, -0.1, 1.0])
def test_a_noise_from_which_nothing_can_be_learned_is_refused(noise: float) -> None:
    for belief in (Smoothed, Debiased):
        with pytest.raises(InputError, match="flipped"):
            belief(noise)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_rounding_at_the_reference_is_no_preference(reduction: str) -> None:
    policy, length = torch.tensor([-400.0, -300.0, -400.0, -300.0]), torch.tensor([40, 30, 40, 30])
    # One unit in the last place of the chosen option's sum, and a difference that is far more than that.
    reference = policy - torch.tensor([2.0**-15, 0.0, 0.01, 0.0])
    gaps = Objective(LogRatio(2.5, reduction), Pairwise(), Logistic())(
        Batch(Scores(policy, reference, length), {"main": pairs(2)})
    ).gaps
    assert policy[0] != reference[0]
    assert gaps[0] == 0
    assert gaps[1] > 0


def test_a_small_difference_of_likelihoods_is_a_preference() -> None:
    near = Scores(torch.tensor([-3.0, -3.000001]), length=torch.tensor([3, 3]))
    assert (Objective(LogProbability(), Pairwise(), Logistic())(Batch(near, {"main": pairs(1)})).gaps > 0).all()


@pytest.mark.parametrize("part", [LogRatio, LogProbability, ChosenLikelihood])
def test_an_unknown_reduction_is_refused(part: type) -> None:
    with pytest.raises(InputError, match=r"^reduction='average' is not known; it is sum or mean$"):
        part(reduction="average")
