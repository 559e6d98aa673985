"""Trains one update of a Llama of 15 million parameters and prints estimated and used bytes.

Run as: python memory_worker.py FOLDER BUDGET CHECKPOINTED.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from llull.align import Trainer, Training, TrainingSet
from llull.align.memory import estimate_memory
from llull.language.model import LanguageModel
from llull.objectives import PairUnits
from llull.objectives.presets import PRESETS


def peak() -> int:
    """Bytes that this process has ever had in memory: what ``ru_maxrss`` says begins with its parent's memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


def make_trainer(folder: Path, budget: int, checkpointed: bool, hidden: int, layers: int) -> Trainer:
    """One window that fills a micro-batch."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=32000 if layers > 1 else 100,
        hidden_size=hidden,
        intermediate_size=hidden * 8 // 3,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 48,
        num_key_value_heads=hidden // 48,
        tie_word_embeddings=True,
    )
    rng = np.random.default_rng(0)
    pairs = budget // 512
    data = TrainingSet(
        prompts=tuple(rng.integers(3, 90, 256).astype(np.int32) for _ in range(pairs)),
        options=tuple(rng.integers(3, 90, 128).astype(np.int32) for _ in range(2 * pairs)),
        scored=(None,) * (2 * pairs),
        prompt=np.repeat(np.arange(pairs), 2),
        units={"main": PairUnits.of(2 * torch.arange(pairs), 2 * torch.arange(pairs) + 1)},
    )
    settings = Training(
        batch_size=pairs,
        epochs=2,
        learning_rate=1e-4,
        token_budget=budget,
        gradient_checkpointing=checkpointed,
        evaluate_every=0,
        save_every=10,
    )
    return Trainer(LanguageModel(LlamaForCausalLM(config)), PRESETS["SimPO"](), data, settings, folder)


def train(trainer: Trainer) -> None:
    """Two updates: in the second, the optimizer's state is there beside activations."""
    trainer.train()


def main(folder: Path, budget: int, checkpointed: bool) -> None:
    """A tiny training first, so that libraries have taken what they take."""
    torch.set_num_threads(1)
    train(make_trainer(folder / "small", 512, checkpointed, 48, 1))
    before = peak()
    trainer = make_trainer(folder / "large", budget, checkpointed, 288, 6)
    train(trainer)
    estimated = estimate_memory(trainer.policy, budget, checkpointing=checkpointed).total
    print(estimated, peak() - before)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "checkpointed")
