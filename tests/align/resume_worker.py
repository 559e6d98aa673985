"""A training that kills itself in the middle of an update, or runs to its end and writes its weights.

Run as: python resume_worker.py CASE FOLDER OUT KILL_AT, where KILL_AT is the update in which it dies, or 0.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from small_trainings import known_values, make_data, make_model, make_trainer, weights

from llull.align import Adapter, LiveReference
from llull.align.policies import with_adapters
from llull.language.model import LanguageModel
from llull.objectives.references import ReferenceRule

CASES = ("DPO", "LCPO", "DavidsonDPO", "AOT", "KTO", "adapter", "moving")


def main(case: str, folder: Path, out: Path, kill_at: int) -> None:
    """Train, and die or write."""
    torch.set_num_threads(1)
    arguments = {}
    if case == "adapter":
        arguments["model"] = LanguageModel(with_adapters(make_model().model, Adapter(rank=4)))
    if case == "moving":
        arguments["reference"] = LiveReference(make_model(), ReferenceRule("soft", alpha=0.5, every=2))
    held_out = make_data("singles" if case == "KTO" else "pairs", seed=1)
    model = arguments.pop("model", None) or make_model()
    name = "DPO" if case in ("adapter", "moving") else case
    trainer = make_trainer(
        name, folder, model=model, held_out=(held_out, known_values(model, held_out)), save_every=2, evaluate_every=3,
        epochs=3, **arguments,
    )  # fmt: skip
    if kill_at:
        step = trainer.optimizer.step
        done = trainer.checkpoints.newest() or 0

        def die(*others: object) -> object:
            nonlocal done
            done += 1
            if done == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return step(*others)

        trainer.optimizer.step = die
    trainer.train()
    trainer.take_best()
    save_file({key: value.contiguous() for key, value in weights(trainer).items()}, out)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
