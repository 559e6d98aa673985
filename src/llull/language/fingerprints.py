"""Fingerprints of language models: equal where and only where the weights that make the numbers are equal."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor, nn

from llull.errors import InputError

_UNRELATED = frozenset(
    {
        "architectures",
        "base_model_name_or_path",
        "chunk_size_feed_forward",
        "dtype",
        "id2label",
        "inference_mode",
        "initializer_range",
        "init_lora_weights",
        "label2id",
        "peft_version",
        "pretraining_tp",
        "problem_type",
        "return_dict",
        "revision",
        "torch_dtype",
        "transformers_version",
        "use_cache",
    }
)
"""Settings that leave the log-probabilities of a loaded model as they are."""

_UNRELATED_ENDINGS = ("_token_id", "_dropout", "_pdrop")
_UNRELATED_BEGINNINGS = ("_", "output_")
_SIZE = 16


def fingerprint(model: nn.Module) -> str:
    """Identify a model by its weights and by the settings that change what they compute; adapters are left out.

    It is the same in every process, after saving and loading in the same dtype, and for a model with or without PEFT
    adapters around it. It changes with any bit of any parameter or persistent buffer, and with its dtype.

    Args:
        model: a `transformers.PreTrainedModel`, or a `peft.PeftModel` around one, not merged and not sharded.

    Returns:
        32 hexadecimal digits.

    Raises:
        InputError: if an adapter is merged into the weights, or weights are sharded or not loaded.
    """
    base = _base(model)
    tensors, _ = _split(base)
    return _digest(base.config.to_dict(), tensors)


def adapter_fingerprint(model: nn.Module, adapter: str) -> str:
    """Identify one PEFT adapter by its weights and settings, whatever it is called.

    Args:
        model: the `peft.PeftModel` that has it.
        adapter: its name there.

    Returns:
        32 hexadecimal digits.

    Raises:
        InputError: if the model has no adapter of this name.
    """
    configs = adapters(model)
    if adapter not in configs:
        raise InputError(f"adapter {adapter!r}: the model has {', '.join(map(repr, configs)) or 'no adapters'}")
    _, of_adapters = _split(_base(model))
    return _digest(configs[adapter].to_dict(), of_adapters.get(adapter, {}))


def adapters(model: nn.Module) -> Mapping[str, Any]:
    """The PEFT configurations of a model's adapters by name; empty without adapters."""
    return getattr(model, "peft_config", None) or {}


def _base(model: nn.Module) -> Any:
    return model.get_base_model() if adapters(model) else model  # pyright: ignore[reportCallIssue]


def _split(base: nn.Module) -> tuple[dict[str, Tensor], dict[str, dict[str, Tensor]]]:
    """A model's tensors by the names they have without adapters, and each adapter's by place."""
    holders, wrappers = _adapter_places(base)
    own: dict[str, Tensor] = {}
    of_adapters: dict[str, dict[str, Tensor]] = {}
    for key, value in base.state_dict().items():
        if not isinstance(value, Tensor):
            continue
        place, name = _owner(key, holders)
        if name is not None:
            of_adapters.setdefault(name, {})[place] = value
        else:
            own[_without_wrappers(key, wrappers)] = value
    return own, of_adapters


def _adapter_places(base: nn.Module) -> tuple[set[str], set[str]]:
    """Paths of containers that hold one entry for each adapter, and paths of what wraps an original module."""
    holders: set[str] = set()
    wrappers: set[str] = set()
    for path, module in base.named_modules():
        if getattr(module, "merged", False):
            raise InputError(f"{path}: an adapter is merged into the weights; unmerge it before taking a fingerprint")
        parts = getattr(module, "adapter_layer_names", None)
        if parts is not None:
            holders.update(f"{path}.{part}" for part in parts)
            wrappers.update(f"{path}.{part}" for part in ("base_layer", "original_module", "token_adapter"))
    return holders, wrappers


def _owner(key: str, holders: set[str]) -> tuple[str, str | None]:
    """The place of a tensor without its adapter's name, and that name; None for tensors of the model itself."""
    parts = key.split(".")
    for cut in range(1, len(parts)):
        if ".".join(parts[:cut]) in holders:
            return ".".join(parts[:cut] + parts[cut + 1 :]), parts[cut]
    return key, None


def _without_wrappers(key: str, wrappers: set[str]) -> str:
    parts = key.split(".")
    return ".".join(part for i, part in enumerate(parts) if ".".join(parts[: i + 1]) not in wrappers)


def _digest(settings: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    names = sorted(tensors)
    whole = blake2b(digest_size=_SIZE)
    whole.update(json.dumps(_related(settings), sort_keys=True, default=str).encode())
    for name, digest in zip(names, _tensor_digests([tensors[name] for name in names]), strict=True):
        whole.update(name.encode() + b"\0" + digest)
    return whole.hexdigest()


def _tensor_digests(tensors: list[Tensor]) -> Iterable[bytes]:
    # Hashing lets go of the interpreter, so that threads share a large model among the cores.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(_tensor_digest, tensors))


def _tensor_digest(tensor: Tensor) -> bytes:
    if tensor.is_meta or hasattr(tensor, "full_tensor"):
        raise InputError(
            "fingerprint: weights that are not loaded, or sharded over processes, cannot be read; "
            "take the fingerprint of the whole model before it is distributed"
        )
    digest = blake2b(f"{tensor.dtype} {tuple(tensor.shape)} ".encode(), digest_size=_SIZE)
    content = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    digest.update(content.numpy().data)
    return digest.digest()


def _related(settings: Any) -> Any:
    if isinstance(settings, Mapping):
        return {
            str(key): _related(value)
            for key, value in settings.items()
            if str(key) not in _UNRELATED
            and not str(key).endswith(_UNRELATED_ENDINGS)
            and not str(key).startswith(_UNRELATED_BEGINNINGS)
        }
    if isinstance(settings, (set, frozenset)):
        return sorted(map(str, settings))
    if isinstance(settings, (list, tuple)):
        return [_related(value) for value in settings]
    return settings
