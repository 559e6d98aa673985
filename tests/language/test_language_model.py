from __future__ import annotations

import copy
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from types import MethodType
from typing import Any

import numpy as np
import peft
import pytest
import torch
from hypothesis import given
from tiny_models import CONFIGS, TREE_TAKERS, VOCABULARY, WINDOW, make_model, plain_token_log_probs
from torch import Tensor
from transformers.models.auto import AutoModelForCausalLM
from tree_strategies import FEW, Made, made_trees

from llull.errors import InputError
from llull.language.model import DivergenceTo, LanguageModel, Want, sum_per_option
from llull.language.packing import pack
from llull.language.trees import PrefixTree

MODELS = Path(os.environ.get("LLULL_MODELS", Path(__file__).parents[2].parent / "shared" / "models"))


Data = list[tuple[list[int], list[list[int]]]]
"""Contexts and their options, as ids."""


def random_options(seed: int, contexts: int = 4, vocabulary: int = VOCABULARY) -> Data:
    """Contexts of up to 20 tokens with up to 4 options of up to 15; the second begins as the first."""
    generator = np.random.default_rng(seed)

    def some(most: int) -> list[int]:
        return generator.integers(0, vocabulary, generator.integers(1, most + 1)).tolist()

    made = []
    for _ in range(contexts):
        options = [some(15) for _ in range(generator.integers(1, 5))]
        if len(options) > 1:
            options[1] = options[0][: len(options[0]) // 2 + 1] + options[1]
        made.append((some(20), options))
    return made


def plain(model: Any, data: Data) -> Tensor:
    return torch.cat([plain_token_log_probs(model, prompt, option) for prompt, options in data for option in options])


def ours(lm: LanguageModel, trees: Sequence[PrefixTree], budget: int) -> Tensor:
    """Log-probabilities of all scored tokens, option after option."""
    values = [lm(row) for row in pack(trees, budget, layout=lm.layout)]
    order = torch.cat([value.option for value in values]).argsort(stable=True)
    return torch.cat([value.log_probs for value in values])[order]


def weigh(values: Tensor) -> Tensor:
    """A number that depends on each value differently."""
    weights = torch.randn(len(values), generator=torch.Generator().manual_seed(3))
    return (values * weights.to(values.dtype)).sum()


def parameter_gradients(model: Any) -> dict[str, Tensor]:
    return {name: part.grad for name, part in model.named_parameters() if part.grad is not None}


def assert_same_gradients(model: Any, expected: Any, tolerance: float = 1e-5) -> None:
    """Gradients differ by at most the tolerance times the largest of their parameter (or one, if it is smaller)."""
    found, wanted = parameter_gradients(model), parameter_gradients(expected)
    assert found.keys() == wanted.keys()
    assert wanted
    for name, gradient in wanted.items():
        scale = max(1.0, float(gradient.abs().max()))
        torch.testing.assert_close(
            found[name], gradient, atol=tolerance * scale, rtol=0, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.parametrize("layout", ["auto", "flat"])
@pytest.mark.parametrize("name", CONFIGS)
def test_values_and_gradients_are_those_of_one_option_at_a_time(name: str, layout: Any) -> None:
    model = make_model(name)
    untouched = copy.deepcopy(model)
    data = random_options(seed=1)
    lm = LanguageModel(model, layout)
    assert lm.layout == ("tree" if layout == "auto" and name in TREE_TAKERS else "flat")
    found = ours(lm, [PrefixTree.of_options(prompt, options) for prompt, options in data], 60)
    expected = plain(untouched, data)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    weigh(found).backward()
    weigh(expected).backward()
    assert_same_gradients(model, untouched)


@pytest.mark.parametrize("name", [*TREE_TAKERS, "mamba"])
def test_random_trees_with_some_tokens_scored(name: str) -> None:
    model = make_model(name)
    untouched = copy.deepcopy(model)
    lm = LanguageModel(model)

    @FEW
    @given(made_trees())
    def check(made: Made) -> None:
        model.zero_grad()
        untouched.zero_grad()
        found = ours(lm, [made.tree], 50)
        scored = zip(made.paths, made.scored, strict=True)
        expected = torch.cat([plain_token_log_probs(untouched, made.prompt, p)[torch.tensor(s)] for p, s in scored])
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
        weigh(found).backward()
        weigh(expected).backward()
        assert_same_gradients(model, untouched)

    check()


@pytest.mark.parametrize("folder", ["stories-260k", "tinystories-656k"])
def test_pretrained_models_give_the_same_numbers(folder: str) -> None:
    if not (MODELS / folder).is_dir():
        pytest.skip(f"the small pretrained models are not at {MODELS} (set LLULL_MODELS to where they are)")
    model = AutoModelForCausalLM.from_pretrained(MODELS / folder, attn_implementation="eager")
    untouched = copy.deepcopy(model)
    data = random_options(seed=5, contexts=3, vocabulary=model.config.vocab_size)
    lm = LanguageModel(model, "tree")
    found = ours(lm, [PrefixTree.of_options(prompt, options, share_prefixes=True) for prompt, options in data], 200)
    expected = plain(untouched, data)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    (found.sum() / 100).backward()
    (expected.sum() / 100).backward()
    assert_same_gradients(model, untouched)


@pytest.mark.parametrize("layout", ["tree", "flat"])
def test_packing_splitting_order_and_padding_change_nothing(layout: Any) -> None:
    data = random_options(seed=2, contexts=6)
    model = make_model("gemma3")
    lm = LanguageModel(model, layout)
    counts = [len(option) for _, options in data for option in options]

    def run(budget: int, order: Sequence[int], share: bool, split: bool) -> tuple[Tensor, dict[str, Tensor]]:
        model.zero_grad()
        numbers = np.cumsum([0, *(len(options) for _, options in data)])
        trees = []
        for i in order:
            prompt, options = data[i]
            names = np.arange(numbers[i], numbers[i + 1])[::-1]
            groups = [[k] for k in range(len(names))] if split else [list(range(len(names)))]
            for group in groups:
                mine = [options[::-1][k] for k in group]
                trees.append(PrefixTree.of_options(prompt, mine, numbers=names[group], share_prefixes=share))
        found = ours(lm, trees, budget)
        weigh(found).backward()
        return found.detach(), parameter_gradients(copy.deepcopy(model)) | {
            n: p.grad.clone() for n, p in model.named_parameters()
        }

    first, slopes = run(10_000, range(6), False, False)
    assert len(first) == sum(counts)
    for arguments in [(1, range(6), False, False), (90, [5, 3, 1, 0, 2, 4], True, False), (200, range(6), False, True)]:
        found, others = run(*arguments)
        torch.testing.assert_close(found, first, atol=1e-5, rtol=0)
        torch.testing.assert_close(others, slopes, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("name", ["llama", "gemma2", "gpt2", "gpt-neox"])
def test_gradient_checkpointing_gives_the_same_gradients(name: str, reentrant: bool) -> None:
    model = make_model(name)
    other = copy.deepcopy(model)
    trees = [PrefixTree.of_options(prompt, options) for prompt, options in random_options(seed=4)]
    weigh(ours(LanguageModel(model), trees, 60)).backward()
    other.gradient_checkpointing_enable({"use_reentrant": reentrant})
    if reentrant:
        other.enable_input_require_grads()
    weigh(ours(LanguageModel(other), trees, 60)).backward()
    assert_same_gradients(other, model, tolerance=1e-6)


@pytest.mark.parametrize("name", TREE_TAKERS)
def test_bfloat16_is_close(name: str) -> None:
    data = random_options(seed=6)
    trees = [PrefixTree.of_options(prompt, options) for prompt, options in data]
    exact = make_model(name, dtype=torch.bfloat16)
    lm = LanguageModel(copy.deepcopy(exact), "tree")
    found = ours(lm, trees, 60)
    assert found.dtype == torch.float32
    assert (found - plain(exact.float(), data)).abs().mean() < 0.1
    weigh(found).backward()
    assert all(gradient.isfinite().all() for gradient in parameter_gradients(lm).values())


def test_autocast_is_close() -> None:
    data = random_options(seed=6)
    trees = [PrefixTree.of_options(prompt, options) for prompt, options in data]
    model = make_model("qwen2")
    with torch.autocast("cpu", torch.bfloat16):
        found = ours(LanguageModel(model, "tree"), trees, 60)
    weigh(found).backward()
    assert found.dtype == torch.float32
    assert (found - plain(model, data)).abs().mean() < 0.1


def test_each_token_is_computed_once_however_many_options() -> None:
    model = make_model("llama")
    lm = LanguageModel(model, "tree")
    generator = np.random.default_rng(0)
    prompt = generator.integers(0, VOCABULARY, 200)
    seen: list[int] = []
    model.model.layers[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[:-1].numel()))

    def kept(options: int) -> int:
        """Bytes that the forward pass keeps for the backward pass."""
        sizes: dict[int, int] = {}

        def pack_hook(tensor: Tensor) -> Tensor:
            sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        tree = PrefixTree.of_options(prompt, [generator.integers(0, VOCABULARY, 2) for _ in range(options)])
        (row,) = pack([tree], 10_000)
        with torch.autograd.graph.saved_tensors_hooks(pack_hook, lambda tensor: tensor):
            values = lm(row)
        assert len(values.log_probs) == 2 * options
        return sum(sizes.values())

    assert lm.layout == "tree"
    seen.clear()
    one, sixteen = kept(1), kept(16)
    assert seen == [202, 232]
    assert sixteen < one * 1.3


def test_no_logits_are_kept() -> None:
    model = make_model("llama")
    lm = LanguageModel(model, "tree")
    (row,) = pack([PrefixTree.of_options([1, 2], [[3] * 300])], 1000)
    sizes: list[int] = []

    def pack_hook(tensor: Tensor) -> Tensor:
        sizes.append(tensor.numel())
        return tensor

    assert lm.layout == "tree"
    with torch.autograd.graph.saved_tensors_hooks(pack_hook, lambda tensor: tensor):
        lm(row)
    assert max(sizes) < 300 * VOCABULARY


def test_other_values_are_those_of_the_logits() -> None:
    data = random_options(seed=7)
    trees = [PrefixTree.of_options(prompt, options, share_prefixes=True) for prompt, options in data]
    model, other = make_model("gemma2"), LanguageModel(make_model("gemma2", seed=1))
    untouched, teacher = copy.deepcopy(model), copy.deepcopy(other.model)
    (row,) = pack(trees, 10_000)
    want = Want(
        entropy=True, top1=True, hidden=True, hidden_at_end=True, divergence=DivergenceTo("forward_kl", [other.teach])
    )
    for layout in ("tree", "flat"):
        values = LanguageModel(copy.deepcopy(model), layout)(row, want)
        flat = [(prompt, option) for i in row.trees for prompt, options in [data[i]] for option in options]
        order = values.option.argsort(stable=True)
        names = ("entropy", "top1", "hidden", "divergence")
        expected: dict[str, list[Tensor]] = {name: [] for name in (*names, "hidden_at_end")}
        numbers = row.options.tolist()
        for number in sorted(numbers):
            prompt, option = flat[numbers.index(number)]
            ids = torch.tensor([prompt + option])
            span = slice(len(prompt) - 1, -1)
            logs = untouched(ids).logits[0, span].log_softmax(-1)
            others = teacher(ids).logits[0, span].log_softmax(-1)
            states = untouched.model(ids).last_hidden_state[0]
            expected["entropy"].append(-(logs.exp() * logs).sum(-1))
            expected["top1"].append(logs.argmax(-1) == torch.tensor(option))
            expected["divergence"].append((others.exp() * (others - logs)).sum(-1))
            expected["hidden"].append(states[len(prompt) :])
            expected["hidden_at_end"].append(states[-1:])
        for name in names:
            torch.testing.assert_close(getattr(values, name)[order], torch.cat(expected[name]), atol=2e-5, rtol=0)
        assert values.hidden_at_end is not None
        torch.testing.assert_close(
            values.hidden_at_end[torch.tensor(numbers).argsort()],
            torch.cat(expected["hidden_at_end"]),
            atol=2e-5,
            rtol=0,
        )


def test_the_head_is_left_out_where_only_hidden_states_are_wanted() -> None:
    model = make_model("llama")
    (row,) = pack([PrefixTree.of_options([1, 2], [[3], [4]])], 100)
    values = LanguageModel(model, "tree")(row, Want(log_probs=False, hidden_at_end=True))
    assert values.log_probs.shape == (0,)
    assert values.hidden_at_end is not None
    values.hidden_at_end.sum().backward()
    assert model.lm_head.weight.grad is None


def lora(model: Any, targets: list[str], dropout: float = 0.0) -> Any:
    config = peft.LoraConfig(r=4, target_modules=targets, lora_dropout=dropout, task_type="CAUSAL_LM")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        adapted = peft.get_peft_model(model, config)
        for name, part in adapted.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(part, std=0.2)
    return adapted


@pytest.mark.parametrize("targets", [["q_proj", "v_proj"], ["q_proj", "down_proj", "lm_head"]])
def test_adapters_are_part_of_the_model(targets: list[str]) -> None:
    data = random_options(seed=8)
    trees = [PrefixTree.of_options(prompt, options) for prompt, options in data]
    model = lora(make_model("llama"), targets)
    untouched = copy.deepcopy(model)
    lm = LanguageModel(model)
    found, expected = ours(lm, trees, 60), plain(untouched, data)
    assert lm.layout == "tree"
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    weigh(found).backward()
    weigh(expected).backward()
    assert_same_gradients(model, untouched)
    with model.disable_adapter(), untouched.disable_adapter(), torch.no_grad():
        torch.testing.assert_close(ours(lm, trees, 60), plain(untouched, data), atol=1e-5, rtol=0)


def test_adapters_that_would_give_other_numbers_are_refused() -> None:
    (row,) = pack([PrefixTree.of_options([1, 2], [[3], [4]])], 100)
    dropping = LanguageModel(lora(make_model("llama"), ["q_proj", "lm_head"], dropout=0.1))
    with pytest.raises(InputError, match="drops activations"):
        dropping(row)
    prompted = peft.get_peft_model(
        make_model("llama"), peft.PromptTuningConfig(num_virtual_tokens=2, task_type="CAUSAL_LM")
    )
    with pytest.raises(InputError, match="virtual tokens"):
        LanguageModel(prompted)


def test_log_probs_come_in_the_order_of_the_options_and_leave_the_mode_alone() -> None:
    data = random_options(seed=9)
    model = make_model("llama")
    model.model.layers[0].eval()
    lm = LanguageModel(model)
    trees = [PrefixTree.of_options(prompt, options) for prompt, options in data]
    found = lm.log_probs(trees, budget=40)
    lengths = [len(option) for _, options in data for option in options]
    assert [len(tokens) for tokens in found.tokens] == lengths
    torch.testing.assert_close(torch.cat(found.tokens), plain(model, data).detach(), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.sums, torch.stack([tokens.sum() for tokens in found.tokens]))
    assert model.training
    assert not model.model.layers[0].training
    numbered = [PrefixTree.of_options([1], [[2], [3, 4]], numbers=[90, 7])]
    assert [len(tokens) for tokens in lm.log_probs(numbered).tokens] == [2, 1]
    assert lm.log_probs([]).sums.shape == (0,)


def test_sums_per_option_are_differentiable() -> None:
    values = torch.tensor([1.0, 2.0, 4.0], requires_grad=True)
    sums = sum_per_option(values, torch.tensor([2, 0, 2]), 3)
    assert sums.tolist() == [2.0, 0.0, 5.0]
    (sums * torch.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert values.grad is not None
    assert values.grad.tolist() == [100.0, 1.0, 100.0]


def deafen(model: Any) -> None:
    """Let the attention layers lose the keyword arguments they do not know, as some architectures do."""
    for layer in model.model.layers:
        heard = layer.self_attn.forward

        def forward(self: Any, *inputs: Any, heard: Any = heard, tree_layout: Any = None, **keywords: Any) -> Any:
            keywords["attention_mask"] = None
            return heard(*inputs, **keywords)

        layer.self_attn.forward = MethodType(forward, layer.self_attn)


def test_a_model_that_cannot_take_trees_says_so_once_and_is_scored_flat(caplog: pytest.LogCaptureFixture) -> None:
    data = random_options(seed=10)
    trees = [PrefixTree.of_options(prompt, options) for prompt, options in data]
    model = make_model("llama", attention="sdpa")
    deafen(model)
    with caplog.at_level(logging.WARNING, "llull"):
        lm = LanguageModel(model)
        found = ours(lm, trees, 60)
    (record,) = caplog.records
    assert record.getMessage() == (
        "LlamaForCausalLM is scored one option at a time (flat layout): "
        "it does not pass on which tokens may be attended to"
    )
    assert lm.layout == "flat"
    assert model.config._attn_implementation == "sdpa"
    torch.testing.assert_close(found, plain(model, data), atol=1e-5, rtol=0)
    with pytest.raises(InputError, match="cannot score trees"):
        _ = LanguageModel(model, "tree").layout


def test_a_window_that_attention_is_not_told_of_means_flat() -> None:
    model = make_model("llama")
    model.config.sliding_window = WINDOW
    with pytest.raises(InputError, match=f"keeps its sliding window of {WINDOW} tokens to itself"):
        _ = LanguageModel(model, "tree").layout


def test_numbers_that_differ_mean_flat() -> None:
    model = make_model("llama")
    rotary = model.model.rotary_emb
    known = rotary.forward
    # Positions by place in the row, as in architectures that make their own.
    rotary.forward = lambda x, position_ids: known(x, torch.arange(position_ids.shape[1])[None])
    with pytest.raises(InputError, match="not those of its paths one at a time"):
        _ = LanguageModel(model, "tree").layout
    assert LanguageModel(model).layout == "flat"


def test_an_unknown_step_between_hidden_states_and_logits_is_an_error() -> None:
    model = make_model("llama")
    model.lm_head.register_forward_hook(lambda module, inputs, out: out.square())
    with pytest.raises(InputError, match="its logits are not its head applied"):
        _ = LanguageModel(model).layout


def test_paths_beyond_the_positions_of_a_model_are_refused() -> None:
    (row,) = pack([PrefixTree.of_options([1] * 200, [[3] * 100])], 1000)
    with pytest.raises(InputError, match="300 tokens, and this model's positions end or change at 256"):
        LanguageModel(make_model("gpt2"))(row)


def test_what_is_not_a_causal_language_model_is_refused() -> None:
    model = make_model("llama")
    with pytest.raises(InputError, match="no language-modeling head"):
        LanguageModel(model.model)
    with pytest.raises(InputError, match="layout 'rows'"):
        LanguageModel(model, "rows")  # pyright: ignore[reportArgumentType]


def test_the_wrapper_adds_no_parameters_and_shares_those_of_the_model() -> None:
    model = make_model("llama-tied")
    lm = LanguageModel(model)
    assert {f"model.{name}" for name in model.state_dict()} == set(lm.state_dict())
    assert [id(part) for part in lm.parameters()] == [id(part) for part in model.parameters()]
