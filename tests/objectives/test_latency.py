"""The expected lag of simultaneous translations, and the preset that has it: closed forms, slow twins, the ladder."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product

import pytest
import torch
from torch import Tensor
from written_formulas import execute

from llull.errors import InputError
from llull.objectives import DPO, PRESETS, Batch, ListUnits, Objective, PairUnits, Scores, SingleUnits
from llull.objectives.presets.simultaneous import SimulDPO
from llull.objectives.regularisers.latency import (
    ExpectedLag,
    GivenWrite,
    Measure,
    expected_lag,
    prefix_grid,
    written_after,
)

M = 4
SHAPES = ((3, 3), (2, 4), (4, 2), (1, 3))
"""Target tokens and source words of the translations of a random batch."""
MEASURES: tuple[Measure, ...] = ("mean", "average")
CASES: tuple[dict[str, object], ...] = (
    {},
    {"measure": "average", "latency": 0.7},
    {"allowance": 1.0, "latency": 2.0},
    {"column": "write"},
    {"latency": 0.0},
)
ALL = pytest.mark.parametrize("case", CASES, ids=str)


class Data:
    """M pairs of translations, options 2 i and 2 i + 1, and the prefixes of the chosen ones."""

    def __init__(self, seed: int = 0, dtype: torch.dtype = torch.float64) -> None:
        random = torch.Generator().manual_seed(seed)
        sizes = [tokens * words for tokens, words in SHAPES]
        n = 2 * M + sum(sizes)
        self.policy = -4 * torch.rand(n, generator=random, dtype=torch.float64).to(dtype)
        self.reference = self.policy + torch.randn(n, generator=random, dtype=torch.float64).to(dtype)
        self.hidden = torch.randn(n, 3, generator=random, dtype=torch.float64).to(dtype)
        self.write = torch.rand(n, generator=random, dtype=torch.float64).to(dtype)
        option = torch.full((M, max(sizes)), -1)
        tier = option.clone()
        first = 2 * M
        for row, (tokens, words) in enumerate(SHAPES):
            size = tokens * words
            # Tiers may stand anywhere in a row, as long as the prefixes of each are in order.
            order = torch.arange(size).reshape(tokens, words).T.reshape(-1)
            option[row, :size] = first + order
            tier[row, :size] = order // words
            first += size
        pairs = PairUnits.of(torch.arange(0, 2 * M, 2), torch.arange(1, 2 * M, 2))
        self.units = {"main": pairs, "prefixes": ListUnits.of(option, tier)}

    def batch(
        self,
        policy: Tensor | None = None,
        hidden: Tensor | None = None,
        write: Tensor | None = None,
        rows: Tensor | None = None,
    ) -> Batch:
        """All options, and these units, or all."""
        options = Scores(
            self.policy if policy is None else policy,
            self.reference,
            hidden=self.hidden if hidden is None else hidden,
            columns={"write": self.write if write is None else write},
        )
        return Batch(options, self.units if rows is None else {k: u.select(rows) for k, u in self.units.items()})


def made(case: dict[str, object]) -> Objective:
    """Drawn alike every time."""
    torch.manual_seed(0)
    return SimulDPO(width=3, **case).double()


def probabilities(objective: Objective, data: Data) -> Tensor:
    """To write, at each option."""
    if not len(objective.regularisers):
        return data.write
    return objective.regularisers[0].write(data.batch()).detach()


def paths(write: list[list[float]]) -> Iterator[tuple[float, list[int]]]:
    """Each way to read and write, by trying every sequence of decisions: its probability, and g of each token."""
    tokens, words = len(write), len(write[0])
    for reads in product(range(words), repeat=tokens):
        read = [1 + sum(reads[: i + 1]) for i in range(tokens)]
        if read[-1] > words:
            continue
        probability, before = 1.0, 1
        for i, g in enumerate(read):
            for j in range(before, g):
                probability *= 1 - write[i][j - 1]
            probability *= write[i][g - 1] if g < words else 1.0
            before = g
        yield probability, read


def average_lagging(read: list[int], words: int) -> tuple[float, int]:
    """Sum of lags up to the first token written with everything read, and the number of these tokens."""
    total, counted = 0.0, 0
    for i, g in enumerate(read):
        total, counted = total + g - i * words / len(read), counted + 1
        if g == words:
            break
    return total, counted


@pytest.mark.parametrize(("tokens", "words"), [(1, 1), (1, 4), (4, 1), (3, 3), (2, 4), (4, 2)])
def test_lags_are_those_of_all_paths_one_by_one(tokens: int, words: int) -> None:
    random = torch.Generator().manual_seed(10 * tokens + words)
    write = torch.rand(1, tokens, words, generator=random, dtype=torch.float64)
    ways = list(paths(write[0].tolist()))
    assert sum(p for p, _ in ways) == pytest.approx(1)
    mean = sum(p * sum(g - i * words / tokens for i, g in enumerate(read)) / tokens for p, read in ways)
    sums = [(p, *average_lagging(read, words)) for p, read in ways]
    average = sum(p * total for p, total, _ in sums) / sum(p * counted for p, _, counted in sums)
    source, target = torch.tensor([words]), torch.tensor([tokens])
    assert expected_lag(write, source, target).item() == pytest.approx(mean, rel=1e-12)
    assert expected_lag(write, source, target, "average").item() == pytest.approx(average, rel=1e-12)
    when = written_after(write, source)[0]
    for i, j in product(range(tokens), range(words)):
        assert when[i, j].item() == pytest.approx(sum(p for p, read in ways if read[i] == j + 1), abs=1e-12)


@pytest.mark.parametrize("wait", [1, 2, 5])
def test_waiting_k_words_lags_k(wait: int) -> None:
    length = 5
    word, token = torch.arange(1, length + 1), torch.arange(length)
    write = (word >= wait + token.unsqueeze(1)).double().unsqueeze(0)
    whole = torch.tensor([length])
    assert expected_lag(write, whole, whole, "average").item() == pytest.approx(wait)
    by_hand = sum(min(wait + i, length) - i for i in range(length)) / length
    assert expected_lag(write, whole, whole, "mean").item() == pytest.approx(by_hand)


def test_one_token_and_two_words_by_hand() -> None:
    """Written after one word with probability p, else after two: 2 - p."""
    write = torch.tensor([[[0.3, 0.0]]], dtype=torch.float64, requires_grad=True)
    lag = expected_lag(write, torch.tensor([2]), torch.tensor([1]))
    lag.sum().backward()
    assert lag.item() == pytest.approx(1.7)
    assert write.grad.tolist() == [[[-1.0, 0.0]]]


@pytest.mark.parametrize("measure", MEASURES)
def test_gradients_of_lags_agree_with_finite_differences(measure: Measure) -> None:
    random = torch.Generator().manual_seed(1)
    write = torch.rand(2, 3, 4, generator=random, dtype=torch.float64, requires_grad=True)
    source, target = torch.tensor([4, 3]), torch.tensor([3, 2])
    assert torch.autograd.gradcheck(lambda given: expected_lag(given, source, target, measure), (write,))


@pytest.mark.parametrize("measure", MEASURES)
def test_padding_does_not_matter(measure: Measure) -> None:
    random = torch.Generator().manual_seed(2)
    write = torch.rand(1, 3, 4, generator=random, dtype=torch.float64)
    source, target = torch.tensor([3]), torch.tensor([2])
    found = expected_lag(write, source, target, measure)
    torch.testing.assert_close(found, expected_lag(write[:, :2, :3], source, target, measure))


def test_writing_sooner_never_lags_more() -> None:
    random = torch.Generator().manual_seed(3)
    write = torch.rand(50, 4, 5, generator=random, dtype=torch.float64)
    source, target = torch.full((50,), 5), torch.full((50,), 4)
    sooner = write + 0.2 * (1 - write)
    assert (expected_lag(sooner, source, target) < expected_lag(write, source, target)).all()


def test_grids_are_read_off_rankings() -> None:
    option = torch.tensor([[5, 3, 4, 9, 7, 8], [1, 2, -1, -1, -1, -1], [-1] * 6])
    tier = torch.tensor([[1, 0, 0, 1, 0, 1], [0, 1, -1, -1, -1, -1], [-1] * 6])
    grid, source, target = prefix_grid(ListUnits.of(option, tier))
    assert grid[0].tolist() == [[3, 4, 7], [5, 9, 8]]
    assert grid[1].tolist() == [[1, -1, -1], [2, -1, -1]]
    assert (grid[2] == -1).all()
    assert source.tolist() == [3, 1, 0]
    assert target.tolist() == [2, 2, 0]


@ALL
def test_the_written_formula_executed_gives_the_loss(case: dict[str, object]) -> None:
    data, objective = Data(), made(case)
    write = probabilities(objective, data)
    expected, first = 0.0, 2 * M
    for pair, (tokens, words) in enumerate(SHAPES):
        own = write[first : first + tokens * words].reshape(tokens, words).tolist()
        known = {
            "w": 2 * pair,
            "l": 2 * pair + 1,
            "policy": lambda y: data.policy[y].item(),
            "reference": lambda y: data.reference[y].item(),
            "write": lambda i, j, own=own: own[i][j - 1],
            "source": words,
            "target": tokens,
        }
        expected += execute(objective.formula(), known) / M
        first += tokens * words
    assert objective(data.batch()).mean().item() == pytest.approx(expected, rel=1e-9)


@ALL
def test_gradients_agree_with_finite_differences(case: dict[str, object]) -> None:
    data, objective = Data(1), made(case)
    leaves = [leaf.clone().requires_grad_() for leaf in (data.policy, data.hidden, data.write)]
    loss: Callable[..., Tensor] = lambda *given: objective(data.batch(*given)).mean()  # noqa: E731
    assert torch.autograd.gradcheck(loss, leaves, atol=1e-6)
    slopes = torch.autograd.grad(loss(*leaves), leaves, allow_unused=True)
    reached = [slope is not None and bool((slope != 0).any()) for slope in slopes]
    assert reached == [True, bool(len(objective.regularisers)) and "column" not in case, "column" in case]


@ALL
def test_what_is_learned_has_the_gradient_of_finite_differences(case: dict[str, object]) -> None:
    data, objective = Data(2), made(case)
    for parameter in objective.parameters():
        (slope,) = torch.autograd.grad(objective(data.batch()).mean(), parameter)
        ends = []
        with torch.no_grad():
            for step in (1e-5, -2e-5):
                parameter += step
                ends.append(objective(data.batch()).mean())
            parameter += 1e-5
        assert ((ends[0] - ends[1]) / 2e-5).item() == pytest.approx(slope.sum().item(), abs=1e-7)
        assert (slope != 0).any()


@ALL
@pytest.mark.parametrize("far", [1e4, -1e4])
def test_extreme_scores_keep_loss_and_gradient_finite(case: dict[str, object], far: float) -> None:
    data, objective = Data(dtype=torch.float32), made(case).float()
    policy = (data.policy + torch.tensor([-1e4, 0.0]).repeat(len(data.policy) // 2 + 1)[: len(data.policy)]).detach()
    hidden, write = torch.full_like(data.hidden, far), torch.full_like(data.write, float(far > 0))
    leaves = [leaf.requires_grad_() for leaf in (policy, hidden, write)]
    loss = objective(data.batch(*leaves)).mean()
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(leaf.grad).all() for leaf in leaves if leaf.grad is not None)


@ALL
def test_nothing_loses_nothing_and_equal_policies_are_finite(case: dict[str, object]) -> None:
    data, objective = Data(), made(case)
    assert objective(data.batch(rows=torch.empty(0, dtype=torch.long))).mean().item() == 0
    whole = data.batch()
    weightless = {name: replace(units, weight=torch.zeros(M)) for name, units in whole.units.items()}
    assert objective(Batch(whole.options, weightless)).mean().item() == 0
    leaf = data.reference.clone().requires_grad_()
    loss = objective(data.batch(leaf)).mean()
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(leaf.grad).all()


@ALL
def test_order_cuts_and_twins_do_not_matter(case: dict[str, object]) -> None:
    data, objective = Data(), made(case)
    whole = objective(data.batch())
    shuffled = objective(data.batch(rows=torch.tensor([3, 0, 2, 1])))
    assert shuffled.mean().item() == pytest.approx(whole.mean().item(), rel=1e-12)
    parts = [objective(data.batch(rows=torch.tensor(rows))) for rows in ([0, 3], [1, 2])]
    for name, term in whole.terms.items():
        assert sum(part.terms[name].total for part in parts).item() == pytest.approx(term.total.item(), rel=1e-12)
        assert sum(part.terms[name].count for part in parts).item() == term.count.item()
    twice = objective(data.batch(rows=torch.tensor([0, 1, 1])))
    once = data.batch(rows=torch.tensor([0, 1]))
    heavy = {name: replace(units, weight=torch.tensor([1.0, 2.0])) for name, units in once.units.items()}
    assert objective(Batch(once.options, heavy)).mean().item() == pytest.approx(twice.mean().item(), rel=1e-12)


def test_without_prefixes_or_weight_it_is_dpo() -> None:
    data = Data()
    plain = DPO(0.1)(data.batch()).mean().item()
    assert made({"latency": 0.0})(data.batch()).mean().item() == plain
    bare = Batch(data.batch().options, {"main": data.units["main"]})
    assert made({})(bare).mean().item() == plain


def test_what_is_allowed_costs_nothing() -> None:
    data = Data()
    lag = ExpectedLag(1.0, "mean", write=GivenWrite())(data.batch(), data.units["prefixes"])
    allowed = sorted(lag.tolist())[1]
    left = ExpectedLag(1.0, "mean", allowed, GivenWrite())(data.batch(), data.units["prefixes"])
    torch.testing.assert_close(left, (lag - allowed).clamp(min=0))
    assert (left == 0).sum() == 2


def test_it_says_what_it_needs() -> None:
    assert made({}).needs.hidden
    assert made({}).beside == {"prefixes": "lists"}
    assert not made({"column": "write"}).needs.hidden
    assert made({"column": "write"}).needs.columns == {"write"}
    assert not made({"latency": 0.0}).beside


def test_the_preset_is_listed_sourced_and_documented() -> None:
    assert PRESETS["SimulDPO"] is SimulDPO
    assert SimulDPO.source
    for argument, of in inspect.signature(SimulDPO).parameters.items():
        assert of.default is not inspect.Parameter.empty
        assert f"{argument}:" in inspect.getdoc(SimulDPO)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda data: SimulDPO(measure="median"),
        lambda data: prefix_grid(ListUnits.of(torch.tensor([[0, 1, 2]]), torch.tensor([[0, 0, 1]]))),
        lambda data: GivenWrite()(data.batch(write=data.write + 1)),
        lambda data: GivenWrite("pace")(data.batch()),
        lambda data: ExpectedLag(write=GivenWrite())(data.batch(), SingleUnits.of(torch.arange(3))),
    ],
)
def test_what_has_no_meaning_is_refused(wrong: Callable[[Data], object]) -> None:
    with pytest.raises(InputError):
        wrong(Data())
