"""Comparison steps on the output layer of a language model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_trainings import known_values, make_data, make_model

from llull.align import KnownValues, load_policy
from llull.align.comparing import own_output_layer, step_by_comparisons
from llull.align.policies import Policy, save_policy
from llull.errors import InputError
from llull.objectives.comparison_oracle import ComparisonOracle

ORACLE = ComparisonOracle(60, 1e-3, 2.0)


def test_steps_that_are_taken_raise_chosen_and_lower_rejected() -> None:
    model, data = make_model(), make_data()
    units = data.units["main"]
    start = known_values(model, data)
    embedding = model.anatomy.base.get_input_embeddings().weight.detach().clone()
    found = step_by_comparisons(model, data, start, ORACLE, width=5.0, epochs=2)
    assert found.tried == 2 * found.pairs
    assert found.taken > found.tried / 4
    after = known_values(model, data).sums - start.sums
    gap = (start.sums[units.chosen] - start.sums[units.rejected]).abs()
    near = (gap > 0) & (gap <= 5) & ~units.tie
    assert int(near.sum()) == found.pairs
    # Steps serve one pair each, so that over many pairs it shows in the mean.
    assert (after[units.chosen[near]] - after[units.rejected[near]]).mean() > 0
    torch.testing.assert_close(model.anatomy.base.get_input_embeddings().weight.detach(), embedding)


def test_the_same_seed_takes_the_same_steps() -> None:
    ends = []
    for _ in range(2):
        model, data = make_model(), make_data()
        step_by_comparisons(model, data, known_values(model, data), ORACLE, width=5.0, seed=3)
        ends.append(own_output_layer(model).detach().clone())
    assert torch.equal(*ends)


def test_a_tied_layer_gets_a_matrix_of_its_own_and_is_saved_with_it(shared_models: Path, tmp_path: Path) -> None:
    policy = load_policy(shared_models / "stories-260k")
    before = policy.model.anatomy.base.get_input_embeddings().weight.detach().clone()
    layer = own_output_layer(policy.model)
    with torch.no_grad():
        layer.add_(1.0)
    assert torch.equal(policy.model.anatomy.base.get_input_embeddings().weight.detach(), before)
    save_policy(policy, tmp_path / "moved")
    again = load_policy(tmp_path / "moved")
    assert isinstance(again, Policy)
    assert torch.equal(own_output_layer(again.model), layer)
    assert torch.equal(again.model.anatomy.base.get_input_embeddings().weight, before)


def test_no_pair_that_is_nearly_even_is_refused() -> None:
    model, data = make_model(), make_data()
    apart = KnownValues(100.0 * torch.arange(len(data.options)))
    with pytest.raises(InputError, match="within 3 nats"):
        step_by_comparisons(model, data, apart, ORACLE)
    with pytest.raises(InputError, match="as pairs"):
        step_by_comparisons(model, make_data("lists"), apart, ORACLE)
