"""The common ladder of every preset on pairs: formula twin, gradients, extremes, nothing, invariances, step 0."""

from __future__ import annotations

import inspect

import pytest
import torch
from pair_cases import M, RandomBatch, cases, made, name_of, presets
from written_formulas import execute

from llull.objectives import PRESETS, Batch, Objective, PairUnits
from llull.objectives.structures.transport import Transport

CASES = pytest.mark.parametrize("case", cases(), ids=name_of)

NOT_A_GRADIENT = {
    "WPO": "its weight depends on the policy and carries no gradient",
    "LCPO": "its belief depends on the policy and carries no gradient",
    "AOTUnpaired": "each rank is met from both sides, with half the value and the whole gradient of either",
}
"""Presets whose gradient is, as published, not that of the number they return."""

Case = tuple[str, dict[str, object]]


def facts(data: RandomBatch, objective: Objective, i: int) -> dict[str, object]:
    """What a formula may name, in plain floats, for pair i."""
    options = data.scores()
    rows = [data.option == y for y in range(3 * M)]
    w, l, beside = 2 * i, 2 * i + 1, 2 * M + i  # noqa: E741
    column = {name: values.tolist() for name, values in data.columns.items()}
    known: dict[str, object] = {
        "w": w,
        "l": l,
        "p": data.units.preferred[i].item(),
        "strength": data.units.strength[i].item(),
        "gold": beside,
        "calibration": beside,
        "degraded_chosen": beside,
        "degraded_rejected": beside,
        "policy": lambda y: options.policy[y].item(),
        "reference": lambda y: options.reference[y].item(),
        "length": lambda y: float(rows[y].sum()),
        "concentration": lambda y: data.concentration[rows[y]].sum().item(),
        "until": lambda y, k: (data.policy - data.reference)[rows[y]][: int(k)].sum().item(),
        **{name: (lambda y, values=values: values[y]) for name, values in column.items()},
    }
    belief = objective.belief
    if hasattr(belief, "eta"):
        known["eta"] = belief.eta[int(data.units.annotator[i])].item()
    for weight in objective.weights:
        if hasattr(weight, "share"):
            group = int(data.units.group[i])
            known |= {"group_weight": weight.share[group].item(), "all_units": M, "group_units": (4, 2)[group]}
    if isinstance(objective.structure, Transport):
        known |= ranked(data, objective, i)
    return known


def ranked(data: RandomBatch, objective: Objective, i: int) -> dict[str, object]:
    """Values of equal rank, by sorting in plain Python; the table holds the batch's own values after one window."""
    beta, options = objective.score.beta, data.scores()
    worth = {
        "policy": (beta * options.policy).tolist(),
        "reference": (beta * options.reference).tolist(),
        "ratio": (beta * options.ratio).tolist(),
    }

    def at(own: list[float], other: list[float]) -> object:
        others = own[:i] + own[i + 1 :]
        return lambda value: sorted(other)[sum(one < value for one in others)]

    gaps = {k: [worth[k][2 * j] - worth[k][2 * j + 1] for j in range(M)] for k in ("policy", "reference")}
    chosen, rejected = worth["ratio"][0 : 2 * M : 2], worth["ratio"][1 : 2 * M : 2]
    return {
        "reference_gap": gaps["reference"][i],
        "reference_at": at(gaps["policy"], gaps["reference"]),
        "rejected_at": at(chosen, rejected),
        "chosen_at": at(rejected, chosen),
    }


@CASES
def test_the_written_formula_executed_gives_the_loss(case: Case) -> None:
    data = RandomBatch()
    objective = data.begun(made(case))
    formula = objective.formula()
    for which, head in enumerate(part for part in objective.regularisers if hasattr(part, "head")):
        formula = formula.replace(f"degree_probability({head.of})", f"degree_probability_{which}({head.of})")
    expected = 0.0
    for i in range(M):
        known = facts(data, objective, i)
        for which, part in enumerate(part for part in objective.regularisers if hasattr(part, "head")):
            known[f"degree_probability_{which}"] = lambda y, part=part: torch.softmax(
                part.head.linear.weight @ data.hidden[y] + part.head.linear.bias, 0
            )[data.columns["degree"][y]].item()
        expected += execute(formula, known) / M
    assert objective(data.batch()).mean().item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("case", [case for case in cases() if case[0] not in NOT_A_GRADIENT], ids=name_of)
def test_gradients_agree_with_finite_differences(case: Case) -> None:
    data = RandomBatch(seed=1)
    objective = data.begun(made(case))
    leaf = data.policy.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda policy: objective(data.batch(policy)).mean(), (leaf,), atol=1e-6)


@CASES
def test_what_is_learned_has_the_gradient_of_finite_differences(case: Case) -> None:
    data = RandomBatch(seed=2)
    objective = data.begun(made(case))
    for parameter in [p for p in objective.parameters() if p.requires_grad]:
        loss = objective(data.batch()).mean()
        (slope,) = torch.autograd.grad(loss, parameter)
        direction = torch.ones_like(parameter)
        with torch.no_grad():
            ends = []
            for step in (1e-5, -2e-5):
                parameter += step * direction
                ends.append(objective(data.batch()).mean())
            parameter += 1e-5 * direction
        assert ((ends[0] - ends[1]) / 2e-5).item() == pytest.approx(slope.sum().item(), abs=1e-6)


@CASES
def test_extreme_log_probabilities_keep_loss_and_gradient_finite(case: Case) -> None:
    data = RandomBatch()
    objective = data.begun(made(case)).float()
    batch = data.far()
    loss = objective(batch).mean()
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(batch.options.policy.grad).all()


@CASES
def test_no_units_and_weightless_units_lose_nothing(case: Case) -> None:
    data = RandomBatch()
    objective = data.begun(made(case))
    for units in (data.units.select(torch.empty(0, dtype=torch.long)), data.units.select(torch.arange(M))):
        object.__setattr__(units, "weight", torch.zeros(len(units)))
        losses = objective(data.alone(units))
        assert losses.mean().item() == 0
        objective.update(dict(losses.noted))
    assert torch.isfinite(objective(data.batch()).mean())


@CASES
def test_the_order_of_pairs_does_not_matter(case: Case) -> None:
    data = RandomBatch()
    objective = data.begun(made(case))
    shuffled = data.units.select(torch.tensor([3, 0, 5, 1, 4, 2]))
    losses = [objective(data.batch(units=units)).mean().item() for units in (data.units, shuffled)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)


@CASES
def test_a_pair_seen_twice_is_a_pair_of_weight_two(case: Case) -> None:
    data = RandomBatch()
    objective = data.begun(made(case))
    twice = data.units.select(torch.tensor([0, 1, 1, 2, 2, 3]))
    weighted = data.units.select(torch.tensor([0, 1, 2, 3]))
    object.__setattr__(weighted, "weight", torch.tensor([1.0, 2.0, 2.0, 1.0]))
    losses = [objective(data.batch(units=units)) for units in (twice, weighted)]
    assert losses[0].mean().item() == pytest.approx(losses[1].mean().item(), rel=1e-12)
    for name in set(losses[0].noted) - {"transport_first", "transport_second", "transport_seen"}:
        torch.testing.assert_close(losses[0].noted[name], losses[1].noted[name])


@CASES
def test_sums_counts_and_memories_do_not_depend_on_the_cut(case: Case) -> None:
    data = RandomBatch()
    objective = data.begun(made(case))
    cuts = [data.units.select(torch.tensor(which)) for which in ([0, 4], [1, 2, 3, 5])]
    surveys = [objective.survey(data.alone(cut)) for cut in cuts]
    whole_survey = objective.survey(data.alone(data.units))
    for name in whole_survey:
        torch.testing.assert_close(surveys[0][name] + surveys[1][name], whole_survey[name])
    whole, parts = objective(data.alone(data.units)), [objective(data.alone(cut)) for cut in cuts]
    for name, term in whole.terms.items():
        total = sum(part.terms[name].total for part in parts)
        assert total.item() == pytest.approx(term.total.item(), rel=1e-12)
        assert sum(part.terms[name].count for part in parts).item() == term.count.item()
    for name in whole.noted:
        torch.testing.assert_close(parts[0].noted[name] + parts[1].noted[name], whole.noted[name])


@CASES
def test_at_the_first_step_loss_and_gradient_are_finite(case: Case) -> None:
    data = RandomBatch()
    objective = made(case)
    objective.begin(data.batch(data.reference))
    objective.settle(objective.survey(data.batch(data.reference)))
    leaf = data.reference.clone().requires_grad_()
    loss = objective(data.batch(leaf)).mean()
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(leaf.grad).all()


@CASES
def test_what_a_preset_needs_is_what_it_asks_for(case: Case) -> None:
    data = RandomBatch()
    objective = data.begun(made(case))
    needs, options = objective.needs, data.scores()
    tokens = None
    if needs.tokens:
        tokens = options.tokens
        object.__setattr__(tokens, "concentration", data.concentration if needs.concentration else None)
    object.__setattr__(options, "tokens", tokens)
    object.__setattr__(options, "reference", options.reference if needs.reference else None)
    object.__setattr__(options, "hidden", data.hidden if needs.hidden else None)
    object.__setattr__(options, "columns", {name: data.columns[name] for name in needs.columns})
    named = {name: data.beside[name] for name in data.beside if name in needs.units or name == "gold"}
    bare = Batch(options, {"main": data.units, **named})
    assert objective(bare).mean().item() == pytest.approx(objective(data.batch()).mean().item(), rel=1e-12)


@pytest.mark.parametrize("name", list(presets()))
def test_a_preset_is_listed_sourced_and_documented(name: str) -> None:
    preset = PRESETS[name]
    assert preset.source
    documented = inspect.getdoc(preset)
    assert "Axes:" in documented
    for argument, of in inspect.signature(preset).parameters.items():
        assert of.default is not inspect.Parameter.empty
        assert f"{argument}:" in documented


def test_learning_from_pairs_weighted_by_the_policy_has_the_gradient_of_a_constant_weight() -> None:
    data = RandomBatch()
    leaf = data.policy.clone().requires_grad_()
    objective = made(("WPO", {}))
    (slope,) = torch.autograd.grad(objective(data.batch(leaf)).mean(), leaf)
    plain = leaf.detach().clone().requires_grad_()
    mean = [(data.policy - data.concentration)[data.option == y].mean() for y in range(2 * M)]
    factor = torch.stack([torch.exp(mean[2 * i] + mean[2 * i + 1]) for i in range(M)])
    options = data.scores(plain)
    gap = 0.1 * (options.ratio[data.units.chosen] - options.ratio[data.units.rejected])
    (factor * -torch.nn.functional.logsigmoid(gap)).mean().backward()
    torch.testing.assert_close(slope, plain.grad)


@pytest.mark.parametrize("inner", ["dpo", "ipo", "simpo", "cpo"])
def test_a_learned_belief_has_the_gradient_of_a_constant_one(inner: str) -> None:
    data = RandomBatch()
    leaf = data.policy.clone().requires_grad_()
    objective = data.begun(made(("LCPO", {"inner": inner})))
    (slope,) = torch.autograd.grad(objective(data.batch(leaf)).mean(), leaf)
    plain = leaf.detach().clone().requires_grad_()
    batch = data.batch(plain)
    chosen, rejected = objective.score.pair(batch, data.units)
    straight, turned = objective.link(chosen, rejected), objective.link(rejected, chosen)
    p, eta = torch.sigmoid(turned - straight).detach(), objective.belief.eta[data.units.annotator]
    share = p * eta / (p * eta + (1 - p) * (1 - eta))
    loss = (share * straight + (1 - share) * turned).mean()
    if inner == "cpo":
        loss = loss - (batch.options.policy / batch.options.lengths)[data.units.chosen].mean()
    loss.backward()
    torch.testing.assert_close(slope, plain.grad)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_tokens_beyond_the_shared_length_pull_alpha_times_as_hard(alpha: float) -> None:
    data = RandomBatch()
    leaf = data.policy.clone().requires_grad_()
    made(("LDDPO", {"alpha": alpha}))(data.batch(leaf)).mean().backward()
    for pair in range(len(data.units)):
        rows = [torch.nonzero(data.option == 2 * pair + side).squeeze(1) for side in (0, 1)]
        shared = min(len(row) for row in rows)
        for row in rows:
            pull = leaf.grad[row]
            assert torch.allclose(pull[:shared], pull[0])
            assert torch.allclose(pull[shared:], alpha * pull[0])


def test_with_alpha_one_it_is_dpo() -> None:
    data = RandomBatch()
    whole = made(("DPO", {}))(data.batch()).mean().item()
    assert made(("LDDPO", {"alpha": 1.0}))(data.batch()).mean().item() == pytest.approx(whole, rel=1e-12)


def test_mapo_without_its_margin_is_training_on_the_chosen() -> None:
    data = RandomBatch()
    options = data.scores()
    likelihood = -(options.policy / options.lengths)[data.units.chosen].mean().item()
    assert made(("MaPO", {"beta": 0.0}))(data.batch()).mean().item() == pytest.approx(likelihood, rel=1e-12)


def test_a_pair_of_unknown_strength_has_no_margin_and_weight_one() -> None:
    data = RandomBatch()
    columns = {"strength": torch.full((M,), torch.nan, dtype=torch.float64)}
    unknown = PairUnits.of(data.units.chosen, data.units.rejected, **columns)
    plain = made(("DPO", {}))(data.batch(units=unknown)).mean().item()
    for name in ("ODPO", "StrengthDPO"):
        assert made((name, {}))(data.batch(units=unknown)).mean().item() == pytest.approx(plain, rel=1e-12)
