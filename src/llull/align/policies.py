"""Loading a policy from a folder or a hub, giving it adapters, and saving it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from llull.align.gathering import is_shared
from llull.align.settings import Precision
from llull.errors import InputError
from llull.language.loading import loaded, without_bars
from llull.language.model import LanguageModel


@dataclass(frozen=True)
class Adapter:
    """Low-rank adapters instead of full fine-tuning (LoRA; Hu et al. 2021).

    Args:
        rank: of the matrices that are learned.
        alpha: their product is scaled by alpha / rank.
        targets: the modules that get one: "all-linear", or the ends of their names.
        quantized: keep the frozen weights in 4 bits (QLoRA; Dettmers et al. 2023). Needs the extra ``qlora``.
    """

    rank: int = 16
    alpha: float = 32.0
    targets: str | tuple[str, ...] = "all-linear"
    quantized: bool = False

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise InputError(f"an adapter of rank {self.rank}: give at least 1")


@dataclass(frozen=True)
class Policy:
    """A model, its tokenizer and where they come from."""

    model: LanguageModel
    tokenizer: Any
    """Of transformers."""
    name: str

    @property
    def longest(self) -> int | None:
        """Tokens that the model has positions for; None if that is not known."""
        config = self.model.anatomy.base.config
        return getattr(config.get_text_config(), "max_position_embeddings", None)


def load_policy(
    name: str | Path,
    *,
    adapter: Adapter | None = None,
    precision: Precision = "float32",
    layout: Literal["auto", "tree", "flat"] = "auto",
    seed: int = 0,
) -> Policy:
    """Load a causal language model and its tokenizer.

    A folder with an adapter gives its base model with that adapter, which goes on learning.

    Args:
        name: folder or hub name.
        adapter: give the model new adapters; nothing else of it learns then.
        precision: with bf16, weights that do not learn are kept in bf16; those that learn always in float32.
        layout: how options are laid out, as in `llull.language.LanguageModel`.
        seed: of the adapters' first weights.

    Raises:
        InputError: if there is no such model, or it is no causal language model.
    """
    import transformers

    path = Path(name)
    with_adapter = (path / "adapter_config.json").exists()
    tokenizer = loaded(transformers.AutoTokenizer.from_pretrained, name, what="tokenizer")
    dtype = torch.bfloat16 if precision == "bf16" and (adapter or with_adapter) else torch.float32
    options: dict[str, Any] = {"dtype": dtype}
    if adapter is not None and adapter.quantized:
        options["quantization_config"] = _four_bits(dtype)
    if with_adapter:
        from peft import AutoPeftModelForCausalLM

        model = loaded(AutoPeftModelForCausalLM.from_pretrained, name, is_trainable=True, **options, what="adapter")
    else:
        model = loaded(transformers.AutoModelForCausalLM.from_pretrained, name, **options, what="model")
    if adapter is not None:
        model = with_adapters(model, adapter, seed)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return Policy(LanguageModel(model, layout), tokenizer, str(name))


def with_adapters(model: nn.Module, adapter: Adapter, seed: int = 0) -> nn.Module:
    """Freeze a model and give it new low-rank adapters, which change nothing before they learn."""
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training

    if adapter.quantized:
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
        for module in model.modules():
            # On some CPUs bitsandbytes repacks weights at the first evaluation, and no gradient passes them any more.
            if hasattr(module, "support_avx512bf16_for_cpu"):
                setattr(module, "support_avx512bf16_for_cpu", False)  # noqa: B010  # no attribute of every module
    targets = adapter.targets if isinstance(adapter.targets, str) else list(adapter.targets)
    config = LoraConfig(
        r=adapter.rank,
        lora_alpha=adapter.alpha,  # type: ignore[arg-type]  # any number does
        target_modules=targets,
        lora_dropout=0.0,
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return get_peft_model(model, config)  # type: ignore[arg-type]  # what transformers loads is a PreTrainedModel


def save_policy(policy: Policy, folder: Path) -> Path:
    """Write model (or adapter) and tokenizer, as transformers and peft load them.

    Raises:
        InputError: if each process holds but a part of the weights.
    """
    if is_shared(policy.model):
        raise InputError("processes share this policy's weights: save what Trainer.whole_policy() gives")
    model: Any = policy.model.model
    with without_bars():
        model.save_pretrained(folder)
    policy.tokenizer.save_pretrained(folder)
    return folder


def _four_bits(dtype: torch.dtype) -> Any:
    try:
        import bitsandbytes  # noqa: F401  # only to see whether it is there
    except ImportError:
        raise InputError("a quantized adapter needs bitsandbytes: pip install 'llull[qlora]'") from None
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
    )
