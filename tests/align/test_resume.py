"""A training that is killed and started again ends with the weights of one that was not, to the last bit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from resume_worker import CASES
from safetensors.torch import load_file
from small_trainings import make_trainer

from llull.align.trainer import METRICS
from llull.errors import InputError

WORKER = Path(__file__).with_name("resume_worker.py")


def run(case: str, folder: Path, out: Path, kill_at: int = 0) -> int:
    words = [sys.executable, str(WORKER), case, str(folder), str(out), str(kill_at)]
    environment = os.environ | {"PYTHONPATH": str(WORKER.parent), "OMP_NUM_THREADS": "1"}
    return subprocess.run(words, env=environment, timeout=120, check=False, capture_output=True).returncode


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_killed_and_started_again_gives_the_same_weights(case: str, tmp_path: Path) -> None:
    assert run(case, tmp_path / "whole", tmp_path / "whole.safetensors") == 0
    assert run(case, tmp_path / "cut", tmp_path / "cut.safetensors", kill_at=6) == -signal.SIGKILL
    assert not (tmp_path / "cut.safetensors").exists()
    assert run(case, tmp_path / "cut", tmp_path / "cut.safetensors") == 0
    whole, cut = load_file(tmp_path / "whole.safetensors"), load_file(tmp_path / "cut.safetensors")
    assert sorted(whole) == sorted(cut)
    for name, value in whole.items():
        assert torch.equal(value, cut[name]), name
    lines = [
        [
            {key: value for key, value in json.loads(line).items() if key != "seconds"}
            for line in (tmp_path / name / METRICS).read_text().splitlines()
        ]
        for name in ("whole", "cut")
    ]
    assert lines[0] == lines[1]


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    make_trainer("DPO", tmp_path, save_every=2).train()
    with pytest.raises(InputError, match="other data, model, objective or settings"):
        make_trainer("DPO", tmp_path, save_every=2, learning_rate=0.5).train()
    with pytest.raises(InputError, match="other data, model, objective or settings"):
        make_trainer("IPO", tmp_path, save_every=2).train()


def test_a_finished_training_is_not_done_again(tmp_path: Path) -> None:
    first = make_trainer("DPO", tmp_path)
    first.train()
    again = make_trainer("DPO", tmp_path)
    history = again.train()
    assert [update["update"] for update in history.updates] == [1, 2, 3, 4, 5, 6]
    for name, value in first.step.state_dict().items():
        assert torch.equal(value, again.step.state_dict()[name])
