"""One of several processes that train every family together; the first writes what came out.

Run as: python parallel_worker.py MODE OUT, with RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT in the environment, where
MODE is single, ddp or fsdp2.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import FullyShardedDataParallelPlugin
from safetensors.torch import save_file
from small_trainings import FAMILIES, first_gradients, make_trainer, weights
from torch import Tensor


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


def main(mode: str, out: Path) -> None:
    """Train every family for some updates and write gradients, weights and losses."""
    torch.set_num_threads(1)
    found: dict[str, Tensor] = {}
    for name in FAMILIES:
        accelerator = accelerator_of(mode)
        with tempfile.TemporaryDirectory() as folder:
            # So large a budget that some windows have one micro-batch only: one of two processes is then idle.
            budget = 500 if name in ("SimPO", "KTO") else 30
            trainer = make_trainer(
                name, Path(folder), dtype=torch.float64, accelerator=accelerator, token_budget=budget, epochs=1
            )
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
