"""What objectives remember has the precision of what they see, as not every device has float64."""

from __future__ import annotations

import pytest
import torch

from llull.objectives import Batch, Scores, SingleUnits
from llull.objectives.presets import PRESETS
from llull.objectives.presets.singles import BCO, KTO, PMPO
from llull.objectives.structures.single import RunningMean


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_no_objective_starts_with_float64(name: str) -> None:
    objective = PRESETS[name]()
    assert all(part.dtype != torch.float64 for part in (*objective.buffers(), *objective.parameters()))


def test_an_update_leaves_float32() -> None:
    random = torch.Generator().manual_seed(0)
    policy, reference = torch.randn(2, 6, generator=random) - 3
    features = torch.randn(6, 2, generator=random)
    options = Scores(policy, reference, columns={"context_features": features})
    option = torch.arange(6)
    singles = SingleUnits.of(option, (option % 2).float(), weight=torch.ones(6))
    units = {"main": singles, "mismatched": singles, "reference_samples": singles}
    for objective in (KTO(), BCO(matched=True), PMPO(0.8)):
        batch = Batch(options, units)
        objective.begin(batch)
        if objective.needs.survey:
            objective.settle(objective.survey(batch))
        losses = objective(batch)
        objective.update(losses.noted)
        assert losses.mean().dtype == torch.float32
        assert {buffer.dtype for buffer in objective.buffers()} == {torch.float32}


def test_a_running_mean_in_float32_keeps_its_digits() -> None:
    random = torch.Generator().manual_seed(0)
    scores = 3 + torch.randn(20_000, 8, generator=random)
    mean = RunningMean()
    for window in scores:
        mean.update(mean.note(window, torch.ones(8)))
    assert mean.value.dtype == torch.float32
    assert mean.seen.item() == scores.numel()
    assert mean.value.item() == pytest.approx(scores.double().mean().item(), rel=2e-6)
