"""Trainings that run to their end, and the same ones killed in the middle of an update and started again.

Run as: python resume_worker.py FOLDER. Every training runs in a process of its own, forked from this one, which has
imported everything. For each case, FOLDER/case/{whole,cut}.safetensors hold the weights, FOLDER/case/{whole,cut} what
the trainer wrote, and FOLDER/codes.json the exit codes of the three processes.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from small_trainings import known_values, make_data, make_model, make_trainer, weights

from llull.align import Adapter, LiveReference, Trainer
from llull.align.policies import with_adapters
from llull.language.model import LanguageModel
from llull.objectives.references import ReferenceRule

CASES = ("DPO", "saving", "LCPO", "DavidsonDPO", "AOT", "KTO", "adapter", "moving")
KILLED_AT = 6


def train(case: str, folder: Path, dies: bool) -> None:
    """Train in a folder and write the weights beside it, or die on the way."""
    torch.set_num_threads(1)
    arguments: dict[str, Any] = {}
    model = make_model()
    if case == "adapter":
        model = LanguageModel(with_adapters(model.model, Adapter(rank=4)))
    if case == "moving":
        arguments["reference"] = LiveReference(make_model(), ReferenceRule("soft", alpha=0.5, every=2))
    name = case if case not in ("adapter", "moving", "saving") else "DPO"
    held_out = make_data("singles" if case == "KTO" else "pairs", seed=1)
    arguments["held_out"] = (held_out, known_values(model, held_out))
    trainer = make_trainer(name, folder, model=model, save_every=2, evaluate_every=3, epochs=3, **arguments)
    if dies:
        _die_while_saving(trainer) if case == "saving" else _die_before_a_step(trainer)
    trainer.train()
    trainer.take_best()
    save_file({key: v.contiguous() for key, v in weights(trainer).items()}, folder.with_suffix(".safetensors"))


def _die_before_a_step(trainer: Trainer) -> None:
    step, steps = trainer.optimizer.step, 0

    def watched(*others: object) -> object:
        nonlocal steps
        steps += 1
        if steps == KILLED_AT:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(*others)

    trainer.optimizer.step = watched


def _die_while_saving(trainer: Trainer) -> None:
    """When the third checkpoint is written but not yet in its place."""
    fresh, saved = trainer.checkpoints._fresh, 0

    def watched(update: int) -> Path:
        nonlocal saved
        saved += 1
        if saved == KILLED_AT // 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return fresh(update)

    trainer.checkpoints._fresh = watched


def main(folder: Path) -> None:
    """Run all cases."""
    forked = multiprocessing.get_context("fork")
    codes: dict[str, list[int | None]] = {}
    for case in CASES:
        (folder / case).mkdir()
        runs = (("whole", False), ("cut", True), ("cut", False))
        codes[case] = []
        for name, dies in runs:
            process = forked.Process(target=train, args=(case, folder / case / name, dies))
            process.start()
            process.join(60)
            process.kill()
            codes[case].append(process.exitcode)
    (folder / "codes.json").write_text(json.dumps(codes))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
