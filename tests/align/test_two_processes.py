"""Two processes on the CPU give the gradients and the weights of one, for every family of objectives."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from parallel_worker import CASES
from safetensors.torch import load_file
from torch import Tensor

WORKER = Path(__file__).with_name("parallel_worker.py")
TIMEOUT_SECONDS = 120


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


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_two_processes_learn_what_one_learns(name: str, alone: dict[str, Tensor], together: dict[str, Tensor]) -> None:
    own = [key for key in alone if key.startswith(f"{name}/")]
    assert sorted(own) == sorted(key for key in together if key.startswith(f"{name}/"))
    assert any("/gradient/" in key and bool(alone[key].abs().sum() > 0) for key in own)
    for key in own:
        # Losses of groups that were never met are unknown, NaN, in both.
        same = torch.isclose(together[key], alone[key], rtol=1e-7, atol=1e-9, equal_nan=True)
        assert bool(same.all()), f"{key}: {(together[key] - alone[key]).abs().max():.1e} apart"
