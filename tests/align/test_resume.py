"""A training that is killed and started again ends with the weights of one that was not, to the last bit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from resume_worker import CASES
from safetensors.torch import load_file
from small_trainings import make_data, make_model, make_trainer

from llull.align import Adapter
from llull.align.policies import with_adapters
from llull.align.trainer import METRICS
from llull.errors import InputError
from llull.language.model import LanguageModel

WORKER = Path(__file__).with_name("resume_worker.py")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    environment = os.environ | {"PYTHONPATH": str(WORKER.parent), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, str(WORKER), str(folder)]
    done = subprocess.run(words, env=environment, timeout=300, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_killed_and_started_again_gives_the_same_weights(case: str, trained: Path) -> None:
    assert json.loads((trained / "codes.json").read_text())[case] == [0, -signal.SIGKILL, 0]
    whole, cut = (load_file(trained / case / f"{name}.safetensors") for name in ("whole", "cut"))
    assert sorted(whole) == sorted(cut)
    for name, value in whole.items():
        assert torch.equal(value, cut[name]), name


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_killed_and_started_again_writes_each_line_once(case: str, trained: Path) -> None:
    whole, cut = (
        [json.loads(line) for line in (trained / case / name / METRICS).read_text().splitlines()]
        for name in ("whole", "cut")
    )
    for line in (*whole, *cut):
        line.pop("seconds", None)
    updates = [line["update"] for line in cut if line["kind"] == "update"]
    assert updates == list(range(1, len(updates) + 1))
    assert str(whole) == str(cut)  # as text, in which NaN equals itself


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    make_trainer("DPO", tmp_path, save_every=2).train()
    others = [("IPO", {}), ("LCPO", {}), ("DPO", {"learning_rate": 0.5}), ("DPO", {"identity": "other data"})]
    for name, changed in others:
        with pytest.raises(InputError, match="other data, model, objective or settings") as caught:
            make_trainer(name, tmp_path, save_every=2, **changed).train()
        assert "\n" not in str(caught.value)
    # Even where what was saved has other shapes than what is there.
    adapted = LanguageModel(with_adapters(make_model().model, Adapter(rank=4)))
    with pytest.raises(InputError, match="other data, model, objective or settings"):
        make_trainer("DPO", tmp_path, model=adapted, save_every=2, identity="adapter").train()


def test_another_budget_goes_on_with_the_same_training(tmp_path: Path) -> None:
    make_trainer("DPO", tmp_path, save_every=2).train()
    assert len(make_trainer("DPO", tmp_path, save_every=2, token_budget=500).train().updates) == 6


def test_the_fingerprint_of_data_covers_tokens_and_judgments() -> None:
    for kind, fields in {
        "pairs": ("chosen", "rejected", "weight", "tie", "strength", "group", "annotator", "preferred"),
        "singles": ("accept", "option"),
        "lists": ("tier", "gain"),
    }.items():
        data = make_data(kind)
        assert make_data(kind).fingerprint == data.fingerprint
        for name in fields:
            changed = getattr(data.units["main"], name).clone()
            changed[0] = ~changed[0] if changed.dtype == torch.bool else changed[0] + 1
            units = {**data.units, "main": replace(data.units["main"], **{name: changed})}
            assert replace(data, units=units).fingerprint != data.fingerprint, name
    data = make_data()
    for name in ("prompts", "options"):
        ids = getattr(data, name)
        assert replace(data, **{name: (ids[0] + 1, *ids[1:])}).fingerprint != data.fingerprint
    first = data.options[0]
    unscored = (torch.arange(len(first)).numpy() > 0, *data.scored[1:])
    assert replace(data, scored=unscored).fingerprint != data.fingerprint
    assert replace(data, columns={"reward": torch.zeros(len(data.options))}).fingerprint != data.fingerprint


def test_a_finished_training_is_not_done_again(tmp_path: Path) -> None:
    first = make_trainer("DPO", tmp_path)
    first.train()
    again = make_trainer("DPO", tmp_path)
    history = again.train()
    assert [update["update"] for update in history.updates] == [1, 2, 3, 4, 5, 6]
    for name, value in first.step.state_dict().items():
        assert torch.equal(value, again.step.state_dict()[name])
