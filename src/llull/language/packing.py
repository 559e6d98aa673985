"""Packing: many prefix trees in rows of at most a number of tokens, without padding."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from llull.errors import InputError
from llull.language.trees import PrefixTree

Layout = Literal["tree", "flat"]


@dataclass(frozen=True)
class Blocks:
    """What attends to what in one row, as blocks without a mask.

    Tokens of one chain (each the parent of the next) attend to each other causally; besides, a range of queries attends
    to the whole of a range of keys. Together the blocks cover each visible pair of tokens exactly once.
    """

    chains: tuple[tuple[int, int], ...]
    """(start, end) of each chain."""
    rectangles: tuple[tuple[int, int, int, int], ...]
    """(first query, end of queries, first key, end of keys)."""


@dataclass(frozen=True, eq=False)
class Packed:
    """Some trees laid end to end in one row of T tokens, as tensors on the CPU.

    All indices are into the row. A scored token of several options is listed once in ``source`` and ``target``, and as
    often as it is scored in ``entry``, ``option`` and ``step``.
    """

    ids: Tensor
    """int64 [T]"""
    position: Tensor
    """int64 [T]: depth in its tree."""
    end: Tensor
    """int64 [T]: end of the subtree of each token."""
    parent: Tensor
    """int64 [T]: the token before on the path; -1 at a root."""
    target: Tensor
    """int64 [u]: the scored tokens."""
    source: Tensor
    """int64 [u]: the tokens whose hidden states predict them, their parents."""
    target_ids: Tensor
    """int64 [u]: their ids."""
    owner: Tensor
    """int64 [u]: row of ``options`` of one option that each belongs to."""
    entry: Tensor
    """int64 [s]: index into ``target`` of each scored token of each option."""
    option: Tensor
    """int64 [s]: number of the option, as in ``options``."""
    step: Tensor
    """int64 [s]: step of the option."""
    options: Tensor
    """int64 [k]: the caller's number of each option in the row."""
    last: Tensor
    """int64 [k]: index of the last token of each option."""
    trees: tuple[int, ...]
    """Which of the trees given these are."""
    starts: tuple[int, ...]
    """[number of trees + 1] where each begins, and the end."""

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def longest(self) -> int:
        """Tokens of the longest path."""
        return int(self.position.max()) + 1

    @cached_property
    def blocks(self) -> Blocks:
        """What attends to what."""
        return find_blocks(self.parent.numpy(), self.end.numpy())

    @cached_property
    def rows(self) -> tuple[Tensor, Tensor]:
        """The flat layout: each option with its own copy of its context.

        Returns:
            Ids int64 [k, longest], zero behind each row's end, and lengths int64 [k].
        """
        end, last = self.end.numpy(), self.last.numpy()
        lengths = self.position.numpy()[last] + 1
        ids = np.zeros((len(last), self.longest), np.int64)
        roots = np.asarray(self.starts)[np.searchsorted(self.starts, last, side="right") - 1]
        for row, (first, at, length) in enumerate(zip(roots, last, lengths, strict=True)):
            path = first + np.flatnonzero(end[first : at + 1] > at)
            ids[row, :length] = self.ids.numpy()[path]
        return torch.from_numpy(ids), torch.from_numpy(lengths)


def find_blocks(parent: np.ndarray, end: np.ndarray) -> Blocks:
    """Cut the visible pairs of tokens of a row of trees into blocks.

    Args:
        parent: [T] index of the token before on the path, -1 at roots; preorder.
        end: [T] end of the subtree of each token.

    Returns:
        The blocks, each visible pair in exactly one.
    """
    index = np.arange(len(parent))
    starts = np.flatnonzero((parent < 0) | (parent != index - 1))
    chains = zip(starts.tolist(), [*starts[1:].tolist(), len(parent)], strict=True)
    # Where a path forks, the first branch goes on with the chain. The others, which end with the subtree of the
    # fork, lie side by side: one block of queries for all of them.
    later = starts[parent[starts] >= 0]
    forks, first = np.unique(parent[later], return_index=True)
    key_starts = starts[np.searchsorted(starts, forks, side="right") - 1]
    rectangles = zip(later[first].tolist(), end[forks].tolist(), key_starts.tolist(), (forks + 1).tolist(), strict=True)
    return Blocks(tuple(chains), tuple(rectangles))


def pack(trees: Sequence[PrefixTree], budget: int, *, layout: Layout = "tree", seed: int = 0) -> list[Packed]:
    """Pack trees into rows of at most ``budget`` tokens, longest first, each into the fullest row that takes it.

    No tree is cut: one that is longer than the budget gets a row of its own.

    Args:
        trees: what to pack.
        budget: tokens of a row, from 1.
        layout: what is counted: "tree" the tokens of the trees, "flat" the padded rows of one copy of the context for
            each option, so that a row costs the same memory in both.
        seed: decides the order of trees of equal length.

    Returns:
        The rows. Options are called by the trees' own ``numbers``, or else counted in the order of ``trees``.

    Raises:
        InputError: if the budget is not positive, some trees have numbers and others do not, or two options the same.
    """
    if budget < 1:
        raise InputError(f"a budget of {budget} tokens: give at least 1")
    if len({tree.numbers is None for tree in trees}) > 1:
        raise InputError("some trees number their options and others do not: number all or none")
    given = [tree.numbers for tree in trees if tree.numbers is not None]
    if given and len(np.unique(np.concatenate(given))) < sum(map(len, given)):
        raise InputError("two options have the same number: put each option into one tree only")
    firsts = np.cumsum([0, *(tree.n_options for tree in trees)])
    groups = _bins(trees, budget, seed) if layout == "tree" else _sorted_runs(trees, budget, seed)
    return [_join(trees, group, firsts) for group in groups]


def _order(sizes: np.ndarray, seed: int) -> np.ndarray:
    shuffled = np.random.default_rng(seed).permutation(len(sizes))
    return shuffled[np.argsort(-sizes[shuffled], kind="stable")]


def _bins(trees: Sequence[PrefixTree], budget: int, seed: int) -> list[list[int]]:
    """Best-fit decreasing."""
    sizes = np.array([len(tree) for tree in trees], np.int64)
    bins: list[list[int]] = []
    room: list[tuple[int, int]] = []
    for i in _order(sizes, seed).tolist():
        size = int(sizes[i])
        at = bisect_left(room, (size, -1))
        if at == len(room):
            bins.append([i])
            left, which = budget - size, len(bins) - 1
        else:
            left, which = room.pop(at)
            bins[which].append(i)
            left -= size
        if left > 0:
            insort(room, (left, which))
    return bins


def _sorted_runs(trees: Sequence[PrefixTree], budget: int, seed: int) -> list[list[int]]:
    """Runs of trees of falling length whose padded options fill at most the budget."""
    longest = np.array([tree.lengths.max() for tree in trees], np.int64)
    runs: list[list[int]] = []
    rows = width = 0
    for i in _order(longest, seed).tolist():
        if not runs or (rows + trees[i].n_options) * width > budget:
            runs.append([])
            rows, width = 0, int(longest[i])
        runs[-1].append(i)
        rows += trees[i].n_options
    return runs


def _join(trees: Sequence[PrefixTree], group: list[int], firsts: np.ndarray) -> Packed:
    members = [trees[i] for i in group]
    starts = np.cumsum([0, *(len(tree) for tree in members)])
    rows = np.cumsum([0, *(tree.n_options for tree in members)])

    def joined(name: str, shifts: np.ndarray | None = None) -> np.ndarray:
        parts = [getattr(tree, name) for tree in members]
        if shifts is not None:
            parts = [part + shift for part, shift in zip(parts, shifts, strict=False)]
        return np.concatenate(parts).astype(np.int64)

    ids, branch, target = joined("ids"), joined("branch", rows), joined("target", starts)
    parent = np.concatenate([np.where(t.parent < 0, -1, t.parent + s) for t, s in zip(members, starts, strict=False)])
    numbers = [
        np.arange(firsts[i], firsts[i + 1]) if tree.numbers is None else tree.numbers
        for i, tree in zip(group, members, strict=True)
    ]
    options = np.concatenate(numbers).astype(np.int64)
    unique, first, entry = np.unique(target, return_index=True, return_inverse=True)
    return Packed(
        ids=torch.from_numpy(ids),
        position=torch.from_numpy(joined("position")),
        end=torch.from_numpy(joined("end", starts)),
        parent=torch.from_numpy(parent.astype(np.int64)),
        target=torch.from_numpy(unique),
        source=torch.from_numpy(parent.astype(np.int64)[unique]),
        target_ids=torch.from_numpy(ids[unique]),
        owner=torch.from_numpy(branch[first]),
        entry=torch.from_numpy(entry),
        option=torch.from_numpy(options[branch]),
        step=torch.from_numpy(joined("step")),
        options=torch.from_numpy(options),
        last=torch.from_numpy(joined("last", starts)),
        trees=tuple(group),
        starts=tuple(starts.tolist()),
    )
