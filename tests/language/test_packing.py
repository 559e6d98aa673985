from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tree_strategies import MANY, Made, ancestors, made_trees

from llull.errors import InputError
from llull.language.packing import find_blocks, pack
from llull.language.trees import PrefixTree

SETS = st.lists(made_trees(), min_size=1, max_size=6)


@MANY
@given(SETS, st.integers(1, 80))
def test_each_tree_is_in_one_row_whole(sets: list[Made], budget: int) -> None:
    trees = [made.tree for made in sets]
    rows = pack(trees, budget)
    assert sorted(i for row in rows for i in row.trees) == list(range(len(trees)))
    for row in rows:
        assert len(row) <= budget or len(row.trees) == 1
        for i, start, end in zip(row.trees, row.starts, row.starts[1:], strict=False):
            np.testing.assert_array_equal(row.ids[start:end], trees[i].ids)
    for one, other in combinations(rows, 2):
        assert len(one) + len(other) > budget


@MANY
@given(SETS, st.sampled_from(["tree", "flat"]))
def test_scored_tokens_keep_their_option_step_and_predecessor(sets: list[Made], layout) -> None:
    found: dict[int, list[tuple[int, int]]] = {}
    for row in pack([made.tree for made in sets], 40, layout=layout):
        assert torch.equal(row.ids[row.target], row.target_ids)
        assert torch.equal(row.parent[row.target], row.source)
        for entry, option, step in zip(row.entry.tolist(), row.option.tolist(), row.step.tolist(), strict=True):
            found.setdefault(option, []).append((int(row.target_ids[entry]), step))
    expected = []
    for made in sets:
        for steps, scored in zip(made.options, made.scored, strict=True):
            tokens = [(token, number) for number, step in enumerate(steps) for token in step]
            expected.append([token for token, keep in zip(tokens, scored, strict=True) if keep])
    assert [found[option] for option in range(len(expected))] == expected


@MANY
@given(SETS)
def test_blocks_cover_each_visible_pair_once(sets: list[Made]) -> None:
    (row,) = pack([made.tree for made in sets], 10_000)
    count = np.zeros((len(row), len(row)), int)
    blocks = find_blocks(row.parent.numpy(), row.end.numpy())
    for start, end in blocks.chains:
        count[start:end, start:end] += np.tril(np.ones((end - start, end - start), int))
    for start, end, first, stop in blocks.rectangles:
        count[start:end, first:stop] += 1
    expected = np.zeros_like(count)
    for i, start, end in zip(row.trees, row.starts, row.starts[1:], strict=False):
        expected[start:end, start:end] = ancestors(sets[i].tree)
    np.testing.assert_array_equal(count, expected)


@MANY
@given(SETS, st.integers(1, 80))
def test_flat_rows_are_the_options_with_their_contexts(sets: list[Made], budget: int) -> None:
    whole = [made.prompt + path for made in sets for path in made.paths]
    seen = []
    for row in pack([made.tree for made in sets], budget, layout="flat"):
        ids, lengths = row.rows
        assert ids.numel() <= budget or len(row.trees) == 1
        for number, tokens, length in zip(row.options.tolist(), ids, lengths.tolist(), strict=True):
            assert tokens[:length].tolist() == whole[number]
            assert not tokens[length:].any()
            seen.append(number)
    assert sorted(seen) == list(range(len(whole)))


def test_the_seed_orders_trees_of_equal_length() -> None:
    trees = [PrefixTree.of_options([i, 1], [[2], [3]]) for i in range(40)]
    rows = [[row.trees for row in pack(trees, 20, seed=seed)] for seed in (0, 0, 1)]
    assert rows[0] == rows[1] != rows[2]


def test_nothing_makes_no_rows() -> None:
    assert pack([], 10) == []


def test_options_are_called_what_their_trees_call_them() -> None:
    trees = [PrefixTree.of_options([1], [[2], [3]], numbers=[7, 3]), PrefixTree.of_options([1], [[4]], numbers=[5])]
    (row,) = pack(trees, 100)
    assert dict(zip(row.option.tolist(), row.target_ids.tolist(), strict=True)) == {7: 2, 3: 3, 5: 4}
    with pytest.raises(InputError, match="number all or none"):
        pack([trees[0], PrefixTree.of_options([1], [[4]])], 100)
    with pytest.raises(InputError, match="the same number"):
        pack([trees[0], trees[0]], 100)
    with pytest.raises(InputError, match="budget of 0"):
        pack(trees, 0)
