"""The common ladder of presets on single options, of joint ones and of those that keep things stable."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from trl_twins import Numbers, bare
from written_formulas import execute

from llull.errors import InputError
from llull.objectives import PRESETS, Batch, ListUnits, Objective, PairUnits, Scores, SingleUnits
from llull.objectives.presets.joint import MCMDPO, RDPO, VDPO
from llull.objectives.presets.singles import BCO, KTO, PMPO, APOZeroUnpaired
from llull.objectives.presets.stability import HyPO
from llull.objectives.regularisers.values import ValueHead
from llull.objectives.structures.single import MismatchedMean, RunningMean
from llull.objectives.weights.verdicts import ByVerdict, MatchedContexts

M = 5
N = 12 * M

CASES: list[tuple[str, dict[str, object]]] = [
    ("KTO", {}),
    ("KTO", {"beta": 0.5, "desirable": 1.5, "undesirable": 0.7}),
    ("APOZeroUnpaired", {}),
    ("BCO", {}),
    ("BCO", {"matched": True}),
    ("PMPO", {}),
    ("PMPO", {"share": 0.0, "kl": 3.0}),
    ("PMPO", {"share": 1.0, "kl": 0.0}),
    ("AcceptReject", {"rejected": 0.5}),
    ("EurusReward", {"absolute": 0.5}),
    ("DOVE", {}),
    ("MAPL", {"beta": 0.4, "intra": 0.5}),
    ("C3PO", {}),
    ("RDPO", {}),
    ("RDPO", {"form": "logistic"}),
    ("RORPO", {}),
    ("MCMDPO", {"beta": 0.7}),
    ("VDPO", {"likelihood": 0.2}),
    ("VDPO", {"scale": 0.0}),
    ("FlexDPO", {"rejected": 0.02, "likelihood": 0.1}),
    ("HyPO", {"kl": 0.3}),
    ("GRACE", {"margin": 2.0}),
    ("StepDPO", {}),
    ("SVPO", {"width": 3, "order": 0.5, "margin": 0.3}),
    ("RISE", {}),
]
Case = tuple[str, dict[str, object]]


def name_of(case: Case) -> str:
    """A case's name in test reports."""
    return "-".join([case[0], *(f"{k}={v}" for k, v in case[1].items())])


ALL = pytest.mark.parametrize("case", CASES, ids=name_of)


def made(case: Case) -> Objective:
    """The case's objective in float64, with whatever it learns drawn alike every time."""
    torch.manual_seed(0)
    return PRESETS[case[0]](**case[1]).double()


class Data:
    """Random scores of N options; unit i of every kind has options of its own."""

    def __init__(self, seed: int = 0) -> None:
        random = torch.Generator().manual_seed(seed)
        draw = lambda *shape: torch.randn(*shape, generator=random, dtype=torch.float64)  # noqa: E731
        self.policy = -1 - 3 * draw(N).abs()
        self.reference = self.policy + draw(N)
        self.length = torch.randint(1, 6, (N,), generator=random)
        self.hidden = draw(N, 3)
        self.columns = {"context_features": draw(N, 2), "context": torch.arange(N) // 2 % 3, "value": draw(N).tanh()}
        self.accept = torch.tensor([1.0, 0.0, 1.0, 0.0, 0.0])
        at = torch.arange(M)
        self.singles = SingleUnits.of(at, self.accept)
        self.pairs = PairUnits.of(at, M + at)
        self.lists = ListUnits.of(torch.stack([k * M + at for k in range(8)], 1))
        beside = SingleUnits.of(8 * M + at)
        names = ("mismatched", "reference_samples", "samples", "rationale", "keep_near", "keep_general")
        self.beside = dict.fromkeys(names, beside) | {
            "intra": PairUnits.of(2 * M + at, 3 * M + at),
            "inter": ListUnits.of(torch.stack([k * M + at for k in range(4)], 1)),
            "separate": PairUnits.of(4 * M + at, 5 * M + at),
            "gather": PairUnits.of(6 * M + at, 7 * M + at),
        }

    def main(self, objective: Objective) -> SingleUnits | PairUnits | ListUnits:
        """The main units of the objective's kind."""
        return {"singles": self.singles, "pairs": self.pairs, "lists": self.lists}[objective.kind]

    def batch(self, objective: Objective, policy: Tensor | None = None, rows: Tensor | None = None) -> Batch:
        """These rows of all units."""
        rows = torch.arange(M) if rows is None else rows
        policy = self.policy if policy is None else policy
        options = Scores(policy, self.reference, self.length, None, self.hidden, self.columns)
        units = {"main": self.main(objective), **self.beside}
        return Batch(options, {name: unit.select(rows) for name, unit in units.items()})

    def begun(self, objective: Objective) -> Objective:
        """After the data set at the reference, one window, and the survey of the next."""
        objective.begin(self.batch(objective, self.reference))
        for _ in range(2):
            objective.settle(objective.survey(self.batch(objective)))
            objective.update(dict(objective(self.batch(objective)).noted))
        objective.settle(objective.survey(self.batch(objective)))
        return objective

    def facts(self, objective: Objective, i: int) -> dict[str, object]:
        """What formulas may name."""
        known: dict[str, object] = {
            "w": i,
            "l": M + i,
            "o": [k * M + i for k in range(8)] if objective.kind == "lists" else i,
            "K": 8,
            "accepted": self.accept[i].item(),
            "accepted_share": self.accept.mean().item(),
            "policy": lambda y: self.policy[y].item(),
            "reference": lambda y: self.reference[y].item(),
            "length": lambda y: float(self.length[y]),
            "distance": lambda pair: math.dist(*(self.hidden[y].tolist() for y in pair)),
        }
        for part in objective.regularisers:
            if isinstance(part, ValueHead):
                known["V"] = lambda y, part=part: part.values(self.hidden[y : y + 1]).item()
                known["value"] = lambda y: self.columns["value"][y].item()
        for name, unit in self.beside.items():
            options = unit.options[i].tolist()
            known[name] = options[0] if isinstance(unit, SingleUnits) else options
        if isinstance(getattr(objective.structure, "point", None), MismatchedMean):
            beta = objective.score.beta
            known["point"] = max(0.0, beta * sum((self.policy - self.reference)[8 * M : 9 * M].tolist()) / M)
        elif isinstance(getattr(objective.structure, "point", None), RunningMean):
            known["point"] = objective.score.beta * sum((self.policy - self.reference)[:M].tolist()) / M
        for weight in objective.weights:
            if isinstance(weight, MatchedContexts):
                known["acceptable"] = lambda y, weight=weight: self.acceptable(weight, y)
        return known

    def acceptable(self, weight: MatchedContexts, y: int) -> float:
        """The fitted probability of an option's context, in plain floats."""
        *slopes, constant = weight.coefficient.tolist()
        features = self.columns["context_features"][y].tolist()
        return 1 / (1 + math.exp(-sum(a * x for a, x in zip(slopes, features, strict=True)) - constant))


@ALL
def test_the_written_formula_executed_gives_the_loss(case: Case) -> None:
    data = Data()
    objective = data.begun(made(case))
    expected = sum(execute(objective.formula(), data.facts(objective, i)) for i in range(M)) / M
    assert objective(data.batch(objective)).mean().item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("case", [case for case in CASES if case[0] != "HyPO"], ids=name_of)
def test_gradients_agree_with_finite_differences(case: Case) -> None:
    data = Data(1)
    objective = data.begun(made(case))
    leaf = data.policy.clone().requires_grad_()
    loss: Callable[[Tensor], Tensor] = lambda policy: objective(data.batch(objective, policy)).mean()  # noqa: E731
    assert torch.autograd.gradcheck(loss, (leaf,), atol=1e-6)


@ALL
def test_extreme_log_probabilities_keep_loss_and_gradient_finite(case: Case) -> None:
    data = Data()
    objective = data.begun(made(case))
    far = torch.tensor([-1e4, -1.0, -2e3, -1e3]).double().repeat(N // 4).requires_grad_()
    data.reference = torch.tensor([-9e3, -1001.0, -1e3, -2e3]).double().repeat(N // 4)
    loss = objective(data.batch(objective, far)).mean()
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(far.grad).all()


@ALL
def test_nothing_loses_nothing_and_equal_policies_are_finite(case: Case) -> None:
    data = Data()
    objective = data.begun(made(case))
    nothing = objective(data.batch(objective, rows=torch.empty(0, dtype=torch.long)))
    assert nothing.mean().item() == 0
    weightless = data.batch(objective)
    units = {name: replace(unit, weight=torch.zeros(M)) for name, unit in weightless.units.items()}
    assert objective(Batch(weightless.options, units)).mean().item() == 0
    assert torch.isfinite(objective(data.batch(objective, data.reference)).mean())


@ALL
def test_order_cuts_and_twins_do_not_matter(case: Case) -> None:
    data = Data()
    objective = data.begun(made(case))
    whole = objective(data.batch(objective))
    shuffled = objective(data.batch(objective, rows=torch.tensor([3, 0, 4, 2, 1])))
    assert shuffled.mean().item() == pytest.approx(whole.mean().item(), rel=1e-10)
    cuts = [data.batch(objective, rows=torch.tensor(rows)) for rows in ([0, 3], [1, 4, 2])]
    parts = [objective(cut) for cut in cuts]
    for name, term in whole.terms.items():
        assert sum(part.terms[name].total for part in parts).item() == pytest.approx(term.total.item(), rel=1e-9)
        assert sum(part.terms[name].count for part in parts).item() == term.count.item()
    for name, value in whole.noted.items():
        assert sum(part.noted[name] for part in parts).item() == pytest.approx(value.item(), rel=1e-9)
    surveyed = [objective.survey(cut) for cut in cuts]
    for name, value in objective.survey(data.batch(objective)).items():
        assert sum(part[name] for part in surveyed).item() == pytest.approx(value.item(), rel=1e-9)
    twice = objective(data.batch(objective, rows=torch.tensor([0, 1, 1, 2])))
    once = data.batch(objective, rows=torch.tensor([0, 1, 2]))
    heavy = {name: replace(u, weight=torch.tensor([1.0, 2.0, 1.0])) for name, u in once.units.items()}
    assert objective(Batch(once.options, heavy)).mean().item() == pytest.approx(twice.mean().item(), rel=1e-9)


def test_values_by_hand() -> None:
    options = Scores(torch.tensor([-1.0, -4.0, -2.0]), torch.tensor([-2.0, -2.0, -4.0]))
    units = {"main": SingleUnits.of(torch.tensor([0, 1]), torch.tensor([1.0, 0.0]))}
    sigmoid = lambda x: 1 / (1 + math.exp(-x))  # noqa: E731
    apo = (1 - sigmoid(1) + sigmoid(-2)) / 2
    assert APOZeroUnpaired(1.0)(Batch(options, units)).mean().item() == pytest.approx(apo, rel=1e-6)
    kto = KTO(1.0)
    batch = Batch(options, units | {"mismatched": SingleUnits.of(torch.tensor([2]))})
    kto.settle(kto.survey(batch))
    assert kto(batch).mean().item() == pytest.approx((1 - sigmoid(1 - 2) + sigmoid(-2 - 2)) / 2, rel=1e-6)
    bco = BCO(1.0)
    bco.update(dict(bco(Batch(options, units)).noted))
    assert bco.structure.point.value.item() == pytest.approx(-0.5)
    expected = (-math.log(sigmoid(1.5)) - math.log(sigmoid(1.5))) / 2
    assert bco(Batch(options, units)).mean().item() == pytest.approx(expected, rel=1e-6)


def test_the_shift_of_bco_is_the_mean_of_all_rewards_seen() -> None:
    objective, seen = BCO(0.3), []
    for seed in range(4):
        data = Data(seed)
        objective.update(dict(objective(data.batch(objective)).noted))
        seen += (0.3 * (data.policy - data.reference))[:M].tolist()
        assert objective.structure.point.value.item() == pytest.approx(sum(seen) / len(seen), abs=1e-6)


def test_matched_contexts_weigh_rejected_options_by_clamped_odds() -> None:
    data, weight = Data(3), MatchedContexts()
    objective = BCO(0.1, matched=True)
    batch = data.batch(objective)
    weight.begin(batch)
    p = weight.probability(batch)[:M]
    x = torch.cat([data.columns["context_features"][:M], torch.ones(M, 1)], 1).double()
    balance = torch.where(data.accept == 1, M / (2 * 2), M / (2 * 3))
    slope = x.T @ (balance * (p - data.accept)) + torch.tensor([1.0, 1.0, 0.0]) * weight.coefficient
    assert slope.abs().max() < 1e-6
    expected = torch.where(data.accept == 1, 1.0, (p / (1 - p)).clamp(0.5, 10))
    outcome = SimpleNamespace(losses=torch.zeros(M, dtype=torch.float64))
    torch.testing.assert_close(weight(batch, outcome), expected)


def test_even_verdicts_do_not_depend_on_their_numbers() -> None:
    weight = ByVerdict(0.5, 0.5, even=True)
    accept = torch.tensor([1.0] * 10 + [0.0])
    batch = Batch(Scores(torch.zeros(11)), {"main": SingleUnits.of(torch.arange(11), accept)})
    weight.begin(batch)
    factor = weight(batch, SimpleNamespace(losses=torch.zeros(11))) / 11
    assert factor[:10].sum().item() == pytest.approx(0.5)
    assert factor[10].item() == pytest.approx(0.5)


def test_the_leave_one_out_gradient_stops_at_the_coefficients() -> None:
    policy = torch.tensor([-1.0, -2.0, -3.0, -0.5], requires_grad=True)
    options = Scores(policy, torch.tensor([-2.0, -2.0, -1.0, -3.0]), columns={"context": torch.tensor([0, 0, 0, 1])})
    units = {"main": PairUnits.of(torch.empty(0).long(), torch.empty(0).long())}
    HyPO(0.1, 1.0)(Batch(options, units | {"samples": SingleUnits.of(torch.arange(4))})).mean().backward()
    ratio = [1.0, 0.0, -2.0]
    expected = [(r - (sum(ratio) - r) / 2) / 4 for r in ratio] + [2.5 / 4]
    assert policy.grad.tolist() == pytest.approx(expected)


@pytest.mark.parametrize("loss_type", ["kto", "apo_zero_unpaired"])
@pytest.mark.parametrize("raised", [1.0, -1.0])
def test_losses_of_the_kto_trainer(loss_type: str, raised: float) -> None:
    """Theirs is called on given token log-probabilities; the reference point is above zero once, below once."""
    trl = pytest.importorskip("trl")
    random = torch.Generator().manual_seed(4)
    rows, t = 6, 4
    leaf = -2 * torch.rand(rows, t, generator=random)
    reference = leaf + torch.randn(rows, t, generator=random)
    beside = -2 * torch.rand(rows, t, generator=random)
    beside_reference = beside - raised * torch.rand(rows, t, generator=random)
    accept = torch.tensor([True, False, True, True, False, False])

    class Switching(Numbers):
        def forward(self, *_: object, labels: Tensor, **__: object) -> SimpleNamespace:
            given = self.outputs.mismatched if labels[0, 0] == 7 else self.outputs.own
            quiet = torch.zeros(rows, t)
            return SimpleNamespace(log_probs=given, entropy=quiet, mean_logits=quiet)

    results = []
    for side in ("theirs", "ours"):
        own = leaf.clone().requires_grad_()
        if side == "theirs":
            model = Switching(own=own, mismatched=beside)
            settings = {"beta": 0.5, "loss_type": loss_type, "calculate_KL": loss_type == "kto", "model": model}
            settings |= {"ref_model": Switching(own=reference, mismatched=beside_reference)}
            settings |= {"desirable_weight": 1.5, "undesirable_weight": 0.5, "precompute_ref_logps": False}
            settings |= {"args": SimpleNamespace(gradient_checkpointing_kwargs=None)}
            ids = torch.ones(rows, t + 1, dtype=torch.long)
            inputs = {"input_ids": ids, "attention_mask": ids, "completion_mask": ids, "label": accept}
            inputs |= {"KL_input_ids": 7 * ids, "KL_attention_mask": ids, "KL_completion_mask": ids}
            loss = bare(trl.KTOTrainer, **settings)._compute_loss(model, inputs, False)
        else:
            preset = KTO if loss_type == "kto" else APOZeroUnpaired
            objective = preset(0.5, desirable=1.5, undesirable=0.5)
            policy = torch.cat([own.sum(1), beside.sum(1)])
            options = Scores(policy, torch.cat([reference.sum(1), beside_reference.sum(1)]))
            mismatched = SingleUnits.of(rows + torch.arange(rows))
            units = {"main": SingleUnits.of(torch.arange(rows), accept.float()), "mismatched": mismatched}
            objective.settle(objective.survey(Batch(options, units)))
            loss = objective(Batch(options, units)).mean()
        loss.backward()
        results.append((loss.item(), own.grad))
    assert results[1][0] == pytest.approx(results[0][0], rel=1e-5)
    torch.testing.assert_close(results[1][1], results[0][1], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: PMPO(0.0, 1.0),
        lambda: PMPO(0.0, 0.0),
        lambda: PMPO(2.0),
        lambda: RDPO(form="sum"),
        lambda: VDPO(scale=-1.0),
        lambda: MCMDPO(weights=()),
        lambda: KTO(desirable=-1.0),
        lambda: MatchedContexts(ridge=0.0),
    ],
)
def test_settings_without_meaning_are_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(InputError):
        wrong()
