"""A model whole again, after processes have shared its weights (FSDP2)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TypeVar, cast

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor

AnyModule = TypeVar("AnyModule", bound=nn.Module)


def is_shared(module: nn.Module) -> bool:
    """Whether each process holds but a part of some weights."""
    return any(isinstance(parameter, DTensor) for parameter in module.parameters())


def part_again(module: nn.Module) -> None:
    """Let go of weights that a forward pass without gradient left gathered.

    Where a backward pass follows, it does this; else what learns would stand beside copies that are used instead.
    """
    for part in module.modules():
        if isinstance(part, FSDPModule):
            part.reshard()


def shell_of(module: AnyModule) -> AnyModule:
    """A copy of a model that has not been shared yet, with weights that take no memory; for `whole`."""
    return _with(module, lambda parameter: parameter.new_empty(parameter.shape, device="meta"), module)


def whole(module: nn.Module, shell: AnyModule) -> AnyModule:
    """Gather a shared model into one that is as if it had never been shared; ties between weights stay.

    All processes must call it together, and each gets the whole model, where its part was.

    Args:
        module: the model, shared.
        shell: `shell_of` the same model, made before.
    """
    # What a forward pass left gathered may be in lower precision than what learns.
    part_again(module)
    return _with(shell, _gathered, module)


def _with(copied: AnyModule, value: Callable[[nn.Parameter], Tensor], source: nn.Module) -> AnyModule:
    """A deep copy of a module whose weights are made of those of a source that is built alike."""
    pairs = zip(copied.parameters(), source.parameters(), strict=True)
    made = {id(old): nn.Parameter(value(new), requires_grad=new.requires_grad) for old, new in pairs}
    return copy.deepcopy(copied, cast(dict[int, object], made))


@torch.no_grad()
def _gathered(parameter: nn.Parameter) -> Tensor:
    if not isinstance(parameter, DTensor):
        return parameter.detach().clone()
    kept = parameter.device
    # Parts that were put off to the CPU can only be gathered where the processes talk.
    there = cast(DTensor, parameter.detach().to(parameter.device_mesh.device_type))
    return there.full_tensor().to(kept)
