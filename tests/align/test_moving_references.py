"""A reference that follows the policy, against the same updates by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import pytest
import torch
from small_trainings import make_data, make_model, make_trainer, weights
from torch import Tensor

from llull.align import LiveReference
from llull.objectives.references import ReferenceRule


@pytest.mark.parametrize(("kind", "alpha"), [("soft", 0.3), ("hard", 0.6)])
def test_the_reference_moves_as_said(tmp_path: Path, kind: Literal["soft", "hard"], alpha: float) -> None:
    live = LiveReference(make_model(), ReferenceRule(kind, alpha=alpha, every=2))
    trainer = make_trainer("DPO", tmp_path, reference=live, epochs=5 / 3)
    expected = {name: value.clone() for name, value in live.model.named_parameters()}
    moves = 0
    after = live.after

    def watched(update: int, policy: object) -> None:
        nonlocal moves
        after(update, trainer.policy)
        if update in (2, 4):
            share = alpha if kind == "soft" else 1.0
            for name, value in trainer.policy.named_parameters():
                expected[name] = (1 - share) * expected[name] + share * value.detach()
        for name, value in live.model.named_parameters():
            torch.testing.assert_close(value, expected[name], rtol=1e-6, atol=1e-7)
        moves += 1

    live.after = watched
    history = trainer.train()
    assert moves == len(history.updates) == 5
    assert any(not torch.equal(value, start) for value, start in zip(expected.values(), _start(), strict=True))
    # A policy that has just become its reference has no margin.
    loss = history.updates[2]["loss"]
    assert (abs(loss - math.log(2)) < 1e-6) == (kind == "hard")


def test_a_reference_that_stays_gives_what_its_numbers_give(tmp_path: Path) -> None:
    live = make_trainer("DPO", tmp_path / "live", reference=LiveReference(make_model()))
    known = make_trainer("DPO", tmp_path / "known")
    losses = [[update["loss"] for update in trainer.train().updates] for trainer in (live, known)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    for name, value in weights(known).items():
        torch.testing.assert_close(weights(live)[name], value, rtol=1e-3, atol=1e-4)


def test_token_values_follow_the_order_of_the_row(tmp_path: Path) -> None:
    """An objective that looks at tokens gets the same from a live reference as from known numbers."""
    losses = []
    for name, reference in (("live", LiveReference(make_model())), ("known", None)):
        trainer = make_trainer("TDPO", tmp_path / name, reference=reference, token_budget=40)
        losses.append([update["loss"] for update in trainer.train().updates])
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    assert len(make_data().options) > 1


def _start() -> list[Tensor]:
    return [value.detach() for value in make_model().parameters()]
