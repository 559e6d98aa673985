from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from tree_strategies import MANY, Made, ancestors, made_trees

from llull.errors import InputError
from llull.language.trees import PrefixTree, trees_of


@MANY
@given(made_trees())
def test_ends_say_who_sees_whom(made: Made) -> None:
    tree = made.tree
    index = np.arange(len(tree))
    seen = (index[None, :] <= index[:, None]) & (index[:, None] < tree.end[None, :])
    np.testing.assert_array_equal(seen, ancestors(tree))
    np.testing.assert_array_equal(tree.position, seen.sum(1) - 1)


@MANY
@given(made_trees())
def test_paths_are_the_options(made: Made) -> None:
    for option, tokens in enumerate(made.paths):
        path = made.tree.path(option)
        assert made.tree.ids[path].tolist() == made.prompt + tokens
        assert made.tree.lengths[option] == len(path)
        np.testing.assert_array_equal(made.tree.parent[path], [-1, *path[:-1]])


@MANY
@given(made_trees())
def test_scored_tokens_come_option_by_option_in_reading_order(made: Made) -> None:
    tree = made.tree
    for option, (steps, scored) in enumerate(zip(made.options, made.scored, strict=True)):
        mine = tree.branch == option
        numbered = [(token, number) for number, step in enumerate(steps) for token in step]
        kept = [pair for pair, keep in zip(numbered, scored, strict=True) if keep]
        assert list(zip(tree.ids[tree.target[mine]].tolist(), tree.step[mine].tolist(), strict=True)) == kept
        assert set(tree.target[mine].tolist()) <= set(tree.path(option).tolist())
    assert (np.diff(tree.branch) >= 0).all()


@MANY
@given(made_trees())
def test_what_options_share_is_kept_once(made: Made) -> None:
    distinct: set[tuple[object, ...]] = set()
    for steps in made.options:
        if made.share_prefixes:
            tokens = [token for step in steps for token in step]
            distinct.update(tuple(tokens[: i + 1]) for i in range(len(tokens)))
        else:
            upto = [tuple(map(tuple, steps[: i + 1])) for i in range(len(steps))]
            distinct.update((done, i) for done in upto for i in range(len(done[-1])))
    assert len(made.tree) == len(made.prompt) + len(distinct)


def test_a_fan_is_the_tree_of_options_of_one_step() -> None:
    fan = PrefixTree.of_options([5, 6], [[1, 2], [1], [3, 4, 5]], scored=[[1, 1], [1], [0, 1, 1]])
    steps = PrefixTree.of_steps([5, 6], [[[1, 2]], [[1]], [[3, 4, 5]]], scored=[[1, 1], [1], [0, 1, 1]])
    for name in ("ids", "end", "position", "parent", "target", "branch", "step", "last"):
        np.testing.assert_array_equal(getattr(fan, name), getattr(steps, name), err_msg=name)


def test_an_option_may_begin_another_and_two_may_be_equal() -> None:
    tree = PrefixTree.of_options([9], [[1, 2, 3], [1, 2], [1, 2]], share_prefixes=True)
    assert tree.ids.tolist() == [9, 1, 2, 3]
    assert tree.last.tolist() == [3, 2, 2]
    assert tree.target.tolist() == [1, 2, 3, 1, 2, 1, 2]


@pytest.mark.parametrize(
    ("prompt", "options", "keywords", "message"),
    [
        ([], [[1]], {}, "the context has no tokens"),
        ([1], [], {}, "without options"),
        ([1], [[1], []], {}, "option 1 has no tokens"),
        ([1], [[1, 2]], {"scored": [[True]]}, "does not fit"),
        ([1], [[1, 2]], {"scored": [[False, False]]}, "no token of option 0 is scored"),
        ([1], [[1], [2]], {"numbers": [4]}, "1 numbers for 2 options"),
    ],
)
def test_what_cannot_be_a_tree_is_refused(prompt: list[int], options: list, keywords: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        PrefixTree.of_options(prompt, options, **keywords)


def test_an_option_without_steps_is_refused() -> None:
    with pytest.raises(InputError, match="option 1 has no steps"):
        PrefixTree.of_steps([1], [[[2]], []])
    with pytest.raises(InputError, match="step 1 of option 0 has no tokens"):
        PrefixTree.of_steps([1], [[[2], []]])


def test_encoded_options_are_grouped_by_context() -> None:
    encoded = SimpleNamespace(
        prompts=(np.array([7], np.int32), np.array([8, 9], np.int32)),
        options=tuple(np.array([i + 1, 20], np.int32) for i in range(6)),
        scored=(None, None, np.array([False, True]), None, None, None),
        prompt=np.array([1, 0, 1, 0, 1, 0]),
        kept=np.array([True] * 5 + [False]),
    )
    every = trees_of(encoded)
    assert [tree.ids.tolist() for tree in every] == [[7, 2, 20, 4, 20], [8, 9, 1, 20, 3, 20, 5, 20]]
    assert [tree.numbers.tolist() for tree in every if tree.numbers is not None] == [[1, 3], [0, 2, 4]]
    assert every[1].ids[every[1].target].tolist() == [1, 20, 20, 5, 20]
    some = trees_of(encoded, [4, 0, 4, 5])
    assert [tree.ids.tolist() for tree in some] == [[8, 9, 1, 20, 5, 20]]
    assert trees_of(encoded, []) == []
