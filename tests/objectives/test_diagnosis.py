"""Slopes of losses along log-probabilities, against their closed forms; and the catalog that lists them all."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch

from llull.objectives import DPO, PRESETS, Batch, Objective, PairUnits, Scores, SingleUnits, Tokens
from llull.objectives.__main__ import listing
from llull.objectives.catalog import catalog
from llull.objectives.diagnosis import gradient_coefficients
from llull.objectives.presets.pairs import IPO
from llull.objectives.presets.singles import AcceptReject
from llull.objectives.presets.tokens import WeightedTokenDPO


def pair(policy: tuple[float, float], reference: tuple[float, float]) -> Batch:
    """One pair."""
    options = Scores(torch.tensor(policy, dtype=torch.float64), torch.tensor(reference, dtype=torch.float64))
    return Batch(options, {"main": PairUnits.of(torch.tensor([0]), torch.tensor([1]))})


def test_dpo_pulls_by_beta_times_the_chance_of_the_wrong_order() -> None:
    found = gradient_coefficients(DPO(0.5), pair((-3.0, -4.0), (-5.0, -3.0))).options
    pull = 0.5 / (1 + math.exp(0.5 * (2.0 + 1.0)))
    assert found.tolist() == pytest.approx([-pull, pull])


def test_likelihood_pulls_by_one() -> None:
    batch = Batch(Scores(torch.tensor([-2.0])), {"main": SingleUnits.of(torch.tensor([0]))})
    assert gradient_coefficients(AcceptReject(), batch).options.tolist() == [-1.0]


@pytest.mark.parametrize("lead", [-4.0, 0.0, 5.0, 9.0])
def test_ipo_pulls_in_proportion_to_what_is_missing(lead: float) -> None:
    found = gradient_coefficients(IPO(0.1), pair((lead, 0.0), (0.0, 0.0))).options
    assert found.tolist() == pytest.approx([2 * (lead - 5.0), -2 * (lead - 5.0)])


@pytest.mark.parametrize("objective", [DPO(0.3), IPO(0.2), PRESETS["SimPO"](), PRESETS["APOZero"](0.7)])
def test_slopes_are_finite_differences(objective: Objective) -> None:
    at, reference = [-1.3, -0.4], (-1.0, -1.1)
    slopes = gradient_coefficients(objective, pair((at[0], at[1]), reference)).options
    for k in range(2):
        ends = []
        for step in (1e-5, -1e-5):
            moved = [value + step * (k == j) for j, value in enumerate(at)]
            ends.append(objective(pair((moved[0], moved[1]), reference)).mean().item())
        assert slopes[k].item() == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4)


def test_tokens_have_slopes_where_the_loss_looks_inside() -> None:
    zeros = torch.zeros(3, dtype=torch.float64)
    tokens = Tokens(torch.tensor([0, 0, 1]), zeros, zeros, weight=torch.tensor([1.0, 3.0, 2.0]).double())
    batch = pair((0.0, 0.0), (0.0, 0.0))
    inside = Batch(Scores(zeros[:2], zeros[:2], None, tokens), batch.units)
    found = gradient_coefficients(WeightedTokenDPO(0.4), inside)
    assert found.tokens.tolist() == pytest.approx([-0.2, -0.6, 0.4])
    assert found.options.tolist() == [0.0, 0.0]


def test_the_catalog_has_every_preset_with_formula_source_and_summary() -> None:
    rows = catalog()
    assert [row.name for row in rows] == sorted(PRESETS)
    for row in rows:
        assert row.formula.startswith("loss = "), row.name
        assert row.source, row.name
        assert row.summary, row.name


def test_filters_leave_what_was_asked_for() -> None:
    free = catalog("pairs", reference=False)
    assert {"SimPO", "ORPO"} <= {row.name for row in free}
    assert not {"DPO", "KTO"} & {row.name for row in free}
    assert {row.kind for row in catalog("singles")} == {"singles"}
    assert "SimPO" not in {row.name for row in catalog(reference=True)}


def test_the_listing_is_printed() -> None:
    text = listing(["--kind", "singles"])
    assert "KTO (singles)" in text
    assert "DPO (pairs)" not in text
    shown = subprocess.run([sys.executable, "-m", "llull.objectives"], capture_output=True, text=True, check=True)
    assert all(f"\n{name} (" in f"\n{shown.stdout}" for name in PRESETS)
