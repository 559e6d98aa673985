"""Small trainings: random contexts and options, a random Llama, and an objective of every family."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributed.tensor import DTensor
from transformers import LlamaConfig, LlamaForCausalLM

from llull.align import KnownValues, Teaching, Trainer, Training, TrainingSet
from llull.language.model import LanguageModel
from llull.objectives import ListUnits, Objective, PairUnits, SingleUnits
from llull.objectives.axes import Kind
from llull.objectives.batch import Units
from llull.objectives.presets import PRESETS

VOCABULARY, CONTEXTS, OPTIONS = 61, 12, 4

FAMILIES: dict[str, Callable[[], Objective]] = {
    name: PRESETS[name]
    for name in (
        "DPO",
        "IPO",
        "SimPO",
        "ORPO",
        "LCPO",
        "AOT",
        "GroupRobustDPO",
        "DavidsonDPO",
        "LDDPO",
        "WPO",
        "KTO",
        "BCO",
        "PlackettLuceDPO",
        "LiPO",
        "PRO",
        "TDPO",
        "StepDPO",
        "FlexDPO",
    )
}
"""One of each way in which an objective can need something."""


def make_model(seed: int = 0, dtype: torch.dtype = torch.float32, tied: bool = False) -> LanguageModel:
    """A random Llama of two layers; in float64 its norms are too, which transformers computes in float32."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        tie_word_embeddings=tied,
    )
    model = LlamaForCausalLM(config).to(dtype)
    if dtype == torch.float64:
        norms = [name for name, module in model.named_modules() if type(module).__name__ == "LlamaRMSNorm"]
        for name in norms:
            model.set_submodule(name, torch.nn.RMSNorm(config.hidden_size, config.rms_norm_eps, dtype=dtype))
    return LanguageModel(model)


def make_data(kind: Kind = "pairs", seed: int = 0, contexts: int = CONTEXTS) -> TrainingSet:
    """Random contexts with four options each, judged at random by three annotators of two groups."""
    rng = np.random.default_rng(seed)
    random = torch.Generator().manual_seed(seed)
    prompts = tuple(_ids(rng, 3, 9) for _ in range(contexts))
    options = tuple(_ids(rng, 2, 7) for _ in range(OPTIONS * contexts))
    prompt = np.repeat(np.arange(contexts), OPTIONS)
    data = TrainingSet(prompts, options, (None,) * len(options), prompt, {"main": _units(kind, contexts, random)})
    return data.with_mismatched(seed) if kind == "singles" else data


def _ids(rng: np.random.Generator, shortest: int, longest: int) -> np.ndarray:
    return rng.integers(3, VOCABULARY, rng.integers(shortest, longest + 1)).astype(np.int32)


def _units(kind: Kind, contexts: int, random: torch.Generator) -> Units:
    first = OPTIONS * torch.arange(contexts)
    if kind == "lists":
        option = first[:, None] + torch.stack([torch.randperm(OPTIONS, generator=random) for _ in range(contexts)])
        option[::3, -1] = -1
        gain = torch.rand(contexts, OPTIONS, generator=random).sort(dim=1, descending=True).values
        return ListUnits.of(option, gain=gain.masked_fill(option < 0, torch.nan))
    if kind == "singles":
        option = torch.arange(OPTIONS * contexts)
        accept = torch.randint(0, 2, (len(option),), generator=random).float()
        return SingleUnits.of(option, accept)
    chosen, rejected = torch.cat([first, first + 2]), torch.cat([first + 1, first + 3])
    n = len(chosen)
    return PairUnits.of(
        chosen,
        rejected,
        weight=0.5 + torch.rand(n, generator=random),
        tie=torch.rand(n, generator=random) < 0.1,
        strength=torch.rand(n, generator=random),
        annotator=torch.randint(0, 3, (n,), generator=random),
        group=torch.randint(0, 2, (n,), generator=random),
    )


def known_values(model: LanguageModel, data: TrainingSet) -> KnownValues:
    """The reference's numbers: those of the model as it is."""
    found = model.log_probs(data.trees(np.arange(len(data.options))))
    return KnownValues(found.sums.float(), [each.float() for each in found.tokens], "the model at its start")


def make_trainer(
    name: str, folder: Path, *, model: LanguageModel | None = None, dtype: torch.dtype = torch.float32, **options: Any
) -> Trainer:
    """A trainer of a family's objective; ``options`` are those of `Training`, or arguments of `Trainer`."""
    beside = ("accelerator", "data", "held_out", "identity", "objective", "reference", "starts_at_reference")
    arguments = {key: options.pop(key) for key in beside if key in options}
    objective = (arguments.pop("objective", None) or FAMILIES[name]()).to(dtype)
    data = arguments.pop("data", None) or make_data(objective.kind)
    model = model or make_model(dtype=dtype)
    teaching = Teaching([make_model(dtype=dtype)]) if objective.needs.divergence else None
    settings = Training(
        **{
            "batch_size": 8,
            "epochs": 2,
            "learning_rate": 1e-2,
            "token_budget": 60,
            "evaluate_every": 0,
            "save_every": 0,
            **options,
        }
    )
    reference = arguments.pop("reference", None) or (known_values(model, data) if objective.needs.reference else None)
    return Trainer(model, objective, data, settings, folder, reference=reference, teaching=teaching, **arguments)


def first_gradients(trainer: Trainer) -> dict[str, Tensor]:
    """Fills, at the first update, with the whole gradients as they are before they are shortened."""
    seen: dict[str, Tensor] = {}
    shorten = trainer.accelerator.clip_grad_norm_

    def watched(parameters: object, length: float) -> Tensor | None:
        parameters = list(parameters)
        if not seen:
            for name, parameter in trainer.step.named_parameters():
                gradient = parameter.grad
                if gradient is not None:
                    whole = gradient.full_tensor() if isinstance(gradient, DTensor) else gradient
                    seen[name.removeprefix("module.")] = whole.detach().cpu().clone()
        return shorten(parameters, length)

    trainer.accelerator.clip_grad_norm_ = watched
    return seen


def weights(trainer: Trainer) -> dict[str, Tensor]:
    """What was trained, on the CPU, whole."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    whole = StateDictOptions(full_state_dict=True, cpu_offload=True)
    return {name: value.clone() for name, value in get_model_state_dict(trainer.step, options=whole).items()}
