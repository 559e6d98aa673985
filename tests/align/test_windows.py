"""Every judgment once an epoch, in an order that the seed alone decides, in micro-batches that keep their budget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_trainings import make_data

from llull.align.training_set import MISMATCHED, TrainingSet
from llull.align.windows import MicroBatch, Share, Window, everything, micro_batches, total_updates, windows
from llull.objectives import ListUnits, PairUnits, SingleUnits


def random_set(seed: int, judgments: int, across: bool) -> TrainingSet:
    """Pairs of options, of one context or, ``across``, of any two; with named units beside some of them."""
    rng = np.random.default_rng(seed)
    contexts = int(rng.integers(1, 9))
    prompt = np.sort(np.concatenate([np.repeat(np.arange(contexts), 2), rng.integers(0, contexts, 10)]))
    first = rng.integers(0, len(prompt), judgments)
    second = np.array([
        rng.choice(np.flatnonzero((np.arange(len(prompt)) != i) & (across | (prompt == prompt[i])))) for i in first
    ])  # fmt: skip
    owner = rng.integers(0, judgments, judgments // 2)
    return TrainingSet(
        prompts=tuple(rng.integers(3, 50, rng.integers(1, 20)).astype(np.int32) for _ in range(contexts)),
        options=tuple(rng.integers(3, 50, rng.integers(1, 12)).astype(np.int32) for _ in prompt),
        scored=(None,) * len(prompt),
        prompt=prompt,
        units={
            "main": PairUnits.of(torch.from_numpy(first), torch.from_numpy(second)),
            "beside": SingleUnits.of(torch.from_numpy(first[owner])),
        },
        beside={"beside": torch.from_numpy(owner)},
    )


sets = st.builds(random_set, st.integers(0, 10**6), st.integers(2, 40), st.booleans())


def named(window: Window | MicroBatch, name: str) -> list[int]:
    return window.units[name].index.tolist()


def all_named(parts: Sequence[Window | MicroBatch], name: str) -> list[int]:
    return sorted(chain.from_iterable(named(part, name) for part in parts))


@settings(max_examples=40, deadline=None)
@given(sets, st.integers(1, 50), st.integers(1, 3), st.integers(0, 5))
def test_each_epoch_has_each_judgment_once(data: TrainingSet, size: int, epochs: int, seed: int) -> None:
    each = -(-len(data) // size)
    found = list(windows(data, size, epochs, seed))
    assert [window.number for window in found] == list(range(each * epochs))
    for epoch in range(epochs):
        of_epoch = found[epoch * each : (epoch + 1) * each]
        assert all_named(of_epoch, "main") == list(range(len(data)))
        assert all_named(of_epoch, "beside") == list(range(len(data) // 2))
        assert all(len(named(window, "main")) == size for window in of_epoch[:-1])
    for window in found:
        owners = data.beside["beside"][window.units["beside"].index]
        assert set(owners.tolist()) <= set(named(window, "main"))


@settings(max_examples=40, deadline=None)
@given(sets, st.integers(1, 20), st.integers(0, 5), st.data())
def test_the_order_does_not_depend_on_where_it_is_taken_up(
    data: TrainingSet, size: int, seed: int, draw: st.DataObject
) -> None:
    whole = list(windows(data, size, 3, seed))
    first = draw.draw(st.integers(0, len(whole)))
    rest = list(windows(data, size, 3, seed, first))
    assert [window.number for window in rest] == list(range(first, len(whole)))
    for one, other in zip(whole[first:], rest, strict=True):
        for name in one.units:
            assert named(one, name) == named(other, name)


def test_the_order_is_another_in_each_epoch_and_with_each_seed() -> None:
    data = random_set(0, 40, across=False)
    orders = [named(window, "main") for seed in (0, 1) for window in windows(data, 40, 2, seed)]
    assert len({tuple(order) for order in orders}) == 4


@pytest.mark.parametrize(("epochs", "updates"), [(1, 5), (0.4, 2), (0.01, 1), (2.5, 12)])
def test_the_number_of_updates(epochs: float, updates: int) -> None:
    data = random_set(0, 18, across=False)
    assert total_updates(data, 4, epochs) == updates == len(list(windows(data, 4, epochs, 0)))


@settings(max_examples=60, deadline=None)
@given(sets, st.integers(1, 200), st.sampled_from(["tree", "flat"]), st.integers(1, 3))
def test_micro_batches_part_a_window_and_keep_the_budget(
    data: TrainingSet, budget: int, layout: str, processes: int
) -> None:
    window = next(windows(data, 15, 1, 0))
    shares = [
        list(micro_batches(data, window, budget, layout=layout, share=Share(rank, processes)))
        for rank in range(processes)
    ]
    assert len({len(share) for share in shares}) == 1, "processes would wait for each other for ever"
    batches = [batch for share in shares for batch in share]
    for name in window.units:
        assert all_named(batches, name) == sorted(named(window, name))
    for batch in batches:
        # Units point at the options they pointed at.
        for name, units in batch.units.items():
            given = data.units[name].select(units.index)
            assert torch.equal(batch.packed.options[units.options], given.options)
        assert batch.idle == (not any(len(units) for units in batch.units.values()))
        # Each context and option is there once, and whole.
        options = batch.packed.options.numpy()
        contexts = np.unique(data.prompt[options])
        assert len(np.unique(options)) == len(options)
        tokens = sum(len(data.options[i]) for i in options) + sum(len(data.prompts[i]) for i in contexts)
        assert len(batch.packed) == tokens
        size = tokens if layout == "tree" else batch.packed.rows[0].numel()
        assert size <= budget or joined(data, batch, window)
    # No two that would fit together are apart, unless rows are padded.
    if layout == "tree" and processes == 1:
        small = [len(batch.packed) for batch in batches if 2 * len(batch.packed) <= budget]
        assert len(small) <= 1


def joined(data: TrainingSet, batch: MicroBatch, window: Window) -> bool:
    """Whether a micro-batch's contexts are all held together by the window's judgments, so that none can go."""
    contexts = set(np.unique(data.prompt[batch.packed.options.numpy()]).tolist())
    reached = {next(iter(contexts))}
    links = [set(data.prompt[o.numpy()].tolist()) for units in window.units.values() for o in units.options]
    for _ in contexts:
        for link in links:
            if link & reached:
                reached |= link
    return contexts <= reached


def test_a_pair_across_two_contexts_is_in_one_micro_batch() -> None:
    data = make_data()
    chosen, rejected = torch.arange(0, 48, 4), torch.roll(torch.arange(0, 48, 4), 1)
    apart = replace(data, units={"main": PairUnits.of(chosen[:6:2], rejected[:6:2])})
    batches = list(micro_batches(apart, everything(apart), 1))
    assert [len(batch.units["main"]) for batch in batches] == [1, 1, 1]
    assert all(len(batch.packed.starts) == 3 for batch in batches), "two trees each"


def test_lists_that_are_shorter_keep_their_padding() -> None:
    data = make_data("lists")
    for batch in micro_batches(data, everything(data), 40):
        units = batch.units["main"]
        assert isinstance(units, ListUnits)
        given = data.units["main"].select(units.index).options
        assert torch.equal(units.options < 0, given < 0)
        assert torch.equal(batch.packed.options[units.options][given >= 0], given[given >= 0])


def test_options_under_other_contexts_never_meet_their_own() -> None:
    data = make_data("singles")
    units = data.units[MISMATCHED]
    own = data.prompt[data.units["main"].options[:, 0].numpy()]
    assert (data.prompt[units.options[:, 0].numpy()] != own).all()
    for main, foreign in zip(data.units["main"].options[:, 0].tolist(), units.options[:, 0].tolist(), strict=True):
        assert np.array_equal(data.options[main], data.options[foreign])
    # Each context is used about as often as it is judged.
    assert Counter(data.prompt[units.options[:, 0].numpy()].tolist()) == Counter(own.tolist())


def test_one_context_larger_than_half_of_the_data_still_gets_others() -> None:
    data = make_data("pairs", contexts=3)
    option = torch.tensor([0, 1, 2, 3, 0, 4, 8])
    data = replace(data, units={"main": SingleUnits.of(option)}).with_mismatched(0)
    foreign = data.prompt[data.units[MISMATCHED].options[:, 0].numpy()]
    assert (foreign != data.prompt[option.numpy()]).all()


@settings(max_examples=40, deadline=None)
@given(sets, st.integers(0, 10**6), st.integers(1, 10), st.integers(1, 60), st.booleans())
def test_samples_of_a_context_meet_in_one_micro_batch(
    data: TrainingSet, seed: int, size: int, budget: int, flat: bool
) -> None:
    """As an estimate with the other samples of the context as its baseline needs it; not all contexts are judged."""
    rng = np.random.default_rng(seed)
    strange = [rng.integers(50, 60, 3 + at).astype(np.int32) for at in range(3)]
    prompts = (*data.prompts, *strange)
    prompt = rng.permutation(np.repeat(np.arange(len(prompts)), 3))
    samples = TrainingSet(
        prompts=prompts,
        options=tuple(rng.integers(3, 50, 4).astype(np.int32) for _ in prompt),
        scored=(None,) * len(prompt),
        prompt=prompt,
        units={"main": SingleUnits.of(torch.arange(len(prompt)))},
    )
    both = data.with_units("samples", samples)
    met: Counter[int] = Counter()
    for window in windows(both, size, 1, seed):
        for batch in micro_batches(both, window, budget, layout="flat" if flat else "tree"):
            options = batch.packed.options[batch.units["samples"].options[:, 0]].numpy()
            contexts, counts = np.unique(both.prompt[options], return_counts=True)
            for context, count in zip(contexts.tolist(), counts.tolist(), strict=True):
                # Contexts of equal ids are one.
                assert count % 3 == 0
                met[context] += count
    assert sum(met.values()) == len(prompt)
    assert len(met) == len(np.unique(both.prompt[len(data.options) :]))
