"""Reward models on disk: as transformers loads them where it can, and checked by a probe whenever they are loaded."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from llull.align.merging import is_quantized, merged_backbone
from llull.align.policies import Policy, load_policy, save_policy
from llull.align.reward_heads import LinearHead, head_name, make_head
from llull.align.reward_model import RewardModel
from llull.errors import InputError
from llull.language.loading import loaded, without_bars
from llull.language.trees import PrefixTree

RECORD = "reward.json"
"""What kind of folder it is, the template, and the probe: options as token ids with the rewards they had."""

_LANGUAGE, _HEAD = "language", "head.safetensors"
_TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-3, torch.bfloat16: 5e-2, torch.float16: 5e-2}
"""How far rewards may be apart after loading, relative to 1 + the largest, by the dtype of the weights when trained."""

_SPARE = re.compile(r"pad|reserved|unused", re.IGNORECASE)


@dataclass(frozen=True)
class SavedReward:
    """A reward model with what is needed to give it text."""

    model: RewardModel
    tokenizer: Any
    """Of transformers."""
    name: str
    template: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of `llull.language.templates.Template`, beside the tokenizer."""


def save_reward_model(reward: SavedReward, folder: str | Path, probe: Sequence[np.ndarray]) -> Path:
    """Write a reward model, its tokenizer and a probe.

    A linear head without bias makes a model for transformers' ``AutoModelForSequenceClassification`` with one label:
    the head is its ``score.weight``, adapters are merged into the weights, and ``pad_token_id`` is a token that ends no
    option, so that transformers, which reads the last token that is no padding, reads the right one. What is read is
    the token that ends the turn: what a chat template puts behind it, such as a line break, is to be cut off.
    Other heads, and architectures without such a class, make a folder that `load_reward_model` reads.

    Args:
        reward: the model.
        folder: where to; what it holds of an earlier model is replaced.
        probe: ids of a few contexts with an option, int [tokens] each; scored when the model is loaded.

    Returns:
        The folder.

    Raises:
        InputError: if the weights are quantized and the head is another.
    """
    folder, model = Path(folder), reward.model
    quantized = is_quantized(model.model)
    shell = _classifier(model)
    if shell is None and quantized:
        raise InputError("a reward model on quantized weights is saved only with a linear head without bias")
    folder.mkdir(parents=True, exist_ok=True)
    for older in (RECORD, _HEAD):
        (folder / older).unlink(missing_ok=True)
    dtype = torch.bfloat16 if quantized else next(model.anatomy.backbone.parameters()).dtype
    values = _probe_rewards(model, probe)
    found: dict[str, Any] = {
        "kind": "own",
        "head": {"kind": head_name(model.reward_head), **model.reward_head.config()},
        "template": dict(reward.template),
        "tolerance": _TOLERANCE[dtype],
        "probe": [{"ids": ids.tolist(), "reward": value} for ids, value in zip(probe, values, strict=True)],
    }
    tokenizer = copy.deepcopy(reward.tokenizer)
    if shell is not None:
        _set_padding(shell, tokenizer, {int(ids[-1]) for ids in probe})
        with without_bars():
            shell.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        found["kind"] = "sequence classification"
    else:
        save_policy(Policy(model, tokenizer, reward.name), folder / _LANGUAGE)
        save_file({k: v.detach().cpu().contiguous() for k, v in model.reward_head.state_dict().items()}, folder / _HEAD)
    unfinished = folder / (RECORD + ".part")
    unfinished.write_text(json.dumps(found, allow_nan=False) + "\n", encoding="utf-8")
    unfinished.replace(folder / RECORD)
    return folder


def is_reward_model(name: str | Path) -> bool:
    """Whether a folder holds a reward model, of Llull or of transformers."""
    if (Path(name) / RECORD).exists():
        return True
    config = Path(name) / "config.json"
    if not config.exists():
        return False
    architectures = json.loads(config.read_text(encoding="utf-8")).get("architectures") or []
    return any(kind.endswith("ForSequenceClassification") for kind in architectures)


def load_reward_model(name: str | Path) -> SavedReward:
    """Load a reward model: one that Llull wrote, or any causal ``AutoModelForSequenceClassification`` with one label.

    Args:
        name: folder or hub name.

    Raises:
        InputError: if there is no such model, or its probe does not get the rewards that it had when it was saved.
    """
    record = Path(name) / RECORD
    found: dict[str, Any] = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    if found.get("kind") == "own":
        policy = load_policy(Path(name) / _LANGUAGE)
        shape = dict(found["head"])
        head = make_head(shape.pop("kind"), shape.pop("width"), **shape)
        head.load_state_dict(load_file(Path(name) / _HEAD))
        made = SavedReward(RewardModel(policy.model.model, head), policy.tokenizer, str(name), found["template"])
    else:
        model, tokenizer = _from_classifier(name)
        made = SavedReward(model, tokenizer, str(name), found.get("template", {}))
    made.model.eval()
    if found.get("probe"):
        _check(made.model, found, record)
    return made


def probe_of(prompts: Sequence[np.ndarray], options: Sequence[np.ndarray], prompt: np.ndarray) -> list[np.ndarray]:
    """Eight options with their contexts, spread over those given, as `save_reward_model` takes them.

    Args:
        prompts: ids of each context.
        options: ids of each option.
        prompt: [n] context of each option.
    """
    which = np.unique(np.linspace(0, len(options) - 1, 8).astype(int))
    return [np.concatenate([prompts[int(prompt[i])], options[i]]) for i in which.tolist()]


def _check(model: RewardModel, found: Mapping[str, Any], record: Path) -> None:
    expected = np.array([part["reward"] for part in found["probe"]])
    rewards = np.array(_probe_rewards(model, [np.array(part["ids"], np.int64) for part in found["probe"]]))
    apart = np.abs(rewards - expected).max() / (1 + np.abs(expected).max())
    if not apart <= found["tolerance"]:
        raise InputError(
            f"{record.parent}: the model gives other rewards than when it was saved ({rewards[0]:.4g} instead of "
            f"{expected[0]:.4g} for the first probe); its weights, its head or its layout changed: save it again"
        )


def _probe_rewards(model: RewardModel, probe: Sequence[np.ndarray]) -> list[float]:
    trees = [PrefixTree.of_options(ids[:-1], [ids[-1:]]) for ids in probe]
    return [float(value) for value in model.rewards(trees)]


def _classifier(model: RewardModel) -> Any:
    """The reward model as transformers has it; None where its class or its head cannot be had."""
    from transformers import AutoModelForSequenceClassification

    head = model.reward_head
    if not isinstance(head, LinearHead) or head.score.bias is not None:
        return None
    config = copy.deepcopy(model.anatomy.config)
    config.num_labels = 1
    # What makes it attend over trees is Llull's own and not to be looked for elsewhere.
    config._attn_implementation_internal = None
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    try:
        with torch.device("meta"):
            shell: Any = AutoModelForSequenceClassification.from_config(config)
    except ValueError:
        return None
    backbone = model.anatomy.backbone
    if not isinstance(getattr(shell, "score", None), nn.Linear) or type(shell.base_model) is not type(backbone):
        return None
    weights = merged_backbone(model.model)
    shell.base_model.load_state_dict(weights, assign=True)
    dtype = next(value.dtype for value in weights.values() if value.is_floating_point())
    shell.score.weight = nn.Parameter(head.score.weight.detach().to(dtype))
    return shell


def _from_classifier(name: str | Path) -> tuple[RewardModel, Any]:
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

    shell = loaded(AutoModelForSequenceClassification.from_pretrained, name, "reward model", dtype=torch.float32)
    tokenizer = loaded(AutoTokenizer.from_pretrained, name, "tokenizer")
    try:
        with torch.device("meta"):
            causal: Any = AutoModelForCausalLM.from_config(shell.config)
    except ValueError as problem:
        kind = type(shell).__name__
        raise InputError(f"{name}: {kind} has no causal language model beside it, so Llull cannot run it") from problem
    score = getattr(shell, "score", None)
    if not isinstance(score, nn.Linear) or score.out_features != 1:
        raise InputError(f"{name}: {type(shell).__name__} has no linear head of one label, so it gives no reward")
    setattr(causal, causal.base_model_prefix, shell.base_model)
    # No reward is read off the vocabulary's head, which no file holds; the embeddings stand in for it.
    output = causal.get_output_embeddings()
    output.weight = shell.get_input_embeddings().weight
    if getattr(output, "bias", None) is not None:
        output.bias = nn.Parameter(torch.zeros(len(output.weight)))
    head = LinearHead(score.in_features, bias=score.bias is not None)
    head.score.load_state_dict(score.state_dict())
    return RewardModel(causal, head), tokenizer


def _set_padding(shell: Any, tokenizer: Any, ends: Collection[int]) -> None:
    """Choose padding that is no option's last token: transformers' pooling looks for the last id that is none."""
    ends = {*ends, *([tokenizer.eos_token_id] if tokenizer.eos_token_id is not None else [])}
    spare = [i for i, token in sorted(tokenizer.added_tokens_decoder.items()) if _SPARE.search(token.content)]
    known = [tokenizer.pad_token_id, *spare, tokenizer.unk_token_id]
    chosen = next((i for i in known if i is not None and i not in ends), None)
    if chosen is None:
        tokenizer.add_special_tokens({"pad_token": "<|pad|>"})
        chosen = tokenizer.pad_token_id
        if chosen >= shell.get_input_embeddings().weight.shape[0]:
            with torch.random.fork_rng(devices=[]):
                shell.resize_token_embeddings(chosen + 1, mean_resizing=False)
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(chosen)
    tokenizer.padding_side = "right"
    shell.config.pad_token_id = shell.config.get_text_config().pad_token_id = chosen
