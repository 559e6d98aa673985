"""Fit preference models to 100,000 pairs of 384 features: seconds, peak memory, and twins in plain PyTorch.

The features are random and frozen; people have one of four tastes that blend (prototypes), so that every model has
something to find. Each fit runs in a process of its own. "To score" is the time for the tenth of the pairs that is held
out. The twins are PAL (variant B on frozen features: blends of prototypes over a linear map) and GPM (skew-symmetric
embedding), written plainly in PyTorch with ten passes of Adam, and print their accuracy beside ours. "CPU" is the
processor's seconds, of all threads together: it tells a slow fit from a busy machine. Importing is done before.

Run: python benchmarks/models_fit.py [--pairs 100000] [--only mixture]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

TARGETS = {
    "shared": 3.0,
    "mixture-4": 20.0,
    "prototypes": 60.0,
    "variational": 120.0,
    "collaborative": 120.0,
    "cyclic": 30.0,
}
MEMORY = 2.0
FEATURES, PEOPLE, TASTES = 384, 1000, 4


@dataclass
class Data:
    """Pairs as arrays, without text: what is measured is the fit."""

    rows: np.ndarray
    winner: np.ndarray
    loser: np.ndarray
    person: np.ndarray
    held_out: np.ndarray


def make(pairs: int, seed: int = 0) -> Data:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(pairs // 2, FEATURES)).astype(np.float32)
    tastes = rng.normal(size=(TASTES, FEATURES)) * 3 / FEATURES**0.5
    blend = rng.dirichlet(np.full(TASTES, 0.4), PEOPLE)
    first, second = rng.integers(len(rows), size=(2, pairs))
    person = rng.integers(PEOPLE, size=pairs)
    margin = ((rows[first] - rows[second]) * (blend[person] @ tastes).astype(np.float32)).sum(1)
    won = rng.random(pairs) < 1 / (1 + np.exp(-margin))
    winner, loser = np.where(won, first, second), np.where(won, second, first)
    return Data(rows, winner, loser, person, rng.random(pairs) < 0.1)


def votes_of(data: Data, which: np.ndarray):
    from llull.models.votes import Votes

    n = len(which)
    return Votes(
        rows=data.rows.astype(np.float64),
        winner=data.winner[which],
        loser=data.loser[which],
        tie=np.zeros(n, bool),
        weight=np.ones(n),
        context=which,
        annotator=data.person[which],
        judgment=which,
        member=data.person[which],
        members=tuple(f"p{k}" for k in range(PEOPLE)),
        identity=np.arange(len(data.rows)).astype(np.uint64),
    )


@dataclass
class Measured:
    """Of one fit."""

    seconds: float
    cpu: float
    accuracy: float
    scoring: float
    peak: float = 0.0


def import_learning() -> None:
    """The first optimizer of a process imports for seconds."""
    import torch

    torch.optim.AdamW([torch.zeros(1, requires_grad=True)])


def ours(name: str, data: Data) -> Measured:
    from llull.models import (
        Collaborative,
        Linear,
        Logistic,
        Mixture,
        Prototypes,
        Shared,
        SkewEmbedding,
        VariationalUsers,
    )
    from llull.models.fitting.threads import calm_threads
    from llull.models.populations.population import Membership

    made = {
        "shared": (Linear(), Shared()),
        "mixture-4": (Linear(), Mixture(4)),
        "prototypes": (Linear(), Prototypes(4)),
        "variational": (Linear(), VariationalUsers()),
        "collaborative": (Linear(), Collaborative()),
        "cyclic": (SkewEmbedding(4), Shared()),
    }
    head, population = made[name]
    fit, held = (votes_of(data, np.flatnonzero(m)) for m in (~data.held_out, data.held_out))
    import_learning()
    started, cpu = time.perf_counter(), time.process_time()
    with calm_threads():
        parts = population.fit(fit, head, Logistic(), None, 0, tuple(f"f{j}" for j in range(FEATURES)))
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    started = time.perf_counter()
    codes = held.member if population.member_noun == "annotator" else np.full(len(held), -1)
    margin = np.zeros(len(held))
    for voice in population.voices(parts, Membership(codes, held.members), None):
        sides = held.select(voice.which).sides()
        margin[voice.which] += voice.share * (voice.part.contrasts(head, sides) @ voice.part.weights)
    return Measured(seconds, cpu, float((margin > 0).mean()), time.perf_counter() - started)


def twin(name: str, data: Data) -> Measured:
    """The published formulation with Adam on shuffled batches, ten passes."""
    import torch

    import_learning()
    torch.manual_seed(0)
    rows = torch.from_numpy(data.rows)
    person = torch.from_numpy(data.person)
    winner, loser = torch.from_numpy(data.winner), torch.from_numpy(data.loser)
    fit, held = (torch.from_numpy(np.flatnonzero(m)) for m in (~data.held_out, data.held_out))
    if name == "prototypes":
        blend = torch.nn.Embedding(PEOPLE, TASTES)
        torch.nn.init.zeros_(blend.weight)
        prototypes = torch.nn.Linear(FEATURES, TASTES, bias=False)
        modules = [blend, prototypes]

        def margin(which: torch.Tensor) -> torch.Tensor:
            said = prototypes(rows[winner[which]]) - prototypes(rows[loser[which]])
            return (said * blend(person[which]).softmax(-1)).sum(1)
    else:
        embed = torch.nn.Linear(FEATURES, 8, bias=False)
        modules = [embed]

        def margin(which: torch.Tensor) -> torch.Tensor:
            first, second = embed(rows[winner[which]]), embed(rows[loser[which]])
            return (first[:, ::2] * second[:, 1::2] - first[:, 1::2] * second[:, ::2]).sum(1)

    started, cpu = time.perf_counter(), time.process_time()
    adam = torch.optim.Adam([p for m in modules for p in m.parameters()], lr=5e-3)
    for _ in range(10):
        for which in fit[torch.randperm(len(fit))].split(256):
            adam.zero_grad()
            torch.nn.functional.softplus(-margin(which)).mean().backward()
            adam.step()
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    with torch.no_grad():
        started = time.perf_counter()
        accuracy = float((margin(held) > 0).double().mean())
        return Measured(seconds, cpu, accuracy, time.perf_counter() - started)


def peak_gib() -> float:
    """Of this process: what ``ru_maxrss`` says begins with its parent's memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--only", choices=TARGETS)
    parser.add_argument("--side", choices=["ours", "twin"], help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.side:
        found = (ours if asked.side == "ours" else twin)(asked.only, make(asked.pairs))
        print(json.dumps(asdict(replace(found, peak=peak_gib()))))
        return
    print(f"{asked.pairs:,} pairs of {FEATURES} features, {PEOPLE:,} people; accuracy on a tenth held out")
    heads = f"{'model':<14}{'seconds':>9}{'CPU':>8}{'target':>8}{'accuracy':>10}{'to score':>10}{'peak GiB':>10}"
    print(f"{heads}   twin in PyTorch")
    for name, target in TARGETS.items():
        if asked.only in (None, name):
            found = _run(name, "ours", asked.pairs)
            beside = ""
            if name in ("prototypes", "cyclic"):
                theirs = _run(name, "twin", asked.pairs)
                times = f"{theirs.seconds / found.seconds:.1f} times ours, CPU {theirs.cpu / found.cpu:.1f}"
                beside = f"{theirs.seconds:.1f} s ({times}), accuracy {theirs.accuracy:.3f}"
            figures = f"{found.seconds:>9.1f}{found.cpu:>8.1f}{target:>8.0f}{found.accuracy:>10.3f}"
            print(f"{name:<14}{figures}{found.scoring:>10.2f}{found.peak:>10.2f}   {beside}", flush=True)


def _run(name: str, side: str, pairs: int) -> Measured:
    words = [sys.executable, __file__, "--side", side, "--only", name, "--pairs", str(pairs)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
