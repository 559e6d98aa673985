"""Logic of direct alignment (249): compiled odds are closed forms, entailment orders losses."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor

from llull.errors import InputError
from llull.objectives.links.worlds import (
    CCPO_STRUCTURE,
    CFUNL_STRUCTURE,
    CPO_STRUCTURE,
    CROSS_ENTROPY,
    ORPO_STRUCTURE,
    UNCPO_STRUCTURE,
    UNLIKELIHOOD,
    PreferenceStructure,
    compile_loss,
    decompile,
)

CLOSED = {
    "ce": (CROSS_ENTROPY, lambda a, b: a / (1 - a)),
    "ceunl": (UNLIKELIHOOD, lambda a, b: a * (1 - b) / (b + (1 - b) * (1 - a))),
    "cpo": (CPO_STRUCTURE, lambda a, b: a / b),
    "orpo": (ORPO_STRUCTURE, lambda a, b: a * (1 - b) / (b * (1 - a))),
    "uncpo": (UNCPO_STRUCTURE, lambda a, b: (a * b + (1 - b)) / (b * (1 - a))),
    "ccpo": (CCPO_STRUCTURE, lambda a, b: a / ((1 - a) * b)),
    "cfunl": (CFUNL_STRUCTURE, lambda a, b: (1 - b) / ((1 - a) * b)),
}


def probabilities(count: int = 10_000) -> tuple[Tensor, Tensor]:
    both = 0.001 + 0.998 * torch.rand(2, count, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return both[0], both[1]


@pytest.mark.parametrize("name", CLOSED)
def test_compiled_odds_are_the_closed_form(name: str) -> None:
    structure, closed = CLOSED[name]
    a, b = probabilities()
    torch.testing.assert_close(structure.log_odds(a.log(), b.log()), closed(a, b).log(), rtol=0, atol=1e-9)


def test_what_entails_never_has_the_higher_odds() -> None:
    a, b = probabilities()
    comparable = 0
    for (_, (one, closed)), (_, (other, other_closed)) in product(CLOSED.items(), repeat=2):
        if one is not other and one.entails(other):
            comparable += 1
            assert (closed(a, b) <= other_closed(a, b) * (1 + 1e-12)).all()
            assert (compile_loss(one)(a.log(), b.log()) >= compile_loss(other)(a.log(), b.log()) - 1e-12).all()
    assert comparable >= 6
    assert ORPO_STRUCTURE.entails(CCPO_STRUCTURE)
    assert ORPO_STRUCTURE.entails(CFUNL_STRUCTURE)
    assert CFUNL_STRUCTURE.entails(UNCPO_STRUCTURE)
    assert UNLIKELIHOOD.entails(CROSS_ENTROPY)
    assert not CROSS_ENTROPY.entails(UNLIKELIHOOD)


@pytest.mark.parametrize("name", CLOSED)
def test_odds_find_their_structure_again(name: str) -> None:
    structure, closed = CLOSED[name]
    found = decompile(lambda a, b: closed(a.exp(), b.exp()).log())
    assert structure in found


def test_odds_that_count_no_worlds_have_no_structure() -> None:
    assert decompile(lambda a, b: 2 * (a - b)) == []


@pytest.mark.parametrize("name", CLOSED)
def test_hopeless_and_certain_options_have_finite_gradients(name: str) -> None:
    structure = CLOSED[name][0]
    chosen = torch.tensor([-70.0, -70.0, -1e-9, -1e-9]).requires_grad_()
    rejected = torch.tensor([-70.0, -1e-9, -70.0, -1e-9]).requires_grad_()
    compile_loss(structure)(chosen, rejected).sum().backward()
    assert torch.isfinite(chosen.grad).all()
    assert torch.isfinite(rejected.grad).all()


def test_a_structure_that_cannot_judge_is_refused() -> None:
    with pytest.raises(InputError, match="against"):
        PreferenceStructure.of(for_="TF")
    with pytest.raises(InputError, match="TX"):
        PreferenceStructure.of(for_="TF", against="TX")
