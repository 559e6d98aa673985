"""One of several processes that train every family together; the first writes what came out.

Run as: python parallel_worker.py MODE OUT, with RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT in the environment, where
MODE is single, ddp or fsdp2.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import FullyShardedDataParallelPlugin
from safetensors.torch import save_file
from small_trainings import FAMILIES, first_gradients, make_model, make_trainer, weights
from torch import Tensor

from llull.align import Adapter, LiveReference, Trainer
from llull.align.policies import with_adapters
from llull.language.model import LanguageModel
from llull.objectives.references import ReferenceRule


def accelerator_of(mode: str) -> Accelerator:
    """An accelerator on the CPU that wraps as the mode says."""
    if mode != "fsdp2":
        return Accelerator(cpu=True)
    plugin = FullyShardedDataParallelPlugin(
        fsdp_version=2,
        auto_wrap_policy="transformer_based_wrap",
        transformer_cls_names_to_wrap=["LlamaDecoderLayer"],
        reshard_after_forward=True,
    )
    return Accelerator(cpu=True, fsdp_plugin=plugin)


CASES = (*FAMILIES, "adapter", "moving")


def make_case(name: str, folder: Path, accelerator: Accelerator) -> Trainer:
    """A family's trainer, or one of adapters, or one whose reference moves."""
    # So large a budget that some windows have one micro-batch only: one of two processes is then idle.
    budget = 500 if name in ("SimPO", "KTO") else 30
    arguments: dict[str, Any] = {}
    if name == "adapter":
        adapted = with_adapters(make_model(dtype=torch.float64).model, Adapter(rank=4)).to(torch.float64)
        arguments["model"] = LanguageModel(adapted)
    if name == "moving":
        arguments["reference"] = LiveReference(make_model(dtype=torch.float64), ReferenceRule("soft", every=1))
    return make_trainer(
        name if name in FAMILIES else "DPO",
        folder,
        dtype=torch.float64,
        accelerator=accelerator,
        token_budget=budget,
        epochs=1,
        **arguments,
    )


def main(mode: str, out: Path) -> None:
    """Train every family for some updates and write gradients, weights and losses."""
    torch.set_num_threads(1)
    found: dict[str, Tensor] = {}
    for name in CASES:
        accelerator = accelerator_of(mode)
        with tempfile.TemporaryDirectory() as folder:
            trainer = make_case(name, Path(folder), accelerator)
            gradients = first_gradients(trainer)
            history = trainer.train()
            found |= {f"{name}/gradient/{key}": value for key, value in gradients.items()}
            found |= {
                f"{name}/weight/{key.removeprefix('module.')}": value.contiguous()
                for key, value in weights(trainer).items()
            }
            found[f"{name}/loss"] = torch.tensor([update["loss"] for update in history.updates], dtype=torch.float64)
        accelerator.free_memory()
    if accelerator.is_main_process:
        save_file({key: value.clone() for key, value in found.items()}, out)
    accelerator.end_training()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
