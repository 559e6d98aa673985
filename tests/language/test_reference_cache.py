from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import interrupted_reference
import numpy as np
import pytest
import torch
from interrupted_reference import BATCH, N_TREES, story_trees
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from llull.errors import InputError
from llull.language.fingerprints import adapter_fingerprint, fingerprint
from llull.language.model import LanguageModel
from llull.language.reference import (
    ReferenceColumn,
    fill_column,
    option_keys,
    reference_column,
    reference_of,
    source_fingerprint,
)
from llull.language.reference_cache import ReferenceCache, StoredScore
from llull.language.trees import PrefixTree

CONFIG = {
    "vocab_size": 50,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 64,
    "tie_word_embeddings": False,
}


def llama(seed: int = 0, **changes: object) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    return LlamaForCausalLM(LlamaConfig(**(CONFIG | changes)))


def lora(base: LlamaForCausalLM, seed: int = 0, **changes: object):
    """A Llama under one adapter, "default", that is not the identity."""
    model = get_peft_model(base, LoraConfig(**({"r": 2, "target_modules": ["q_proj", "v_proj"]} | changes)))
    stir(model, "default", seed)
    return model


def stir(model: torch.nn.Module, adapter: str, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, part in model.named_parameters():
            if f".{adapter}." in name:
                part.normal_(generator=generator)


class CountingScorer:
    """The sum of ids seen so far as log-probability of a token; counts what it is asked."""

    def __init__(self) -> None:
        self.options = 0
        self.calls = 0

    def __call__(self, trees: Sequence[PrefixTree]) -> SimpleNamespace:
        self.calls += 1
        values = []
        for tree in trees:
            for option in range(tree.n_options):
                seen = np.cumsum(tree.ids[tree.path(option)])
                at = tree.position[tree.target[tree.branch == option]]
                values.append(torch.tensor(-seen[at], dtype=torch.float32))
        self.options += len(values)
        return SimpleNamespace(tokens=tuple(values))


@pytest.fixture
def cache(tmp_path: Path):
    with ReferenceCache(tmp_path) as opened:
        yield opened


def test_scores_are_what_the_model_says_and_are_kept(cache: ReferenceCache) -> None:
    model = LanguageModel(llama())
    trees = story_trees(4)
    first = reference_column(model, trees, cache, template="plain", tokens=True)
    direct = model.log_probs(trees)
    assert (first.computed, first.reused) == (8, 0)
    np.testing.assert_allclose(first.values, direct.sums.numpy(), rtol=1e-5)
    assert first.tokens is not None
    for kept, wanted in zip(first.tokens, direct.tokens, strict=True):
        np.testing.assert_allclose(kept, wanted.numpy(), rtol=1e-5)
    again = reference_column(model, trees, cache, template="plain", tokens=True)
    assert (again.computed, again.reused) == (0, 8)
    np.testing.assert_array_equal(again.values, first.values)
    assert again.source == first.source


def test_an_option_is_scored_once_however_often_it_occurs(cache: ReferenceCache) -> None:
    scorer = CountingScorer()
    one = PrefixTree.of_options([1, 2], [[3], [4, 5]])
    two = PrefixTree.of_options([1, 2], [[4, 5], [6]])
    first = fill_column(scorer, [one, one], cache, "a")
    assert (first.computed, first.reused, scorer.options) == (2, 0, 2)
    np.testing.assert_array_equal(first.values, [-6.0, -7.0 - 12.0] * 2)
    second = fill_column(scorer, [one, two], cache, "a")
    assert (second.computed, second.reused) == (1, 2)
    np.testing.assert_array_equal(second.values, [-6.0, -19.0, -19.0, -9.0])
    third = fill_column(scorer, [one], cache, "b")
    assert (third.computed, third.reused) == (2, 0)


def test_sums_without_tokens_do_not_serve_where_tokens_are_asked(cache: ReferenceCache) -> None:
    scorer = CountingScorer()
    trees = story_trees(2)
    sums = fill_column(scorer, trees, cache, "a")
    assert sums.tokens is None
    whole = fill_column(scorer, trees, cache, "a", tokens=True)
    assert whole.computed == 4
    assert whole.tokens is not None
    np.testing.assert_array_equal([part.sum() for part in whole.tokens], sums.values)
    assert fill_column(scorer, trees, cache, "a").reused == 4
    # A later column of sums leaves the tokens where they are.
    cache.put("a", [(whole.keys[0], StoredScore(0.0, None))])
    assert fill_column(scorer, trees, cache, "a", tokens=True).reused == 4


def test_damaged_tokens_are_scored_again(cache: ReferenceCache) -> None:
    scorer = CountingScorer()
    trees = story_trees(2)
    whole = fill_column(scorer, trees, cache, "a", tokens=True)
    with sqlite3.connect(cache.path) as database:
        database.execute("UPDATE scores SET tokens = zeroblob(12) WHERE key = ?", (whole.keys[1],))
    again = fill_column(scorer, trees, cache, "a", tokens=True)
    assert (again.computed, again.reused) == (1, 3)
    np.testing.assert_array_equal(again.values, whole.values)


def test_a_column_is_in_the_order_of_the_options_numbers(cache: ReferenceCache) -> None:
    scorer = CountingScorer()
    trees = [
        PrefixTree.of_options([1], [[2], [3]], numbers=[2, 0]),
        PrefixTree.of_options([1], [[4]], numbers=[1]),
    ]
    np.testing.assert_array_equal(fill_column(scorer, trees, cache, "a").values, [-4.0, -5.0, -3.0])
    with pytest.raises(InputError, match="same number"):
        fill_column(scorer, [trees[1], trees[1]], cache, "a")
    with pytest.raises(InputError, match="number all or none"):
        fill_column(scorer, [trees[1], PrefixTree.of_options([1], [[4]])], cache, "a")


def test_keys_tell_apart_context_option_and_what_is_scored() -> None:
    trees = [
        PrefixTree.of_options([1, 2], [[3, 4]]),
        PrefixTree.of_options([1], [[2, 3, 4]]),
        PrefixTree.of_options([1, 2], [[3, 4]], scored=[[True, False]]),
        PrefixTree.of_options([1, 2], [[3, 5]]),
        PrefixTree.of_options([0, 2], [[3, 4]]),
    ]
    assert len({option_keys(tree)[0] for tree in trees}) == len(trees)
    among_others = PrefixTree.of_options([1, 2], [[3, 9], [3, 4]], share_prefixes=True)
    assert option_keys(among_others)[1] == option_keys(trees[0])[0]
    in_steps = PrefixTree.of_steps([1, 2], [[[3], [4]]])
    assert option_keys(in_steps) == option_keys(trees[0])


def test_evaluation_finds_its_options_by_content_or_fails_clearly(cache: ReferenceCache) -> None:
    trees = story_trees(3)
    column = fill_column(CountingScorer(), trees, cache, "abcdef")
    assert column.find([trees[2], trees[0]]).tolist() == [4, 5, 0, 1]
    assert len(column) == 6
    stranger = PrefixTree.of_options([1], [[2], [3]])
    with pytest.raises(
        InputError, match=r"abcdef: 2 of 4 options are not in its column of 6 \(the first is number 2\)"
    ):
        column.find([trees[0], stranger])


def test_evaluation_after_training_reads_the_reference_and_not_the_trained_model(cache: ReferenceCache) -> None:
    model = LanguageModel(llama())
    trees = story_trees(3)
    before = reference_column(model, trees, cache, template="plain")
    with torch.no_grad():
        for part in model.parameters():
            part.add_(0.05)
    np.testing.assert_array_equal(before.values[before.find(trees[1:])], before.values[2:])
    after = reference_column(model, trees, cache, template="plain")
    assert after.source != before.source
    assert after.computed == 6
    assert np.abs(after.values - before.values).max() > 1e-4


def test_a_killed_run_is_taken_up_where_it_was(tmp_path: Path) -> None:
    llama().save_pretrained(tmp_path / "model")
    script = Path(interrupted_reference.__file__)
    process = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "model"), str(tmp_path / "cache")],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        source, *done = (process.stdout.readline().strip() for _ in range(4))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    model = LanguageModel(AutoModelForCausalLM.from_pretrained(tmp_path / "model"))
    assert source_fingerprint(model, template="plain") == source, "another process gave another fingerprint"
    trees = story_trees()
    with ReferenceCache(tmp_path / "cache") as cache:
        assert cache.count(source) == int(done[-1]) < 2 * N_TREES
        resumed = fill_column(model.log_probs, trees, cache, source, batch=BATCH)
    assert (resumed.computed, resumed.reused) == (2 * N_TREES - int(done[-1]), int(done[-1]))
    np.testing.assert_allclose(resumed.values, model.log_probs(trees).sums.numpy(), rtol=1e-5)


def test_two_writers_and_a_reader_share_one_file(tmp_path: Path) -> None:
    trees = story_trees(40)
    columns: list[ReferenceColumn] = []

    def write() -> None:
        with ReferenceCache(tmp_path) as own:
            columns.append(fill_column(CountingScorer(), trees, own, "a", tokens=True, batch=30))

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    with ReferenceCache(tmp_path) as reader:
        while any(thread.is_alive() for thread in threads):
            reader.get("a", option_keys(trees[0]))
        for thread in threads:
            thread.join()
        assert reader.count("a") == 80
    np.testing.assert_array_equal(columns[0].values, columns[1].values)


def test_a_failed_write_leaves_nothing_behind(cache: ReferenceCache) -> None:
    def scores():
        yield b"one", StoredScore(-1.0, None)
        yield b"two", StoredScore(None, None)  # pyright: ignore[reportArgumentType]

    with pytest.raises(sqlite3.IntegrityError):
        cache.put("a", scores())
    assert cache.count("a") == 0


def test_a_folder_that_cannot_be_used_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "references.sqlite").write_text("this is not a database, it is a text of some length" * 20)
    with pytest.raises(InputError, match="cannot be opened"):
        ReferenceCache(tmp_path)


def test_a_fingerprint_survives_saving_and_changes_with_any_weight_or_setting(tmp_path: Path) -> None:
    model = llama()
    original = fingerprint(model)
    model.save_pretrained(tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert fingerprint(loaded) == original
    assert fingerprint(llama(1)) != original
    assert fingerprint(llama().to(torch.bfloat16)) != original
    assert fingerprint(llama(rms_norm_eps=1e-3)) != original
    loaded.config.pad_token_id = 3
    assert fingerprint(loaded) == original
    seen = {original}
    for part in loaded.parameters():
        with torch.no_grad():
            part.view(-1)[-1] += 1.0
        seen.add(fingerprint(loaded))
    assert len(seen) == 1 + len(list(loaded.parameters()))


def test_a_tied_model_keeps_its_fingerprint_when_saved(tmp_path: Path) -> None:
    model = llama(tie_word_embeddings=True)
    model.save_pretrained(tmp_path)
    assert fingerprint(AutoModelForCausalLM.from_pretrained(tmp_path)) == fingerprint(model)


@pytest.mark.parametrize(
    "changes", [{}, {"use_dora": True}, {"modules_to_save": ["lm_head"]}, {"trainable_token_indices": [1, 2]}]
)
def test_adapters_leave_the_fingerprint_of_the_model_alone(changes: dict[str, object]) -> None:
    plain = fingerprint(llama())
    model = lora(llama(), **changes)
    assert fingerprint(model) == plain
    one = adapter_fingerprint(model, "default")
    stir(model, "default", 5)
    assert fingerprint(model) == plain
    assert adapter_fingerprint(model, "default") != one


def test_an_adapter_is_known_by_its_weights_and_not_by_its_name() -> None:
    model = lora(llama())
    model.add_adapter("twin", LoraConfig(r=2, target_modules=["q_proj", "v_proj"]))
    model.add_adapter("louder", LoraConfig(r=2, target_modules=["q_proj", "v_proj"], lora_alpha=32))
    for name in ("twin", "louder"):
        stir(model, name, 0)
    assert adapter_fingerprint(model, "twin") == adapter_fingerprint(model, "default")
    assert adapter_fingerprint(model, "louder") != adapter_fingerprint(model, "default")
    with pytest.raises(InputError, match="the model has 'default', 'twin', 'louder'"):
        adapter_fingerprint(model, "other")


def test_a_policy_under_adapters_is_its_own_reference_without_them(cache: ReferenceCache) -> None:
    trees = story_trees(3)
    plain = reference_column(LanguageModel(llama()), trees, cache, template="plain")
    policy = LanguageModel(lora(llama()))
    before = policy.log_probs(trees).sums.numpy()
    assert np.abs(before - plain.values).max() > 1e-3, "the adapter does nothing: the test would prove nothing"
    with ReferenceCache(cache.path.parent / "other") as fresh:
        column = reference_column(policy, trees, fresh, template="plain")
    np.testing.assert_allclose(column.values, plain.values, rtol=1e-5)
    assert column.source == plain.source
    assert reference_column(policy, trees, cache, template="plain").reused == 6
    np.testing.assert_array_equal(policy.log_probs(trees).sums.numpy(), before)


def test_a_named_adapter_is_the_reference_and_the_policy_trains_on(cache: ReferenceCache) -> None:
    trees = story_trees(3)
    model = lora(llama())
    expected = LanguageModel(model).log_probs(trees).sums.numpy()
    model.add_adapter("policy", LoraConfig(r=2, target_modules=["q_proj", "v_proj"]))
    stir(model, "policy", 9)
    model.set_adapter("policy")
    policy = LanguageModel(model)
    trained = {name: part.requires_grad for name, part in model.named_parameters()}
    before = policy.log_probs(trees).sums.numpy()
    column = reference_column(policy, trees, cache, template="plain", adapter="default")
    np.testing.assert_allclose(column.values, expected, rtol=1e-5)
    assert model.active_adapter == "policy"
    assert {name: part.requires_grad for name, part in model.named_parameters()} == trained
    np.testing.assert_array_equal(policy.log_probs(trees).sums.numpy(), before)
    without = reference_column(policy, trees, cache, template="plain")
    assert without.source != column.source
    assert without.computed == 6


def test_adapters_that_cannot_be_undone_are_refused() -> None:
    with pytest.raises(InputError, match="no adapters"), reference_of(llama(), "default"):
        pass
    with pytest.raises(InputError, match="train biases"), reference_of(lora(llama(), bias="all")):
        pass
    merged = lora(llama())
    merged.merge_adapter()
    with pytest.raises(InputError, match="merged into the weights"):
        fingerprint(merged)


def test_weights_that_are_not_loaded_have_no_fingerprint() -> None:
    with torch.device("meta"):
        empty = LlamaForCausalLM(LlamaConfig(**CONFIG))
    with pytest.raises(InputError, match="not loaded"):
        fingerprint(empty)


def test_template_and_precision_are_part_of_the_source() -> None:
    model = LanguageModel(llama())
    plain = source_fingerprint(model, template="plain")
    assert source_fingerprint(model, template="chat") != plain
    with torch.autocast("cpu", torch.bfloat16):
        assert source_fingerprint(model, template="plain") != plain
    assert source_fingerprint(model, template="plain") == plain


def test_no_trees_make_an_empty_column(cache: ReferenceCache) -> None:
    column = fill_column(CountingScorer(), [], cache, "a", tokens=True)
    assert (len(column), column.tokens, column.computed, column.reused) == (0, (), 0, 0)
    assert column.find([]).tolist() == []
