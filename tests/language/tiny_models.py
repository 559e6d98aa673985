"""Random tiny causal language models of many architectures, and their plain log-probabilities."""

from __future__ import annotations

from typing import Any

import torch
from transformers import (
    CohereConfig,
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    GPTNeoXConfig,
    GraniteConfig,
    LlamaConfig,
    MambaConfig,
    MistralConfig,
    Phi3Config,
    PhiConfig,
    Qwen2Config,
    Qwen3Config,
)
from transformers.models.auto import AutoModelForCausalLM

VOCABULARY = 97
WINDOW = 5
_SHARED = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_GROUPED = {**_SHARED, "num_key_value_heads": 2}

CONFIGS: dict[str, Any] = {
    "llama": lambda: LlamaConfig(**_GROUPED, tie_word_embeddings=False),
    "llama-tied": lambda: LlamaConfig(**_GROUPED, tie_word_embeddings=True),
    "qwen2": lambda: Qwen2Config(**_GROUPED, tie_word_embeddings=False),
    "qwen3": lambda: Qwen3Config(**_GROUPED, head_dim=16, tie_word_embeddings=True),
    "gemma2": lambda: Gemma2Config(
        **_GROUPED,
        head_dim=16,
        sliding_window=WINDOW,
        attn_logit_softcapping=2.0,
        final_logit_softcapping=3.0,
        query_pre_attn_scalar=16,
    ),
    "gemma3": lambda: Gemma3TextConfig(
        **_GROUPED,
        head_dim=16,
        sliding_window=WINDOW,
        query_pre_attn_scalar=16,
        layer_types=["sliding_attention", "full_attention"],
    ),
    "mistral": lambda: MistralConfig(**_GROUPED, sliding_window=WINDOW),
    "phi3": lambda: Phi3Config(**_GROUPED),
    "gpt2": lambda: GPT2Config(
        vocab_size=VOCABULARY,
        n_embd=32,
        n_layer=2,
        n_head=4,
        n_positions=256,
        bos_token_id=1,
        eos_token_id=2,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
    ),
    "gpt-neox": lambda: GPTNeoXConfig(**_SHARED, tie_word_embeddings=False),
    "cohere": lambda: CohereConfig(**_GROUPED, logit_scale=0.3),
    "granite": lambda: GraniteConfig(**_GROUPED, logits_scaling=3.0, attention_multiplier=0.4),
    "phi": lambda: PhiConfig(**_GROUPED, partial_rotary_factor=0.5),
    "mamba": lambda: MambaConfig(
        vocab_size=VOCABULARY, hidden_size=32, state_size=4, num_hidden_layers=2, pad_token_id=0, eos_token_id=2
    ),
}
"""Configurations by name; call one to make it. All attend over trees but "mamba"."""

TREE_TAKERS = tuple(name for name in CONFIGS if name != "mamba")


def make_model(name: str, seed: int = 0, dtype: torch.dtype = torch.float32, attention: str = "eager") -> Any:
    """A random model in training mode, with weights large enough that attention matters.

    Args:
        name: key of `CONFIGS`.
        seed: of the weights.
        dtype: of the weights.
        attention: transformers' name of the attention implementation.

    Returns:
        The transformers model.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(CONFIGS[name](), attn_implementation=attention)
        for part in model.parameters():
            if part.ndim > 1:
                torch.nn.init.normal_(part, std=0.15)
            else:
                part.data.add_(torch.randn_like(part) * 0.05)
    return model.to(dtype).train()


def plain_token_log_probs(model: Any, prompt: list[int], option: list[int]) -> torch.Tensor:
    """Log-probabilities of an option's tokens by one ordinary call of the model, differentiable.

    Args:
        model: a transformers causal language model.
        prompt: ids of the context.
        option: ids of the option.

    Returns:
        [length of the option].
    """
    ids = torch.tensor([*prompt, *option], dtype=torch.long)
    logits = model(input_ids=ids[None]).logits[0, len(prompt) - 1 : -1]
    return logits.log_softmax(-1).gather(1, torch.tensor(option)[:, None]).squeeze(1)
