"""Adapters learn and nothing else does; their reference is the model before they learned; 4-bit weights stay."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_trainings import VOCABULARY, first_gradients, known_values, make_data, make_model, make_trainer
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from llull.align import Adapter
from llull.align.policies import load_policy, with_adapters
from llull.errors import InputError
from llull.language.model import LanguageModel


def test_only_adapters_learn_and_no_second_model_is_needed(tmp_path: Path) -> None:
    plain, data = make_model(), make_data()
    before = known_values(plain, data).sums
    model = LanguageModel(with_adapters(make_model().model, Adapter(rank=4)))
    torch.testing.assert_close(known_values(model, data).sums, before, rtol=0, atol=0)
    frozen = {name: value.clone() for name, value in model.named_parameters() if not value.requires_grad}
    learned = {name: value.clone() for name, value in model.named_parameters() if value.requires_grad}
    assert all("lora" in name for name in learned)
    make_trainer("DPO", tmp_path, model=model).train()
    now = dict(model.named_parameters())
    assert all(torch.equal(now[name], value) for name, value in frozen.items())
    assert all(not torch.equal(now[name], value) for name, value in learned.items())
    # The reference is still there after training: the model without its adapters.
    with model.model.disable_adapter():  # type: ignore[operator]
        torch.testing.assert_close(known_values(model, data).sums, before, rtol=0, atol=0)
    assert (known_values(model, data).sums - before).abs().max() > 0.1


def test_checkpoints_of_adapters_hold_adapters_only(tmp_path: Path) -> None:
    from safetensors import safe_open

    make_trainer("DPO", tmp_path, model=LanguageModel(with_adapters(make_model().model, Adapter(rank=4)))).train()
    with safe_open(tmp_path / "checkpoints" / "6" / "state.safetensors", "pt") as saved:
        names = [name for name in list(saved.keys()) if '"model"' in name]
    assert names
    assert all("lora" in name for name in names)


def test_adapters_can_be_checkpointed_too(tmp_path: Path) -> None:
    found = []
    for name, asked in (("plain", False), ("checkpointed", True)):
        model = LanguageModel(with_adapters(make_model(dtype=torch.float64).model, Adapter(rank=4)))
        trainer = make_trainer("DPO", tmp_path / name, model=model, dtype=torch.float64, gradient_checkpointing=asked)
        found.append(first_gradients(trainer))
        trainer.train()
    assert found[0]
    assert sorted(found[0]) == sorted(found[1])
    for name, value in found[0].items():
        torch.testing.assert_close(found[1][name], value, rtol=1e-9, atol=1e-12)


def test_adapters_begin_alike_with_a_seed() -> None:
    starts = [dict(with_adapters(make_model().model, Adapter(rank=4), seed).named_parameters()) for seed in (0, 0, 1)]
    name = next(name for name in starts[0] if "lora_A" in name)
    assert torch.equal(starts[0][name], starts[1][name])
    assert not torch.equal(starts[0][name], starts[2][name])
    with pytest.raises(InputError, match="an adapter of rank 0"):
        Adapter(rank=0)


def test_gradients_through_4_bits_are_those_of_the_same_weights_in_full(tmp_path: Path) -> None:
    """Also after log-probabilities were computed in evaluation mode, when some CPUs' kernels would repack weights."""
    functional = pytest.importorskip("bitsandbytes.functional")
    folder = tmp_path / "model"
    torch.manual_seed(0)
    # Rows of whole blocks of 64, which all kernels take.
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    _tokenizer().save_pretrained(folder)
    quantized = load_policy(folder, adapter=Adapter(rank=4, quantized=True)).model
    dense = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    fours = 0
    for name, module in quantized.model.get_base_model().named_modules():
        if name.endswith(".base_layer"):
            name = name.removesuffix(".base_layer")
            whole = functional.dequantize_4bit(module.weight.data, module.weight.quant_state)
            dense.get_submodule(name).weight.data = whole.float()
            fours += 1
    assert fours == 14
    full = LanguageModel(with_adapters(dense, Adapter(rank=4)))
    data, gradients, losses = make_data(), [], []
    for name, model in (("four", quantized), ("full", full)):
        known = known_values(model, data)
        trainer = make_trainer("DPO", tmp_path / name, model=model, reference=known, learning_rate=1e-3)
        gradients.append(first_gradients(trainer))
        losses.append([update["loss"] for update in trainer.train().updates])
    assert gradients[0]
    assert sorted(gradients[0]) == sorted(gradients[1])
    assert all("lora" in name for name in gradients[0])
    for name, value in gradients[1].items():
        torch.testing.assert_close(gradients[0][name], value, rtol=1e-3, atol=1e-6)
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def _tokenizer() -> object:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.WordLevel({f"w{i}": i for i in range(VOCABULARY)}, unk_token="w0"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="w2", unk_token="w0")
