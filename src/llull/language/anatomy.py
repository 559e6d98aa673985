"""Where a causal language model keeps its backbone and its head, and what lies between hidden states and logits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from llull.errors import InputError
from llull.language.heads import Head

_LENGTH_BOUND_ROPE = ("dynamic", "longrope")


class Anatomy:
    """The parts of a transformers causal language model, also under PEFT's adapters.

    Args:
        model: a `transformers.PreTrainedModel` with a language-modeling head, or a `peft.PeftModel` around one.

    Raises:
        InputError: if the model has no head, or an adapter that adds tokens to the prompt.
    """

    def __init__(self, model: nn.Module) -> None:
        configs = getattr(model, "peft_config", None) or {}
        for name, config in configs.items():
            if getattr(config, "is_prompt_learning", False):
                raise InputError(
                    f"adapter {name!r} adds virtual tokens to the prompt: use one that changes weights (LoRA)"
                )
        wrapped: Any = model
        self.base: Any = wrapped.get_base_model() if hasattr(model, "get_base_model") else model
        self.config: Any = self.base.config
        inner = self.base.base_model
        self.backbone: Any = getattr(self.base, "model", inner) if inner is self.base else inner
        self.head_module: nn.Module | None = self.base.get_output_embeddings()
        if self.head_module is None or self.backbone is self.base:
            raise InputError(
                f"{type(self.base).__name__} has no language-modeling head: load it with AutoModelForCausalLM"
            )

    @property
    def text_config(self) -> Any:
        """The configuration of the part that reads text, for models that also see images."""
        return self.config.get_text_config()

    @property
    def device(self) -> torch.device:
        """Where ids must be."""
        return self._embedding.device

    @property
    def _embedding(self) -> Tensor:
        return next(part for part in self.base.get_input_embeddings().parameters() if part.is_floating_point())

    def head(self) -> Head:
        """The head as one matrix, with every adapter on it applied; differentiable in all of its parameters."""
        config, module = self.text_config, self.head_module
        assert module is not None
        divisor = getattr(config, "logits_scaling", None)
        scale = getattr(config, "logit_scale", None) or (1.0 / divisor if divisor else None)
        scale = scale or getattr(config, "lm_head_multiplier", None) or 1.0
        weight, bias = _matrix(module, self._embedding)
        return Head(weight, bias, getattr(config, "final_logit_softcapping", None), float(scale))

    @property
    def attends_only(self) -> bool:
        """Whether every layer is full or sliding-window attention, as far as the configuration says."""
        kinds = getattr(self.text_config, "layer_types", None) or []
        return set(kinds) <= {"full_attention", "sliding_attention"}

    @property
    def window(self) -> int | None:
        """The sliding window that the configuration announces, in tokens."""
        config = self.text_config
        kinds = getattr(config, "layer_types", None)
        if kinds is not None and "sliding_attention" not in kinds:
            return None
        if getattr(config, "use_sliding_window", True) is False:
            return None
        return getattr(config, "sliding_window", None)

    @property
    def longest(self) -> int | None:
        """Tokens of the longest path it takes; None where no length is too long.

        Beyond it a model has no position to look up, or (dynamic and long RoPE) encodes all positions by the longest
        path of the batch.
        """
        config = self.text_config
        rope = getattr(config, "rope_parameters", None)
        if not rope:
            return None if getattr(config, "alibi", False) else getattr(config, "max_position_embeddings", None)
        kinds = list(rope.values()) if all(isinstance(value, dict) for value in rope.values()) else [rope]
        if not any(kind.get("rope_type") in _LENGTH_BOUND_ROPE for kind in kinds):
            return None
        originals = [kind.get("original_max_position_embeddings") for kind in kinds]
        originals.append(getattr(config, "original_max_position_embeddings", None))
        return min([n for n in originals if n], default=config.max_position_embeddings)


def _matrix(module: nn.Module, like: Tensor) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of a linear module, whatever it is made of."""
    if type(module) is nn.Linear and not module._forward_hooks and not module._forward_pre_hooks:
        return module.weight, module.bias
    if any(isinstance(part, nn.Dropout) and part.p > 0 and part.training for part in module.modules()):
        raise InputError("the adapter on the head drops activations: set its dropout to 0, or leave the head out of it")
    # An adapted or quantized head is still linear: what it does to the unit vectors is its matrix.
    width = next(size for part in module.modules() if (size := getattr(part, "in_features", None)))
    unit = torch.eye(width, dtype=like.dtype, device=like.device)
    with torch.autocast(like.device.type, enabled=False):
        bias = module(torch.zeros_like(unit[:1]))
        weight = (module(unit) - bias).T
    return weight, bias.squeeze(0)
