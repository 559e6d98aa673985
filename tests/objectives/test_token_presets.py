"""Objectives that look inside options: formula twins, gradients, extremes, invariances, sparsity."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from written_formulas import execute

from llull.errors import InputError
from llull.objectives import DPO, PRESETS, Batch, Objective, PairUnits, Scores, SingleUnits, Tokens
from llull.objectives.presets.tokens import TDPO, SparsePO, WeightedTokenDPO
from llull.objectives.scores.masks import LearnedMask

M = 4
CASES: list[tuple[str, dict[str, object]]] = [
    ("TDPO", {}),
    ("TDPO", {"version": 1}),
    ("WeightedTokenDPO", {}),
    ("WeightedTokenDPO", {"normalised": True}),
    ("SparsePO", {"width": 3, "sparsity": 0.1}),
    ("SparsePO", {"width": 3, "common": False, "floor": 0.2, "sparsity": 0.1}),
    ("SparsePO", {"mask": "activation"}),
    ("AlignDistil", {}),
    ("C3PO", {"distilled": 0.4}),
    ("C3PO", {"distilled": 1.0, "near": 0.3}),
    ("Robust2DDPO", {"segments": 2}),
    ("Robust2DDPO", {"segments": 5, "flips": 0.2, "largest": 1.0}),
    ("Robust2DDPO", {"segments": 1, "variance": 0.3, "largest": 1.0}),
]
Case = tuple[str, dict[str, object]]
ALL = pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join([case[0], *map(str, case[1].values())]))


def made(case: Case) -> Objective:
    """The objective in float64, its masks drawn at random."""
    objective = PRESETS[case[0]](**case[1]).double()
    random = torch.Generator().manual_seed(5)
    for parameter in objective.parameters():
        parameter.data = parameter.data + 0.5 * torch.randn(parameter.shape, generator=random, dtype=torch.float64)
    return objective


class Inside:
    """2 M options of 2 to 5 tokens; divergences are functions of log-probabilities, with a slope."""

    def __init__(self, seed: int = 0) -> None:
        random = torch.Generator().manual_seed(seed)
        length = torch.randint(2, 6, (2 * M,), generator=random)
        self.option = torch.repeat_interleave(torch.arange(2 * M), length)
        t = len(self.option)
        self.policy = -0.1 - 2 * torch.rand(t, generator=random, dtype=torch.float64)
        self.reference = self.policy + 0.5 * torch.randn(t, generator=random, dtype=torch.float64)
        self.weight = torch.rand(t, generator=random, dtype=torch.float64)
        # Segments of an option: every second token begins one, and their worth is that of all their tokens.
        start = torch.cumsum(length, 0) - length
        self.step = (torch.arange(t) - start[self.option]) // 2
        self.state = torch.randn(t, 3, generator=random, dtype=torch.float64)
        self.pairs = PairUnits.of(torch.arange(M), M + torch.arange(M))

    def batch(self, objective: Objective, policy: Tensor | None = None, rows: Tensor | None = None) -> Batch:
        """These rows of the units."""
        policy = self.policy if policy is None else policy
        divergence = (policy - self.reference) ** 2
        tokens = Tokens(
            self.option,
            policy,
            self.reference,
            divergence=divergence,
            weight=self.weight,
            state=self.state,
            step=self.step,
        )
        total = [tokens.per_option(x, 2 * M) for x in (policy, self.reference)]
        length = torch.bincount(self.option, minlength=2 * M)
        kept = SingleUnits.of(M + torch.arange(M))
        units = self.pairs if objective.kind == "pairs" else SingleUnits.of(torch.arange(M))
        named = {"main": units, "keep_near": kept, "keep_general": kept}
        if rows is not None:
            named = {name: unit.select(rows) for name, unit in named.items()}
        return Batch(Scores(total[0], total[1], length, tokens), named)

    def of(self, values: Tensor, y: object) -> float:
        """The sum over an option's tokens, or over those of a segment (option, number)."""
        if isinstance(y, tuple):
            return values[(self.option == y[0]) & (self.step == y[1])].sum().item()
        return values[self.option == y].sum().item()

    def facts(self, objective: Objective, i: int) -> dict[str, object]:
        """What formulas may name."""
        ratio = self.policy - self.reference
        batch = self.batch(objective)
        masks: dict[str, Tensor] = {}
        if hasattr(objective.score, "mask"):
            masks = {"u": objective.score.mask(batch).detach(), "v": objective.score.drift_mask(batch).detach()}
        lists = lambda y, *columns: list(zip(*(c[self.option == y].tolist() for c in columns), strict=True))  # noqa: E731
        return {
            "w": i,
            "l": M + i,
            "o": i,
            "accepted": 1.0,
            "policy": lambda y: self.of(self.policy, y),
            "keep_near": M + i,
            "keep_general": M + i,
            "segments": lambda y: [(y, k) for k in sorted(set(self.step[self.option == y].tolist()))],
            "worth": lambda y: self.of(self.weight, y) / self.of(torch.ones_like(self.weight), y),
            "reference": lambda y: self.of(self.reference, y),
            "length": lambda y: float((self.option == y).sum()),
            "divergence": lambda y: (ratio**2)[self.option == y].sum().item(),
            "tokens": lambda y: lists(y, self.weight, ratio),
            "divergences": lambda y: lists(y, self.weight, ratio**2),
            "masked": lambda y: lists(y, masks["u"], ratio, masks["v"], ratio**2),
            "mask": lambda y: masks["u"][self.option == y].mean().item(),
        }


@ALL
def test_the_written_formula_executed_gives_the_loss(case: Case) -> None:
    data, objective = Inside(), made(case)
    formula = objective.formula()
    if case[1].get("common") is False:
        lines = formula.splitlines()
        formula = "\n".join([*lines[:-1], lines[-1].replace("mask(", "drift_mask(")])
    expected = 0.0
    for i in range(M):
        known = data.facts(objective, i)
        if hasattr(objective.score, "drift_mask"):
            drift = objective.score.drift_mask(data.batch(objective)).detach()
            known["drift_mask"] = lambda y, drift=drift: drift[data.option == y].mean().item()
        expected += execute(formula, known) / M
    assert objective(data.batch(objective)).mean().item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("case", [case for case in CASES if case != ("TDPO", {})], ids=str)
def test_gradients_agree_with_finite_differences(case: Case) -> None:
    data, objective = Inside(1), made(case)
    leaf = data.policy.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda policy: objective(data.batch(objective, policy)).mean(), (leaf,))


def test_the_second_version_stops_the_chosen_divergence() -> None:
    data, first, second = Inside(), TDPO(0.5, version=1), TDPO(0.5, 1.0, version=2)
    slopes = []
    for objective in (first, second):
        leaf = data.policy.clone().requires_grad_()
        loss = objective(data.batch(objective, leaf)).mean()
        slopes.append((loss.item(), *torch.autograd.grad(loss, leaf)))
    rejected = data.option >= M
    assert slopes[0][0] == pytest.approx(slopes[1][0])
    torch.testing.assert_close(slopes[0][1][rejected], slopes[1][1][rejected])
    ratio = data.policy - data.reference
    # With h + h ** 2 in the first and h alone in the second, slopes differ by the factor 1 + 2 h.
    torch.testing.assert_close(slopes[0][1][~rejected], ((1 + 2 * ratio) * slopes[1][1])[~rejected])


@ALL
def test_extremes_nothing_order_cuts_and_twins(case: Case) -> None:
    data, objective = Inside(), made(case)
    far = torch.where(torch.arange(len(data.policy)) % 2 == 0, -1e4, -1.0).double().requires_grad_()
    loss = objective(data.batch(objective, far)).mean()
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(far.grad).all()
    assert objective(data.batch(objective, rows=torch.empty(0).long())).mean().item() == 0
    whole = objective(data.batch(objective))
    cuts = [objective(data.batch(objective, rows=torch.tensor(rows))) for rows in ([3, 1], [0, 2])]
    for name, term in whole.terms.items():
        assert sum(cut.terms[name].total for cut in cuts).item() == pytest.approx(term.total.item(), rel=1e-9)
    twice = objective(data.batch(objective, rows=torch.tensor([0, 1, 1]))).mean().item()
    once = data.batch(objective, rows=torch.tensor([0, 1]))
    heavy = {name: replace(unit, weight=torch.tensor([1.0, 2.0])) for name, unit in once.units.items()}
    assert objective(Batch(once.options, heavy)).mean().item() == pytest.approx(twice, rel=1e-9)


def test_equal_weights_and_no_divergence_are_dpo() -> None:
    data = Inside()
    data.weight = torch.ones_like(data.weight)
    plain = DPO(0.3)(data.batch(DPO())).mean().item()
    for objective in (WeightedTokenDPO(0.3), TDPO(0.3, 0.0), WeightedTokenDPO(0.3, normalised=True)):
        assert objective(data.batch(objective)).mean().item() == pytest.approx(plain)


def test_what_masks_learn_has_the_gradient_of_finite_differences() -> None:
    data, objective = Inside(), made(CASES[5])
    for parameter in objective.parameters():
        (slope,) = torch.autograd.grad(objective(data.batch(objective)).mean(), parameter)
        ends = []
        for step in (1e-5, -2e-5):
            parameter.data += step
            ends.append(objective(data.batch(objective)).mean().item())
        parameter.data += 1e-5
        assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(slope.sum().item(), abs=1e-6)


MORE = (
    lambda: PRESETS["C3PO"](distilled=1.5),
    lambda: PRESETS["Robust2DDPO"](segments=0),
    lambda: PRESETS["Robust2DDPO"](variance=-1.0),
    lambda: PRESETS["Robust2DDPO"](flips=0.5),
)


def test_settings_without_meaning_are_refused() -> None:
    for wrong in (lambda: TDPO(version=3), lambda: SparsePO(mask="none"), lambda: LearnedMask(2, start=0.0), *MORE):
        with pytest.raises(InputError):
            wrong()
