"""A model whole again, after processes have shared its weights (FSDP2)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TypeVar, cast

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType
from torch import nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor

from llull.errors import InputError

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


def before_sharing(module: AnyModule, accelerator: Accelerator) -> AnyModule | None:
    """A copy of a model, whose weights take no memory, for `whole`; None where processes are not going to share it.

    Raises:
        InputError: if they would share it by FSDP's first version.
    """
    if accelerator.distributed_type != DistributedType.FSDP:
        return None
    plugin = accelerator.state.fsdp_plugin
    if plugin is None or plugin.fsdp_version != 2:
        raise InputError("processes share weights by FSDP2 only: set fsdp_version to 2 where accelerate is configured")
    # Each process has loaded the model; doing it in one of them would untie its weights.
    plugin.cpu_ram_efficient_loading = False
    return _with(module, _emptied, module)


def whole(module: nn.Module, shell: AnyModule) -> AnyModule:
    """Gather a shared model into one that is as if it had never been shared; ties between weights stay.

    All processes must call it together, and each gets the whole model, where its part was. Weights that were not
    shared, such as quantized ones, are in both.

    Args:
        module: the model, shared.
        shell: what `before_sharing` gave.
    """
    # What a forward pass left gathered may be in lower precision than what learns.
    part_again(module)
    return _with(shell, _gathered, module)


def _with(copied: AnyModule, made_of: Callable[[nn.Parameter], nn.Parameter], source: nn.Module) -> AnyModule:
    """A deep copy of a module whose weights are made of those of a source that is built alike."""
    pairs = zip(copied.parameters(), source.parameters(), strict=True)
    made = {id(old): made_of(new) for old, new in pairs}
    return copy.deepcopy(copied, cast(dict[int, object], made))


def _emptied(parameter: nn.Parameter) -> nn.Parameter:
    if not parameter.is_floating_point():
        return parameter
    empty = parameter.new_empty(parameter.shape, device="meta")
    return nn.Parameter(empty, requires_grad=parameter.requires_grad)


@torch.no_grad()
def _gathered(parameter: nn.Parameter) -> nn.Parameter:
    if not isinstance(parameter, DTensor):
        return parameter
    # Parts that were put off to the CPU can only be gathered where the processes talk.
    there = cast(DTensor, parameter.detach().to(parameter.device_mesh.device_type))
    return nn.Parameter(there.full_tensor().to(parameter.device), requires_grad=parameter.requires_grad)
