"""Two processes on the CPU give the gradients and the weights of one, save what one saves, and resume as one does."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from parallel_worker import CASES, RESUMED, SAVED
from safetensors.torch import load_file
from torch import Tensor

WORKER = Path(__file__).with_name("parallel_worker.py")
TIMEOUT_SECONDS = 240
EXACT = (1e-7, 1e-9)
"""Relative and absolute, for float64."""
LEARNED = ("gradient", "weight", "loss")


def run(mode: str, processes: int, out: Path) -> dict[str, Tensor]:
    """Start the processes, wait for them, and read what the first one wrote."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("ACCELERATE_", "FSDP_"))}
    shared = plain | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(WORKER.parent)}
    if processes > 1:
        sizes = {"WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes)}
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "GLOO_SOCKET_IFNAME": "lo"}
        shared |= sizes | meeting | {"ACCELERATE_USE_CPU": "true"}
    if mode == "fsdp2":
        shared |= {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"}
    started = [
        subprocess.Popen(
            [sys.executable, str(WORKER), mode, str(out)],
            env=shared | ({"RANK": str(rank), "LOCAL_RANK": str(rank)} if processes > 1 else {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for rank in range(processes)
    ]
    said = []
    try:
        said = [process.communicate(timeout=TIMEOUT_SECONDS)[0].decode() for process in started]
    finally:
        for process in started:
            process.kill()
    assert all(process.returncode == 0 for process in started), "\n".join(text[-3000:] for text in said)
    return load_file(out)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    return run("single", 1, tmp_path_factory.mktemp("alone") / "found.safetensors")


@pytest.fixture(scope="module", params=["ddp", "fsdp2"])
def together(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    return run(request.param, 2, tmp_path_factory.mktemp(request.param) / "found.safetensors")


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor], within: tuple[float, float]) -> None:
    assert expected
    assert sorted(found) == sorted(expected)
    for key, value in expected.items():
        # Losses of groups that were never met are unknown, NaN, in both.
        same = torch.isclose(found[key], value, rtol=within[0], atol=within[1], equal_nan=True)
        assert bool(same.all()), f"{key}: {(found[key] - value).abs().max():.1e} apart"


def under(found: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """What was found under a name."""
    return {key.removeprefix(name): value for key, value in found.items() if key.startswith(name)}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_two_processes_learn_what_one_learns(name: str, alone: dict[str, Tensor], together: dict[str, Tensor]) -> None:
    own, theirs = (
        {key: value for key, value in found.items() if key.startswith(tuple(f"{name}/{kind}" for kind in LEARNED))}
        for found in (alone, together)
    )
    assert any("/gradient/" in key and bool(value.abs().sum() > 0) for key, value in own.items())
    assert_same(theirs, own, EXACT)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAVED)
def test_two_processes_save_what_one_saves(name: str, alone: dict[str, Tensor], together: dict[str, Tensor]) -> None:
    own, theirs = (under(found, f"{name}/file/") for found in (alone, together))
    assert 0 < own["best"] < own["last"]
    # Adapters are merged in float32 before a reward model is saved.
    assert_same(theirs, own, (1e-5, 1e-6) if name == "adapter reward" else EXACT)
    # Models are loaded in float32.
    torch.testing.assert_close(theirs["says again"].double(), theirs["says"].double(), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", RESUMED)
def test_two_processes_go_on_after_a_stop(name: str, alone: dict[str, Tensor], together: dict[str, Tensor]) -> None:
    uninterrupted = under(together, f"{name}/uninterrupted/")
    assert_same(under(together, f"{name}/resumed/"), uninterrupted, (0.0, 0.0))
    assert_same(uninterrupted, under(alone, f"{name}/uninterrupted/"), EXACT)
