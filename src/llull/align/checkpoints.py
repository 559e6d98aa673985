"""Checkpoints: everything that a training needs to go on as if it had not stopped."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from llull.errors import InputError

_WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=True)


class Checkpoints:
    """Numbered folders of safetensors and JSON; the newest to go on from, and the best to keep.

    Args:
        path: folder that holds them.
        writes: whether this process writes; the others only take part in gathering.
    """

    def __init__(self, path: Path, writes: bool = True) -> None:
        self.path, self.writes = path, writes

    def save(
        self,
        update: int,
        module: nn.Module,
        optimizer: Optimizer,
        facts: dict[str, Any],
        beside: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Keep what has been learned after ``update`` updates; older checkpoints go.

        All processes must call it together; each goes on when the checkpoint is there.

        Args:
            update: how many updates are done.
            module: policy and objective; only what learns, and what the objective remembers, is written.
            optimizer: with its state.
            facts: anything else, as JSON.
            beside: tensors of others, such as a moving reference.
        """
        module = _unwrapped(module)
        model, optim = get_state_dict(module, optimizer, options=_WHOLE)
        remembered = {name: value for name, value in module.named_buffers() if name.startswith("objective.")}
        if self.writes:
            self._write(update, {"model": model | remembered, "optimizer": optim, "beside": dict(beside or {})}, facts)
        if torch.distributed.is_initialized():
            torch.distributed.barrier()

    def _write(self, update: int, state: dict[str, Any], facts: dict[str, Any]) -> None:
        tensors, rest = _flatten(state)
        unfinished = self.path / f"{update}.part"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        save_file(tensors | {"random": torch.get_rng_state()}, unfinished / "state.safetensors")
        (unfinished / "state.json").write_text(json.dumps({"update": update, "rest": rest, "facts": facts}))
        unfinished.replace(self._fresh(update))
        for older in self._finished():
            if older != update:
                shutil.rmtree(self.path / str(older))

    def newest(self) -> int | None:
        """The number of updates of the newest whole checkpoint, or None."""
        return max(self._finished(), default=None)

    def facts(self, update: int) -> dict[str, Any]:
        """The facts of a checkpoint."""
        return json.loads((self.path / str(update) / "state.json").read_text())["facts"]

    def load(self, update: int, module: nn.Module, optimizer: Optimizer) -> dict[str, Tensor]:
        """Put a checkpoint back; returns the tensors beside.

        Raises:
            InputError: if it is of another model or objective.
        """
        folder = self.path / str(update)
        tensors = load_file(folder / "state.safetensors")
        content = json.loads((folder / "state.json").read_text())
        torch.set_rng_state(tensors.pop("random"))
        state = _nest(tensors, content["rest"])
        module = _unwrapped(module)
        buffers = dict(module.named_buffers())
        # Tied weights go by several names.
        learned = {name for name, _ in module.named_parameters(remove_duplicate=False)}
        for name in list(state["model"]):
            if name in buffers and name.startswith("objective."):
                _set_buffer(module, name, state["model"].pop(name))
            elif name not in learned:
                raise InputError(f"{folder}: holds {name}, which this model does not have; use another --out")
        set_state_dict(
            module,
            optimizer,
            model_state_dict=state["model"],
            optim_state_dict=state["optimizer"],
            options=StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=True, strict=False),
        )
        return state["beside"]

    def clear(self) -> None:
        """Remove all checkpoints."""
        if self.writes:
            shutil.rmtree(self.path, ignore_errors=True)

    def _finished(self) -> list[int]:
        return [int(p.name) for p in self.path.glob("*") if p.name.isdigit()] if self.path.exists() else []

    def _fresh(self, update: int) -> Path:
        folder = self.path / str(update)
        shutil.rmtree(folder, ignore_errors=True)
        return folder


def _unwrapped(module: nn.Module) -> nn.Module:
    """By the names that weights have in every kind of training."""
    return module.module if isinstance(module, DistributedDataParallel) else module


def _set_buffer(module: nn.Module, name: str, value: Tensor) -> None:
    owner, _, leaf = name.rpartition(".")
    holder = module.get_submodule(owner)
    setattr(holder, leaf, value.to(getattr(holder, leaf).device))


def _flatten(state: dict[str, Any]) -> tuple[dict[str, Tensor], list[Any]]:
    """Tensors by their path as a JSON list, and the leaves that are no tensors as [path, value]."""
    tensors: dict[str, Tensor] = {}
    rest: list[Any] = []

    def walk(path: list[Any], value: Any) -> None:
        if isinstance(value, Tensor):
            tensors[json.dumps(path)] = value.detach().cpu().contiguous().clone()
        elif isinstance(value, dict):
            if not value:
                rest.append([path, {}])
            for key, inner in value.items():
                walk([*path, key], inner)
        else:
            rest.append([path, value])

    walk([], state)
    return tensors, rest


def _nest(tensors: dict[str, Tensor], rest: list[Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    leaves = [(json.loads(path), value) for path, value in tensors.items()] + [(path, value) for path, value in rest]
    for path, value in leaves:
        place = nested
        for key in path[:-1]:
            place = place.setdefault(key, {})
        place[path[-1]] = value
    return nested
