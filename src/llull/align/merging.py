"""The weights of a model with its adapters applied, as a model without adapters would have them."""

from __future__ import annotations

import copy
from typing import Any, cast

import torch
from torch import Tensor, nn

from llull.language.anatomy import Anatomy


def is_quantized(model: nn.Module) -> bool:
    """Whether frozen weights are kept in few bits."""
    return bool(getattr(Anatomy(model).base, "is_quantized", False))


def merged_backbone(model: nn.Module) -> dict[str, Tensor]:
    """The backbone's weights, all adapters applied; the model stays as it is.

    Frozen weights in half precision are merged in float32. Weights in few bits are read off as what their layers do,
    so that they are as exact as the arithmetic of the training was.

    Args:
        model: a `transformers.PreTrainedModel` with a language-modeling head, or a `peft.PeftModel` around one.

    Returns:
        By the names that the backbone of a plain model gives them.
    """
    anatomy = Anatomy(model)
    if is_quantized(model):
        return _as_applied(anatomy.backbone)
    if anatomy.base is model:
        return anatomy.backbone.state_dict()
    merged = cast(Any, copy.deepcopy(model)).float().merge_and_unload()
    return Anatomy(merged).backbone.state_dict()


@torch.no_grad()
def _as_applied(backbone: nn.Module) -> dict[str, Tensor]:
    linear: dict[str, nn.Module] = {}
    for name, module in backbone.named_modules():
        known = any(name.startswith(f"{outer}.") for outer in linear)
        if not known and (hasattr(module, "base_layer") or hasattr(getattr(module, "weight", None), "quant_state")):
            linear[name] = module
    found = {
        name: value.float() if value.is_floating_point() else value
        for name, value in backbone.state_dict().items()
        if not any(name.startswith(f"{outer}.") for outer in linear)
    }
    for name, module in linear.items():
        inner: Any = getattr(module, "base_layer", module)
        # What a linear layer does to the unit vectors is its matrix.
        unit = torch.eye(inner.in_features, device=inner.weight.device)
        applied = module(unit).float()
        bias = getattr(inner, "bias", None)
        if bias is not None:
            found[f"{name}.bias"] = bias.detach().float()
            applied = applied - bias.float()
        found[f"{name}.weight"] = applied.T.contiguous()
    return found
