"""One of several processes that train every family together, save and resume; the first writes what came out.

Run as: python parallel_worker.py MODE OUT, with RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT in the environment, where
MODE is single, ddp or fsdp2.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin
from safetensors.torch import load_file, save_file
from small_trainings import (
    FAMILIES,
    VOCABULARY,
    first_gradients,
    known_values,
    make_data,
    make_model,
    make_trainer,
    weights,
)
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from llull.align import Adapter, LiveReference, Trainer
from llull.align.gathering import is_shared
from llull.align.policies import Policy, load_policy, save_policy, with_adapters
from llull.align.reward_composed import StatesOnly
from llull.align.reward_heads import make_head
from llull.align.reward_model import RewardModel
from llull.align.reward_people import Above, PeopleReward
from llull.align.reward_saving import SavedReward, load_reward_model, save_reward_model
from llull.language.model import LanguageModel
from llull.models.fitting.part import Part as FittedPart
from llull.models.fitting.part import Parts
from llull.models.heads import Linear
from llull.models.links import DavidsonTies
from llull.models.populations import Mixture
from llull.models.votes import Scaling, Votes
from llull.objectives import PairUnits
from llull.objectives.presets.rewards import BradleyTerryReward
from llull.objectives.references import ReferenceRule


def accelerator_of(mode: str) -> Accelerator:
    """An accelerator on the CPU that wraps as the mode says."""
    AcceleratorState._reset_state(reset_partial_state=True)
    if mode != "fsdp2":
        return Accelerator(cpu=True)
    plugin = FullyShardedDataParallelPlugin(
        fsdp_version=2,
        auto_wrap_policy="transformer_based_wrap",
        transformer_cls_names_to_wrap=["LlamaDecoderLayer"],
        reshard_after_forward=True,
        # As `accelerate launch` asks for it unless told otherwise.
        cpu_ram_efficient_loading=True,
    )
    accelerator = Accelerator(cpu=True, fsdp_plugin=plugin)
    # On CPUs accelerate takes DDP without a word; so it is put into the state that it takes itself on GPUs.
    for state in (accelerator.state, PartialState()):
        state.distributed_type = DistributedType.FSDP
    accelerator.state.fsdp_plugin = plugin
    assert accelerator.is_fsdp2
    return accelerator


CASES = (*FAMILIES, "tied", "adapter", "moving", "tastes")
SAVED = ("policy", "tied", "adapter", "linear reward", "deep reward", "adapter reward")
RESUMED = ("LCPO", "KTO", "moving", "tastes")


def adapted(folder: Path) -> LanguageModel:
    """A model with adapters, whose base is kept in a folder."""
    base: Any = make_model(dtype=torch.float64).model
    base.save_pretrained(folder)
    base.name_or_path = str(folder)
    return LanguageModel(with_adapters(base, Adapter(rank=4)).to(torch.float64))


def tastes() -> PeopleReward:
    """The likelihood of a mixture of two tastes with ties, of the annotators of `make_data`."""
    units, width, random = make_data().units["main"], 32, np.random.default_rng(0)
    assert isinstance(units, PairUnits)
    annotator = units.annotator.numpy()
    pairs = np.arange(len(units))
    votes = Votes(
        rows=random.normal(size=(2 * len(units), width)),
        winner=2 * pairs,
        loser=2 * pairs + 1,
        tie=units.tie.numpy(),
        weight=units.weight.double().numpy(),
        context=pairs,
        annotator=annotator,
        judgment=pairs,
        member=annotator,
        members=("a", "b", "c"),
    )
    known = (np.zeros(1), np.eye(width), np.ones(width), 1.0, True, 1, 1.0)
    parts = {f"taste {k}": FittedPart({}, random.normal(size=width), *known) for k in range(2)}
    above = Above(Linear(), DavidsonTies(), Mixture(2))
    scaling = Scaling(np.zeros(width), np.ones(width))
    return PeopleReward(above, Parts(None, parts, {"prior": np.array([0.6, 0.4])}), scaling, votes)


def make_case(name: str, folder: Path, accelerator: Accelerator, **arguments: Any) -> Trainer:
    """A family's trainer, or one of tied weights, of adapters, or one whose reference moves."""
    # So large a budget that some windows have one micro-batch only: one of two processes is then idle.
    budget = 500 if name in ("SimPO", "KTO") else 30
    if name == "tied":
        arguments["model"] = make_model(dtype=torch.float64, tied=True)
    if name == "adapter":
        arguments["model"] = adapted(folder / f"base {accelerator.process_index}")
    if name == "moving":
        arguments["reference"] = LiveReference(make_model(dtype=torch.float64), ReferenceRule("soft", every=1))
    if name == "tastes":
        arguments |= {"model": StatesOnly(make_model(dtype=torch.float64).model).double(), "objective": tastes()}
    return make_trainer(
        name if name in FAMILIES else "DPO",
        folder,
        dtype=torch.float64,
        accelerator=accelerator,
        token_budget=budget,
        **{"epochs": 1, **arguments},
    )


def make_saved(name: str, folder: Path, accelerator: Accelerator) -> Trainer:
    """A trainer of what is to be saved, which keeps the best evaluation: an early one, as judgments are random."""
    held_out = make_data(seed=1)
    often: dict[str, Any] = {"epochs": 2, "evaluate_every": 1, "best_by": "loss"}
    if name.endswith("reward"):
        head = make_head("mlp" if name == "deep reward" else "linear", 32, seed=0).double()
        inside = adapted(folder / "base") if name == "adapter reward" else make_model(dtype=torch.float64)
        reward = {"model": RewardModel(inside.model, head), "objective": BradleyTerryReward()}
        return make_case("reward", folder, accelerator, held_out=(held_out, None), **reward, **often)
    known = known_values(make_model(dtype=torch.float64, tied=name == "tied"), held_out)
    return make_case(name, folder, accelerator, held_out=(held_out, known), **often)


def save(name: str, trainer: Trainer, folder: Path) -> dict[str, Tensor]:
    """Save the best weights as the end of a training does; returns all that the files hold, and what it says."""
    best = trainer.take_best()
    whole = trainer.whole_policy().eval()
    trees = make_data(seed=2).trees(np.arange(8))
    found = {"says": whole.log_probs(trees).sums, "best": torch.tensor(best), "last": torch.tensor(trainer.updates)}
    if not trainer.accelerator.is_main_process:
        return found
    if isinstance(whole, RewardModel):
        save_reward_model(SavedReward(whole, tokenizer(), name), folder, [np.arange(3, 9), np.arange(5, 20)])
        again: LanguageModel = load_reward_model(folder).model
    else:
        save_policy(Policy(whole, tokenizer(), name), folder)
        again = load_policy(folder).model
    found["says again"] = again.log_probs(trees).sums
    for file in sorted(folder.rglob("*.safetensors")):
        found |= {f"{file.stem}/{key}": value for key, value in load_file(file).items()}
    return found


def tokenizer() -> PreTrainedTokenizerFast:
    """A word for each id."""
    words = {f"w{i}": i for i in range(VOCABULARY)}
    inner = Tokenizer(WordLevel(words, unk_token="w0"))
    return PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="w2", unk_token="w0", pad_token="w1")


class Stopped(Exception):
    """A training was stopped on its way, in all processes."""


def stop_before(trainer: Trainer, update: int) -> None:
    """Let a training stop when it is about to take a step."""
    step, steps = trainer.optimizer.step, 0

    def watched(*others: object) -> object:
        nonlocal steps
        steps += 1
        if steps == update:
            raise Stopped
        return step(*others)

    trainer.optimizer.step = watched


def named(what: str, name: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors by longer names, that are the same however a model is wrapped."""
    return {f"{name}/{what}/{key.removeprefix('module.')}": value.contiguous() for key, value in tensors.items()}


def main(mode: str, out: Path) -> None:
    """Train every family for some updates and write gradients, weights and losses; then save, and stop and go on."""
    torch.set_num_threads(1)
    found: dict[str, Tensor] = {}
    for name in CASES:
        accelerator = accelerator_of(mode)
        with tempfile.TemporaryDirectory() as folder:
            trainer = make_case(name, Path(folder), accelerator)
            assert is_shared(trainer.policy) == (mode == "fsdp2")
            gradients = first_gradients(trainer)
            history = trainer.train()
            found |= named("gradient", name, gradients) | named("weight", name, weights(trainer))
            found[f"{name}/loss"] = torch.tensor([update["loss"] for update in history.updates], dtype=torch.float64)
        accelerator.free_memory()
    for name in SAVED:
        accelerator = accelerator_of(mode)
        # Here all processes work in one folder, as they do outside of tests.
        trainer = make_saved(name, out.parent / name, accelerator)
        trainer.train()
        found |= named("file", name, save(name, trainer, out.parent / name / "model"))
        accelerator.free_memory()
    for name in RESUMED:
        for part in ("uninterrupted", "resumed"):
            accelerator = accelerator_of(mode)
            folder = out.parent / part / name
            often: dict[str, Any] = {"save_every": 2}
            if part == "resumed":
                cut = make_case(name, folder, accelerator, **often)
                stop_before(cut, 3)
                with suppress(Stopped):
                    cut.train()
                accelerator.free_memory()
                accelerator = accelerator_of(mode)
            trainer = make_case(name, folder, accelerator, **often)
            trainer.train()
            found |= named(part, name, weights(trainer))
            accelerator.free_memory()
    if accelerator.is_main_process:
        save_file({key: value.clone() for key, value in found.items()}, out)
    accelerator.end_training()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
