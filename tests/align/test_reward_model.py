"""Reward models: the reward is read at the right token, trained as TRL trains it, and loads as it was saved."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from llull.align.policies import Adapter, load_policy, with_adapters
from llull.align.reward_heads import LinearHead, MLPHead, make_head
from llull.align.reward_model import RewardModel
from llull.align.reward_saving import (
    RECORD,
    SavedReward,
    is_reward_model,
    load_reward_model,
    probe_of,
    save_reward_model,
)
from llull.align.step import Known, Step
from llull.align.windows import MicroBatch
from llull.errors import InputError
from llull.language.model import Want
from llull.language.packing import pack
from llull.language.trees import PrefixTree
from llull.objectives import PairUnits
from llull.objectives.presets.rewards import BradleyTerryReward

VOCABULARY, WIDTH = 60, 16
END = 1


def tokenizer(pad: str | None = "<pad>") -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["<s>", "</s>", "<pad>", *(f"w{i}" for i in range(VOCABULARY - 3))]
    backend = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="w0"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<s>",
        eos_token="</s>",
        pad_token=pad,
        chat_template="{% for m in messages %}{{ m['content'] }} </s>{% endfor %}",
    )


def causal(kind: str = "llama", tied: bool = False) -> Any:
    from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, Qwen2Config

    shape = {
        "vocab_size": VOCABULARY,
        "hidden_size": WIDTH,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": 128,
        "tie_word_embeddings": tied,
        "bos_token_id": 0,
        "eos_token_id": END,
        "pad_token_id": None,
    }
    small = {"n_embd": WIDTH, "n_layer": 2, "n_head": 2, "n_positions": 128, "vocab_size": VOCABULARY}
    quiet = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0, "bos_token_id": 0, "eos_token_id": END}
    config = {
        "llama": lambda: LlamaConfig(**shape),
        "qwen2": lambda: Qwen2Config(**shape),
        "gpt2": lambda: GPT2Config(**small, **quiet),
    }[kind]()
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config)


def some_trees(seed: int = 0, count: int = 4) -> list[PrefixTree]:
    """Contexts of two options each, which end in the end-of-text token."""
    random = np.random.default_rng(seed)
    trees = []
    for number in range(count):
        options = [np.append(random.integers(3, VOCABULARY, random.integers(1, 9)), END) for _ in range(2)]
        context = random.integers(3, VOCABULARY, random.integers(2, 8))
        trees.append(PrefixTree.of_options(context, options, numbers=[2 * number, 2 * number + 1]))
    return trees


def paths(trees: list[PrefixTree]) -> list[np.ndarray]:
    return [tree.ids[tree.path(option)] for tree in trees for option in range(tree.n_options)]


def reward_model(kind: str = "llama", head: Any = None, **more: Any) -> RewardModel:
    return RewardModel(causal(kind, **more), head or LinearHead(WIDTH, initial_scale=1.0)).eval()


@pytest.mark.parametrize("layout", ["tree", "flat"])
@pytest.mark.parametrize("kind", ["llama", "qwen2", "gpt2"])
@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_a_reward_is_the_head_on_the_last_hidden_state(kind: str, head: str, layout: Any) -> None:
    trees = some_trees()
    plain = causal(kind).eval()
    made = make_head(head, WIDTH, initial_scale=1.0)
    model = RewardModel(causal(kind), made, layout)
    with torch.no_grad():
        expected = [
            made(plain(torch.from_numpy(ids)[None].long(), output_hidden_states=True).hidden_states[-1][:, -1]).item()
            for ids in paths(trees)
        ]
    np.testing.assert_allclose(model.rewards(trees).numpy(), expected, atol=1e-5)


def test_rewards_depend_neither_on_packing_nor_on_order() -> None:
    model, trees = reward_model(), some_trees(count=6)
    whole = model.rewards(trees)
    torch.testing.assert_close(model.rewards(trees, budget=16), whole, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(model.rewards(trees[::-1]), whole, atol=1e-6, rtol=1e-5)


def test_to_a_step_a_reward_is_an_option_of_one_token() -> None:
    model = reward_model()
    (packed,) = pack(some_trees(), 1000)
    values = model(packed, Want(hidden_at_end=True))
    assert values.log_probs.shape == packed.options.shape
    assert values.hidden_at_end.shape == (len(packed.options), WIDTH)
    from llull.align.step import scores

    seen = scores(values, packed, Known(), BradleyTerryReward().needs)
    torch.testing.assert_close(seen.policy, values.log_probs)
    assert (seen.lengths == 1).all()


def test_what_only_a_distribution_has_cannot_be_wanted() -> None:
    (packed,) = pack(some_trees(), 1000)
    for want in (Want(entropy=True), Want(top1=True), Want(hidden=True)):
        with pytest.raises(InputError, match="no distribution over tokens"):
            reward_model()(packed, want)


@pytest.mark.parametrize("tied", [False, True])
def test_everything_that_learns_gets_a_gradient(tied: bool) -> None:
    model = reward_model(tied=tied)
    (packed,) = pack(some_trees(), 1000)
    model(packed).log_probs.sum().backward()
    without = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert without == []
    assert model.anatomy.head_module.weight.requires_grad == tied


@pytest.mark.parametrize("adapted", [False, True])
@pytest.mark.parametrize("centering", [0.0, 0.05])
def test_loss_and_gradient_of_a_batch_are_those_of_trl(tmp_path: Path, adapted: bool, centering: float) -> None:
    trl = pytest.importorskip("trl")
    from transformers import AutoModelForSequenceClassification

    inner = causal()
    if adapted:
        inner = with_adapters(inner, Adapter(rank=2))
    model = RewardModel(inner, LinearHead(WIDTH, initial_scale=1.0))
    trees = some_trees(count=5)
    save_reward_model(SavedReward(model, tokenizer(), "tiny"), tmp_path, paths(trees))
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path)

    (packed,) = pack(trees, 1000)
    strength = torch.tensor([0.3, 0.0, 1.0, 0.5, 2.0])
    number = torch.empty(10, dtype=torch.int64)
    number[packed.options] = torch.arange(10)
    units = PairUnits.of(torch.arange(0, 10, 2), torch.arange(1, 10, 2), strength=strength).renumbered(number)
    objective = BradleyTerryReward("strength", centering=centering)
    loss = Step(model, objective)(MicroBatch(packed, {"main": units}), Known()).mean()
    loss.backward()

    rows = paths(trees)
    order = [*range(0, 10, 2), *range(1, 10, 2)]
    ids = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(rows[i]).long() for i in order], True, 2)
    trainer = object.__new__(trl.RewardTrainer)
    trainer.model = SimpleNamespace(training=False)
    trainer.args = SimpleNamespace(center_rewards_coefficient=centering or None)
    trainer.accelerator = SimpleNamespace(gather=lambda x: x, gather_for_metrics=lambda x: x)
    trainer._metrics = {
        "eval": {name: [] for name in ("min_reward", "mean_reward", "max_reward", "accuracy", "margin")}
    }
    trainer._total_train_tokens = 0
    inputs = {"input_ids": ids, "attention_mask": (ids != 2).long(), "margin": strength}
    expected = trainer.compute_loss(theirs, inputs)
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    torch.testing.assert_close(model.reward_head.score.weight.grad, theirs.score.weight.grad, rtol=1e-4, atol=1e-6)
    if not adapted:
        own = dict(model.anatomy.backbone.named_parameters())
        for name, parameter in theirs.base_model.named_parameters():
            torch.testing.assert_close(own[name].grad, parameter.grad, rtol=1e-4, atol=1e-6)


RESCORE = """
import json, sys, torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
folder = sys.argv[1]
model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
tokenizer = AutoTokenizer.from_pretrained(folder)
assert tokenizer.pad_token_id == model.config.pad_token_id
probe = json.load(open(folder + "/reward.json"))["probe"]
batch = tokenizer.pad({"input_ids": [p["ids"] for p in probe]}, return_tensors="pt")
with torch.no_grad():
    print(json.dumps(model(**batch).logits.squeeze(-1).tolist()))
assert "llull" not in sys.modules
"""


@pytest.mark.parametrize(
    ("kind", "adapted", "pad"), [("llama", True, "<pad>"), ("llama", False, None), ("gpt2", True, "</s>")]
)
def test_transformers_alone_gives_the_same_rewards(tmp_path: Path, kind: str, adapted: bool, pad: str | None) -> None:
    inner = causal(kind)
    if adapted:
        inner = with_adapters(inner, Adapter(rank=2))
        for name, parameter in inner.named_parameters():
            if "lora_B" in name:
                parameter.data.normal_(std=0.3, generator=torch.Generator().manual_seed(1))
    model = RewardModel(inner, LinearHead(WIDTH, initial_scale=1.0))
    trees = some_trees()
    own = model.rewards(trees)
    save_reward_model(SavedReward(model, tokenizer(pad), "tiny"), tmp_path, paths(trees))
    torch.testing.assert_close(model.rewards(trees), own)
    done = subprocess.run(
        [sys.executable, "-c", RESCORE, str(tmp_path)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(json.loads(done.stdout.splitlines()[-1]), own.numpy(), atol=2e-5)
    loaded = load_reward_model(tmp_path)
    torch.testing.assert_close(loaded.model.rewards(trees), own, atol=2e-5, rtol=1e-4)
    assert loaded.tokenizer.chat_template == tokenizer().chat_template


@pytest.mark.parametrize("head", [MLPHead(WIDTH, initial_scale=1.0), LinearHead(WIDTH, bias=True, initial_scale=1.0)])
@pytest.mark.parametrize("adapted", [False, True])
def test_other_heads_have_a_folder_of_their_own(tmp_path: Path, head: Any, adapted: bool) -> None:
    causal().save_pretrained(tmp_path / "start")
    tokenizer().save_pretrained(tmp_path / "start")
    from transformers import AutoModelForCausalLM

    inner: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "start")
    if adapted:
        inner = with_adapters(inner, Adapter(rank=2))
    head = copy.deepcopy(head)
    for parameter in head.parameters():
        parameter.data += 0.1
    model, trees = RewardModel(inner, head), some_trees()
    folder = tmp_path / "reward"
    made = SavedReward(model, tokenizer(), "tiny", {"system": "Be kind."})
    save_reward_model(made, folder, probe_of([np.array([3, 4])], [np.array([5, END])] * 3, np.zeros(3, np.int64)))
    assert is_reward_model(folder)
    loaded = load_reward_model(folder)
    torch.testing.assert_close(loaded.model.rewards(trees), model.rewards(trees), atol=1e-6, rtol=1e-5)
    assert loaded.template == {"system": "Be kind."}


@pytest.mark.parametrize("targets", ["all-linear", ("q_proj", "v_proj")])
def test_quantized_weights_are_saved_as_they_are_applied(tmp_path: Path, targets: Any) -> None:
    pytest.importorskip("bitsandbytes")
    from transformers import AutoModelForCausalLM, LlamaConfig

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        attention_bias=True,
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "start")
    tokenizer().save_pretrained(tmp_path / "start")
    start = load_policy(tmp_path / "start", adapter=Adapter(rank=2, quantized=True, targets=targets))
    for name, parameter in start.model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(std=0.2, generator=torch.Generator().manual_seed(1))
    model = RewardModel(start.model.model, LinearHead(64, initial_scale=1.0))
    trees = some_trees()
    own = model.rewards(trees)
    save_reward_model(SavedReward(model, tokenizer(), "tiny"), tmp_path / "reward", paths(trees))
    found = load_reward_model(tmp_path / "reward").model.rewards(trees)
    # The training's own arithmetic is that of bfloat16.
    assert (found - own).abs().max() < 0.02 * own.std()
    with pytest.raises(InputError, match="only with a linear head"):
        save_reward_model(
            SavedReward(RewardModel(start.model.model, MLPHead(64)), tokenizer(), "t"), tmp_path / "x", []
        )


def test_a_model_that_changed_on_disk_is_refused(tmp_path: Path) -> None:
    save_reward_model(SavedReward(reward_model(), tokenizer(), "tiny"), tmp_path, paths(some_trees()))
    weights = load_file(tmp_path / "model.safetensors")
    save_file(
        weights | {"score.weight": weights["score.weight"] + 0.5}, tmp_path / "model.safetensors", {"format": "pt"}
    )
    with pytest.raises(InputError, match="gives other rewards than when it was saved"):
        load_reward_model(tmp_path)


def test_reward_models_of_others_load_without_a_probe(tmp_path: Path) -> None:
    save_reward_model(SavedReward(reward_model(), tokenizer(), "tiny"), tmp_path, paths(some_trees()))
    (tmp_path / RECORD).unlink()
    assert is_reward_model(tmp_path)
    torch.testing.assert_close(
        load_reward_model(tmp_path).model.rewards(some_trees()), reward_model().rewards(some_trees())
    )


def test_what_is_no_reward_model_is_said(tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification, LlamaConfig

    with pytest.raises(InputError, match="no reward model could be loaded"):
        load_reward_model(tmp_path / "nothing")
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_labels=3,
    )
    AutoModelForSequenceClassification.from_config(config).save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    with pytest.raises(InputError, match="no linear head of one label"):
        load_reward_model(tmp_path)
    with pytest.raises(InputError, match="known are linear, mlp"):
        make_head("cubic", 4)
