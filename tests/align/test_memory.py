"""The estimate of memory against what a training uses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from small_trainings import make_model

from llull.align.memory import estimate_memory

WORKER = Path(__file__).with_name("memory_worker.py")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")
@pytest.mark.parametrize(("budget", "how"), [(3072, "plain"), (3072, "checkpointed")])
def test_the_estimate_is_within_a_factor_of_two(tmp_path: Path, budget: int, how: str) -> None:
    words = [sys.executable, str(WORKER), str(tmp_path), str(budget), how]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, env=environment, timeout=200, check=True, capture_output=True, text=True)
    estimated, used = map(int, done.stdout.split()[-2:])
    assert used / 2 < estimated < used * 2, f"{estimated / 2**20:.0f} MiB said, {used / 2**20:.0f} MiB used"


def test_the_parts_by_hand() -> None:
    model = make_model()
    numbers = sum(p.numel() for p in model.parameters())
    found = estimate_memory(model, 100)
    assert (found.weights, found.gradients, found.optimizer) == (4 * numbers, 4 * numbers, 8 * numbers)
    assert estimate_memory(model, 100, reference=True).weights == 2 * found.weights
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    assert estimate_memory(model, 100).optimizer == 0
    assert estimate_memory(model.to(torch.bfloat16), 100).weights == 2 * numbers
    # Two layers of 12 widths of 32 and 4 of 48, for each token, in four bytes.
    more = estimate_memory(model, 1100).activations - estimate_memory(model, 100).activations
    assert more == 4 * 1000 * 2 * (12 * 32 + 4 * 48)
    assert "memory: about" in found.line()
