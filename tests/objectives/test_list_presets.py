"""The common ladder of presets on rankings: formula twins, gradients, padding, ties, extremes, invariances."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from written_formulas import execute

from llull.errors import InputError
from llull.objectives import DPO, PRESETS, Batch, ListUnits, Objective, PairUnits, Scores, Tokens
from llull.objectives.links.lists import AllPairs, GapTempered, PlackettLuce, SoftmaxCrossEntropy
from llull.objectives.links.logistic import Logistic
from llull.objectives.links.ties import Davidson
from llull.objectives.presets.lists import (
    PRO,
    LiPO,
    ListNetPO,
    PlackettLuceDPO,
    RankDPO,
    RankedPairsDPO,
    TreePO,
)
from llull.objectives.regularisers.likelihood import ChosenLikelihood

M, K, STEPS = 4, 5, 3

CASES: list[tuple[str, dict[str, object]]] = [
    ("PlackettLuceDPO", {}),
    ("PlackettLuceDPO", {"beta": 0.7, "top": 2}),
    ("PlackettLuceDPO", {"reduction": "mean"}),
    ("RankedPairsDPO", {}),
    ("RankedPairsDPO", {"nu": 0.4}),
    ("PRO", {}),
    ("PRO", {"temperature": "one", "likelihood": 0.2}),
    ("LiPO", {}),
    ("LiPO", {"ranks": "judged", "beta": 0.5, "unit": 2.0}),
    ("RankDPO", {}),
    ("RankDPO", {"share": "pairs"}),
    ("RankDPO", {"share": "weights", "beta": 0.6}),
    ("TreePO", {}),
    ("TreePO", {"ranks": "judged", "unit": 3.0}),
    ("ListNetPO", {}),
    ("ListNetPO", {"temperature": 0.5}),
    ("RankImitation", {"margin": 0.3}),
    ("RankImitation", {"margin": 3.0, "reduction": "mean"}),
]
Case = tuple[str, dict[str, object]]
ALL = pytest.mark.parametrize("case", CASES, ids=lambda c: "-".join([c[0], *(f"{k}={v}" for k, v in c[1].items())]))


def made(case: Case) -> Objective:
    """The case's objective in float64."""
    return PRESETS[case[0]](**case[1]).double()


class Data:
    """M rankings of 2 to K options without ties, best first; every option has STEPS steps of one or two tokens."""

    def __init__(self, seed: int = 0) -> None:
        random = torch.Generator().manual_seed(seed)
        draw = lambda *shape: torch.randn(*shape, generator=random, dtype=torch.float64)  # noqa: E731
        n = M * K
        self.policy = -1 - 3 * draw(n).abs()
        self.reference = self.policy + 2 * draw(n)
        option = torch.arange(M * K).reshape(M, K)
        size = torch.tensor([5, 3, 2, 4])
        self.option = option.masked_fill(torch.arange(K) >= size[:, None], -1)
        gain = (2 * draw(M, K).abs()).sort(dim=1, descending=True).values
        self.units = ListUnits.of(self.option, gain=gain.masked_fill(self.option < 0, torch.nan))
        words = torch.randint(1, 3, (n * STEPS,), generator=random)
        place = torch.repeat_interleave(torch.arange(n * STEPS), words)
        self.owner, self.step = place // STEPS, place % STEPS
        self.length = torch.bincount(self.owner, minlength=n)
        # Shares of an option's log-probability that its tokens have.
        self.part = draw(len(place)).abs() + 0.2
        self.part = self.part / torch.zeros(n).double().index_add(0, self.owner, self.part)[self.owner]
        self.reference_part = draw(len(place)).abs() + 0.2
        total = torch.zeros(n).double().index_add(0, self.owner, self.reference_part)
        self.reference_part = self.reference_part / total[self.owner]
        self.weight = (1 + draw(n * STEPS).tanh())[place]

    def scores(self, policy: Tensor | None = None) -> Scores:
        """Of all options, and of their tokens."""
        policy = self.policy if policy is None else policy
        own, other = self.token_values(policy)
        tokens = Tokens(self.owner, own, other, step=self.step, weight=self.weight)
        return Scores(policy, self.reference, self.length, tokens)

    def token_values(self, policy: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities of tokens under policy and reference."""
        return policy[self.owner] * self.part, self.reference[self.owner] * self.reference_part

    def batch(self, policy: Tensor | None = None, rows: Tensor | None = None) -> Batch:
        """These rows of the rankings."""
        return Batch(self.scores(policy), {"main": self.units if rows is None else self.units.select(rows)})

    def facts(self, i: int) -> dict[str, object]:
        """What formulas may name."""
        ranking = [y for y in self.option[i].tolist() if y >= 0]
        own, other = self.token_values(self.policy)

        def steps(y: int) -> list[tuple[float, float]]:
            found = []
            for k in range(STEPS):
                here = (self.owner == y) & (self.step == k)
                found.append((self.weight[here].mean().item(), (own - other)[here].sum().item()))
            return found

        return {
            "ranking": ranking,
            "gains": self.units.gain[i, : len(ranking)].tolist(),
            "policy": lambda y: self.policy[y].item(),
            "reference": lambda y: self.reference[y].item(),
            "length": lambda y: float(self.length[y]),
            "steps": steps,
        }


@ALL
def test_the_written_formula_executed_gives_the_loss(case: Case) -> None:
    data, objective = Data(), made(case)
    expected = sum(execute(objective.formula(), data.facts(i)) for i in range(M)) / M
    assert objective(data.batch()).mean().item() == pytest.approx(expected, rel=1e-6)


@ALL
def test_gradients_agree_with_finite_differences(case: Case) -> None:
    data, objective = Data(1), made(case)
    leaf = data.policy.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda policy: objective(data.batch(policy)).mean(), (leaf,), atol=1e-6)


@ALL
def test_extreme_log_probabilities_keep_loss_and_gradient_finite(case: Case) -> None:
    data, objective = Data(), made(case)
    far = torch.tensor([-1e4, -1.0, -2e3, -1e3]).double().repeat(M * K // 4).requires_grad_()
    data.reference = torch.tensor([-9e3, -1001.0, -1e3, -2e3]).double().repeat(M * K // 4)
    loss = objective(data.batch(far)).mean()
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(far.grad).all()


@ALL
def test_nothing_loses_nothing_and_equal_policies_are_finite(case: Case) -> None:
    data, objective = Data(), made(case)
    assert objective(data.batch(rows=torch.empty(0).long())).mean().item() == 0
    weightless = {"main": replace(data.units, weight=torch.zeros(M))}
    assert objective(Batch(data.scores(), weightless)).mean().item() == 0
    leaf = data.reference.clone().requires_grad_()
    loss = objective(data.batch(leaf)).mean()
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(leaf.grad).all()


@ALL
def test_rankings_of_padding_alone_lose_nothing_and_have_no_gradient(case: Case) -> None:
    data, objective = Data(), made(case)
    empty = ListUnits.of(torch.full((2, K), -1))
    leaf = data.policy.clone().requires_grad_()
    loss = objective(Batch(data.scores(leaf), {"main": empty})).mean()
    loss.backward()
    assert loss.item() == 0
    assert leaf.grad.abs().max().item() == 0


@ALL
def test_more_padding_order_cuts_and_twins_do_not_matter(case: Case) -> None:
    data, objective = Data(), made(case)
    whole = objective(data.batch())
    pad = lambda values, by: torch.cat([values, torch.full((M, 3), by).to(values)], 1)  # noqa: E731
    units = data.units
    wide = ListUnits.of(pad(units.option, -1), pad(units.tier, -1), gain=pad(units.gain, math.nan))
    assert objective(Batch(data.scores(), {"main": wide})).mean().item() == pytest.approx(whole.mean().item())
    shuffled = objective(data.batch(rows=torch.tensor([3, 0, 2, 1])))
    assert shuffled.mean().item() == pytest.approx(whole.mean().item(), rel=1e-10)
    cuts = [objective(data.batch(rows=torch.tensor(rows))) for rows in ([3, 1], [0, 2])]
    for name, term in whole.terms.items():
        assert sum(cut.terms[name].total for cut in cuts).item() == pytest.approx(term.total.item(), rel=1e-9)
        assert sum(cut.terms[name].count for cut in cuts).item() == term.count.item()
    twice = objective(data.batch(rows=torch.tensor([0, 1, 1, 2]))).mean().item()
    once = data.batch(rows=torch.tensor([0, 1, 2]))
    heavy = {"main": replace(once.main, weight=torch.tensor([1.0, 2.0, 1.0]))}
    assert objective(Batch(once.options, heavy)).mean().item() == pytest.approx(twice, rel=1e-9)


TIERS, GAINS = torch.tensor([[0, 0, 1, 2, 2]]), torch.tensor([[2.0, 2.0, 1.0, 0.5, 0.5]])
NEED_GAINS = ("LiPO", "RankDPO", "TreePO")
WITH_OR_WITHOUT = [(case, gains) for case in CASES for gains in (True, False) if gains or case[0] not in NEED_GAINS]


@pytest.mark.parametrize("scores", [torch.tensor([0.3, -0.7, 0.4, 1.1, -0.2]), torch.zeros(5)], ids=["apart", "equal"])
@pytest.mark.parametrize(("case", "gains"), WITH_OR_WITHOUT, ids=str)
def test_order_inside_a_tier_does_not_matter(case: Case, scores: Tensor, gains: bool) -> None:
    objective = made(case)
    losses = []
    for order in (torch.arange(5), torch.tensor([1, 0, 2, 4, 3]), torch.tensor([1, 0, 2, 3, 4])):
        at = torch.arange(5)
        tokens = Tokens(at, scores.double(), torch.zeros(5).double(), step=torch.zeros_like(at))
        options = Scores(scores.double(), torch.zeros(5).double(), None, tokens)
        gain = GAINS[:, order] if gains else None
        units = {"main": ListUnits.of(at[order][None], TIERS[:, order], gain=gain)}
        losses.append(objective(Batch(options, units)).mean().item())
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-12)


def one(link: Callable[..., Tensor], scores: list[float], tier: list[int], gain: list[float] | None = None) -> float:
    """A link's loss of one ranking."""
    units = ListUnits.of(
        torch.arange(len(scores))[None], torch.tensor([tier]), gain=None if gain is None else torch.tensor([gain])
    )
    return link(torch.tensor([scores], dtype=torch.float64), units).item()


def test_plackett_luce_with_ties_by_hand() -> None:
    """Scores log 1, log 2, log 3, log 4: each option of a tier has the tier and what follows below the bar."""
    worth = [math.log(k) for k in (1, 2, 3, 4)]
    assert one(PlackettLuce(), worth, [0, 1, 2, 3]) == pytest.approx(-math.log(1 / 10 * 2 / 9 * 3 / 7))
    assert one(PlackettLuce(), worth, [0, 1, 1, 2]) == pytest.approx(-math.log(1 / 10 * 2 / 9 * 3 / 9))
    assert one(PlackettLuce(), worth, [0, 0, 1, 1]) == pytest.approx(-math.log(1 / 10 * 2 / 10 * 3 / 7 * 4 / 7))
    assert one(PlackettLuce(top=1), worth, [0, 1, 2, 3]) == pytest.approx(math.log(10))
    assert one(PlackettLuce(top=2), worth, [0, 1, 1, 2]) == pytest.approx(-math.log(1 / 10 * 2 / 9 * 3 / 9))


def test_two_options_are_a_pair_for_dpo() -> None:
    data = Data(2)
    pairs = PairUnits.of(torch.tensor([0, 5]), torch.tensor([1, 6]))
    lists = ListUnits.of(torch.tensor([[0, 1], [5, 6]]), gain=torch.tensor([[1.0, 0.0], [3.0, 2.0]]))
    expected = DPO(0.4)(Batch(data.scores(), {"main": pairs})).mean().item()
    for objective in (PlackettLuceDPO(0.4), PlackettLuceDPO(0.4, top=1), RankDPO(0.4, share="weights")):
        assert objective(Batch(data.scores(), {"main": lists})).mean().item() == pytest.approx(expected)
    # Davidson's probability of a tie goes to zero with nu.
    nearly = RankedPairsDPO(0.4, nu=1e-12)(Batch(data.scores(), {"main": lists})).mean().item()
    assert nearly == pytest.approx(expected)
    davidson = PRESETS["DavidsonDPO"](0.4, nu=0.6)(Batch(data.scores(), {"main": pairs})).mean().item()
    assert RankedPairsDPO(0.4, nu=0.6)(Batch(data.scores(), {"main": lists})).mean().item() == pytest.approx(davidson)


def test_pairs_of_a_tier_count_as_davidson_ties() -> None:
    a, b, c = 0.9, 0.1, -0.4
    odds = lambda d: 1 + math.exp(-d) + 0.7 * math.exp(-d / 2)  # noqa: E731
    tied = -math.log(0.7 / (0.7 + 2 * math.cosh((b - c) / 2)))
    expected = math.log(odds(a - b)) + math.log(odds(a - c)) + tied
    assert one(AllPairs(Davidson(0.7), ties=True), [a, b, c], [0, 1, 1]) == pytest.approx(expected)
    assert one(AllPairs(Davidson(0.7), ties=True, share="pairs"), [a, b, c], [0, 1, 1]) == pytest.approx(expected / 3)


def test_lambda_weights_by_hand() -> None:
    """Gains 2, 1, 0 are worth 3, 1, 0; ranks 1, 2, 3 are discounted by 1, log2 3 and 2."""
    loss = lambda d: math.log1p(math.exp(-d))  # noqa: E731
    first, second, third = 1.0, 1 / math.log2(3), 0.5
    judged = 2 * (first - second) * loss(-0.5) + 3 * (first - third) * loss(-1.0) + (second - third) * loss(-0.5)
    link = AllPairs(Logistic(), gain="lambda", ranks="judged")
    assert one(link, [0.0, 0.5, 1.0], [0, 1, 2], [2.0, 1.0, 0.0]) == pytest.approx(judged)
    model = 2 * (second - third) * loss(-0.5) + 3 * (first - third) * loss(-1.0) + (first - second) * loss(-0.5)
    link = AllPairs(Logistic(), gain="lambda", ranks="model")
    assert one(link, [0.0, 0.5, 1.0], [0, 1, 2], [2.0, 1.0, 0.0]) == pytest.approx(model)
    weights = 2 * (first - second) + 3 * (first - third) + (second - third)
    link = AllPairs(Logistic(), gain="lambda", ranks="judged", unit=10, share="weights")
    assert one(link, [0.0, 0.5, 1.0], [0, 1, 2], [20.0, 10.0, 0.0]) == pytest.approx(judged / weights)


def test_before_the_first_update_the_judged_order_breaks_the_models_ties() -> None:
    """Otherwise every discount were the same, and a policy that stands at its reference would stay there."""
    data = Data()
    leaf = data.reference.clone().requires_grad_()
    LiPO()(data.batch(leaf)).mean().backward()
    best, worst = data.option[0, 0], data.option[0, -1]
    assert leaf.grad[best] < 0 < leaf.grad[worst]


def test_normalising_by_weights_makes_the_scale_of_gains_matter_less_than_their_order() -> None:
    """Constant factors of 2 ** gain drop out: gains raised by one double every weight and leave the loss as it is."""
    scores, tiers = [0.2, -0.1, 0.5], [0, 1, 2]
    plain = AllPairs(Logistic(), gain="lambda", ranks="judged")
    shared = AllPairs(Logistic(), gain="lambda", ranks="judged", share="weights")
    low, high = [0.9, 0.5, 0.1], [1.9, 1.5, 1.1]
    assert one(plain, scores, tiers, high) == pytest.approx(2 * one(plain, scores, tiers, low), rel=1e-5)
    assert one(shared, scores, tiers, high) == pytest.approx(one(shared, scores, tiers, low), rel=1e-5)
    assert one(shared, scores, tiers, [0.5, 0.5, 0.5]) == 0


def test_gap_temperatures_by_hand() -> None:
    a, b, c = 0.2, -0.3, 0.4
    first = math.log(math.exp(3 * a) + math.exp(1 * b) + math.exp(3 * c)) - 3 * a
    second = math.log(math.exp(2 * b) + math.exp(2 * c)) - 2 * b
    assert one(GapTempered(), [a, b, c], [0, 1, 2], [3.0, 2.0, 0.0]) == pytest.approx(first + second)
    plain = one(PlackettLuce(), [a, b, c], [0, 1, 2])
    assert one(GapTempered(), [a, b, c], [0, 1, 2]) == pytest.approx(plain)
    assert one(GapTempered("one"), [a, b, c], [0, 1, 2], [3.0, 2.0, 0.0]) == pytest.approx(plain)


def test_the_aim_without_gains_is_even_over_the_best_tier() -> None:
    scores = [0.5, -1.0, 0.0]
    log_total = math.log(sum(math.exp(s) for s in scores))
    expected = log_total - (0.5 - 1.0) / 2
    assert one(SoftmaxCrossEntropy(), scores, [0, 0, 1]) == pytest.approx(expected)


def test_likelihood_of_the_best_grows_with_the_square_of_the_number_of_rivals() -> None:
    policy = torch.tensor([-3.0, -2.0, -1.0, -1.0])
    options = Scores(policy, None, torch.tensor([3.0, 2.0, 1.0, 1.0]))
    units = {"main": ListUnits.of(torch.arange(4)[None])}
    with_, without = (PRO("one", weight)(Batch(options, units)).mean().item() for weight in (0.05, 0.0))
    assert with_ - without == pytest.approx(0.05 * 9 * 3.0, rel=1e-5)
    assert without == pytest.approx(math.log(4 * 3 * 2), rel=1e-5)


def test_equal_steps_are_the_plain_log_ratio_and_a_heavy_step_counts_more() -> None:
    data = Data()
    owner, step = torch.tensor([0, 0, 0, 1]), torch.tensor([0, 0, 1, 0])
    own = torch.tensor([-1.0, -1.0, -4.0, -3.0])
    zeros = torch.zeros(4)

    def score(weight: Tensor | None) -> list[float]:
        tokens = Tokens(owner, own, zeros, step=step, weight=weight)
        return TreePO(0.5).score(Batch(Scores(zeros[:2], zeros[:2], None, tokens), {})).tolist()

    assert score(None) == pytest.approx([-3.0, -1.5])
    assert score(torch.full((4,), 1.7)) == pytest.approx([-3.0, -1.5])
    # Weights 2 and 1 of steps -2 and -4, divided by their mean.
    assert score(torch.tensor([2.0, 2.0, 1.0, 1.0])) == pytest.approx([0.5 * (-4.0 - 4.0) / 1.5, -1.5])
    data.weight = torch.ones_like(data.weight)
    lists = ListUnits.of(data.option, gain=data.units.gain)
    plain = LiPO(0.5)
    own_tokens, other = data.token_values(data.policy)
    options = replace(data.scores(), policy=torch.zeros(M * K).double().index_add(0, data.owner, own_tokens))
    options = replace(options, reference=torch.zeros(M * K).double().index_add(0, data.owner, other))
    expected = plain(Batch(options, {"main": lists})).mean().item()
    assert TreePO(0.5)(data.batch()).mean().item() == pytest.approx(expected)


def test_wrapping_the_list_loss_as_the_released_code_does_turns_its_gradient_round() -> None:
    data, objective = Data(), TreePO(0.5)
    slopes = []
    for wrapped in (False, True):
        leaf = data.reference.clone().requires_grad_()
        loss = objective(data.batch(leaf)).mean()
        loss = -torch.nn.functional.logsigmoid(0.5 * loss) if wrapped else loss
        slopes.append(torch.autograd.grad(loss, leaf)[0])
    assert torch.nn.functional.cosine_similarity(*slopes, dim=0).item() == pytest.approx(-1)


@pytest.mark.parametrize("objective", [LiPO(), RankDPO(), TreePO()], ids=["LiPO", "RankDPO", "TreePO"])
def test_missing_and_huge_gains_are_said_clearly(objective: Objective) -> None:
    data = Data()
    with pytest.raises(InputError, match="--rating"):
        objective(Batch(data.scores(), {"main": ListUnits.of(data.option)}))
    huge = replace(data.units, gain=50 * data.units.gain)
    with pytest.raises(InputError, match="unit"):
        objective(Batch(data.scores(), {"main": huge}))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: PlackettLuceDPO(top=0),
        lambda: PRO("gap"),
        lambda: LiPO(ranks="none"),
        lambda: LiPO(unit=0.0),
        lambda: RankDPO(share="all"),
        lambda: ListNetPO(temperature=0.0),
        lambda: AllPairs(Logistic(), gain="delta"),
        lambda: AllPairs(Davidson(), ties=True, gain="lambda"),
        lambda: TreePO(beta=0.0),
    ],
)
def test_settings_without_meaning_are_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(InputError):
        wrong()


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("seed", range(3))
def test_the_likelihood_of_a_ranking_is_the_mean_over_its_best_tier(seed: int, reduction: str) -> None:
    """A slow twin, over random tiers in random order with padding anywhere, and one ranking without options."""
    random = torch.Generator().manual_seed(seed)
    rows, width = 12, 5
    policy = -torch.rand(rows * width, generator=random, dtype=torch.float64)
    length = torch.randint(1, 9, (rows * width,), generator=random)
    there = torch.rand(rows, width, generator=random) < 0.7
    there[0] = False
    option = torch.randperm(rows * width, generator=random).reshape(rows, width).masked_fill(~there, -1)
    tier = torch.randint(0, 3, (rows, width), generator=random).masked_fill(~there, -1)
    units = ListUnits.of(option, tier)
    found = ChosenLikelihood(1.0, reduction)(Batch(Scores(policy, length=length), {"main": units}), units)
    for row in range(rows):
        listed = [(t, o) for t, o in zip(tier[row].tolist(), option[row].tolist(), strict=True) if o >= 0]
        best = [o for t, o in listed if t == min(t for t, _ in listed)]
        each = [-policy[o].item() / (length[o].item() if reduction == "mean" else 1) for o in best]
        assert found[row].item() == pytest.approx(sum(each) / len(each) if each else 0.0, rel=1e-12)
