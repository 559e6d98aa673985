"""Prefix trees: one context and its options as branches, every shared token kept once."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from llull.errors import InputError


class Encoded(Protocol):
    """Contexts and options as ids, each context once: what `llull.language.tokens` makes."""

    @property
    def prompts(self) -> Sequence[np.ndarray]:
        """Ids of each context."""
        ...

    @property
    def options(self) -> Sequence[np.ndarray]:
        """Ids of each option."""
        ...

    @property
    def scored(self) -> Sequence[np.ndarray | None]:
        """bool for each option's tokens: whether they are scored; None where all are."""
        ...

    @property
    def prompt(self) -> np.ndarray:
        """int [n]: the context of each option."""
        ...

    @property
    def kept(self) -> np.ndarray:
        """bool [n]: False where an option is left out as too long."""
        ...


@dataclass(frozen=True, eq=False)
class PrefixTree:
    """One context and its options, as tokens in depth-first preorder.

    Token j is seen by token i (it is i, or comes before i on its path) if and only if ``j <= i < end[j]``. An option is
    the path from the root to its last token; what it is scored on is listed in ``target``, option after option, in
    reading order. A token that several options share is one token here, and appears in ``target`` once for each.

    >>> tree = PrefixTree.of_options([1, 2, 3], [[4, 5], [6]])
    >>> tree.ids.tolist(), tree.position.tolist(), tree.parent.tolist()
    ([1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4, 3], [-1, 0, 1, 2, 3, 2])
    >>> tree.end.tolist(), tree.target.tolist(), tree.branch.tolist()
    ([6, 6, 6, 5, 5, 6], [3, 4, 5], [0, 0, 1])
    """

    ids: np.ndarray
    """int32 [t]: the tokens."""
    end: np.ndarray
    """int32 [t]: index after the last token of the subtree of each token."""
    position: np.ndarray
    """int32 [t]: depth, 0 at the root."""
    parent: np.ndarray
    """int32 [t]: index of the token before on the path; -1 at the root."""
    target: np.ndarray
    """int32 [s]: index of each scored token."""
    branch: np.ndarray
    """int32 [s]: the option that it is scored for."""
    step: np.ndarray
    """int32 [s]: the step of that option it belongs to; 0 where options have no steps."""
    last: np.ndarray
    """int32 [k]: index of the last token of each option."""
    numbers: np.ndarray | None = None
    """int64 [k]: what the caller calls each option, or None: `llull.language.packing.pack` then counts them."""

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def n_options(self) -> int:
        """How many options the tree has."""
        return len(self.last)

    @property
    def lengths(self) -> np.ndarray:
        """int32 [k]: tokens of each option's whole path, context included."""
        return self.position[self.last] + 1

    def path(self, option: int) -> np.ndarray:
        """Indices of the tokens of one option from the root to its last token.

        Args:
            option: which option, from 0.

        Returns:
            int64 [length].
        """
        upto = np.arange(self.last[option] + 1)
        return upto[self.end[: len(upto)] > self.last[option]]

    @classmethod
    def of_options(
        cls,
        prompt: ArrayLike,
        options: Sequence[ArrayLike],
        *,
        scored: Sequence[ArrayLike] | None = None,
        numbers: ArrayLike | None = None,
        share_prefixes: bool = False,
    ) -> PrefixTree:
        """A context with one branch for each option.

        Args:
            prompt: ids of the context, at least one.
            options: ids of each option, at least one each.
            scored: for each option, which of its tokens are scored (bool); None: all.
            numbers: what the caller calls each option.
            share_prefixes: keep tokens with which several options begin only once. The numbers are the same.

        Returns:
            The tree.

        Raises:
            InputError: if the context, an option or what is scored of an option is empty.
        """
        paths = [_ids(option, f"option {k}") for k, option in enumerate(options)]
        masks = _masks(paths, scored)
        if not share_prefixes or len(paths) < 2:
            return _fan(_ids(prompt, "the context"), paths, masks, _numbers(numbers, len(paths)))
        units: list[list[Hashable]] = [list(path.tolist()) for path in paths]
        steps = [np.zeros(len(path), np.int32) for path in paths]
        return _merge(_ids(prompt, "the context"), paths, units, steps, masks, _numbers(numbers, len(paths)))

    @classmethod
    def of_steps(
        cls,
        prompt: ArrayLike,
        options: Sequence[Sequence[ArrayLike]],
        *,
        scored: Sequence[ArrayLike] | None = None,
        numbers: ArrayLike | None = None,
        share_prefixes: bool = False,
    ) -> PrefixTree:
        """A context with options made of steps; steps with which several options begin are kept once.

        Args:
            prompt: ids of the context, at least one.
            options: for each option the ids of its steps, at least one step and one id each.
            scored: for each option, which of its tokens (all steps joined) are scored; None: all.
            numbers: what the caller calls each option.
            share_prefixes: share also the tokens with which two different steps begin.

        Returns:
            The tree.

        Raises:
            InputError: if the context, an option, a step or what is scored of an option is empty.
        """
        parts = [[_ids(s, f"step {i} of option {k}") for i, s in enumerate(steps)] for k, steps in enumerate(options)]
        for k, steps in enumerate(parts):
            if not steps:
                raise InputError(f"option {k} has no steps: leave it out")
        paths = [np.concatenate(steps) for steps in parts]
        which = [np.repeat(np.arange(len(steps), dtype=np.int32), [len(s) for s in steps]) for steps in parts]
        units: list[list[Hashable]]
        if share_prefixes:
            units = [list(path.tolist()) for path in paths]
        else:
            units = [[(i, s.tobytes()) for i, s in enumerate(steps) for _ in range(len(s))] for steps in parts]
        masks = _masks(paths, scored)
        return _merge(_ids(prompt, "the context"), paths, units, which, masks, _numbers(numbers, len(paths)))


def trees_of(encoded: Encoded, options: ArrayLike | None = None, *, share_prefixes: bool = False) -> list[PrefixTree]:
    """One tree for each context, with the numbers of its options.

    Args:
        encoded: contexts and options as ids.
        options: numbers of the options to take; None: all. One that is given twice is taken once. Those that were left
            out as too long are left out here, too.
        share_prefixes: keep tokens with which several options of a context begin only once.

    Returns:
        The trees, by context.
    """
    chosen = np.arange(len(encoded.options)) if options is None else np.unique(np.asarray(options, np.int64))
    chosen = chosen[np.asarray(encoded.kept)[chosen]]
    prompt = np.asarray(encoded.prompt)[chosen]
    order = np.argsort(prompt, kind="stable")
    cuts = np.flatnonzero(np.diff(prompt[order])) + 1
    return [
        PrefixTree.of_options(
            encoded.prompts[int(encoded.prompt[group[0]])],
            [encoded.options[k] for k in group],
            scored=[_mask(encoded.scored[k], encoded.options[k]) for k in group],
            numbers=group,
            share_prefixes=share_prefixes,
        )
        for group in np.split(chosen[order], cuts)
        if len(group)
    ]


def _mask(scored: np.ndarray | None, option: np.ndarray) -> np.ndarray:
    return np.ones(len(option), bool) if scored is None else scored


def _ids(values: ArrayLike, what: str) -> np.ndarray:
    ids = np.asarray(values)
    if ids.ndim != 1 or not len(ids):
        raise InputError(
            f"{what} has no tokens: leave it out, or give it at least one (a context may be the bos token)"
        )
    return ids.astype(np.int32, copy=False)


def _masks(paths: list[np.ndarray], scored: Sequence[ArrayLike] | None) -> list[np.ndarray]:
    if not paths:
        raise InputError("a tree without options: give at least one")
    if scored is None:
        return [np.ones(len(path), bool) for path in paths]
    masks = [np.asarray(mask, bool) for mask in scored]
    if [mask.shape for mask in masks] != [path.shape for path in paths]:
        raise InputError("scored does not fit the options: give one bool for each token of each option")
    for k, mask in enumerate(masks):
        if not mask.any():
            raise InputError(f"no token of option {k} is scored: mark at least one, or leave the option out")
    return masks


def _numbers(numbers: ArrayLike | None, n: int) -> np.ndarray | None:
    if numbers is None:
        return None
    array = np.asarray(numbers, np.int64)
    if array.shape != (n,):
        raise InputError(f"{len(array)} numbers for {n} options: give one for each")
    return array


def _fan(
    prompt: np.ndarray, paths: list[np.ndarray], masks: list[np.ndarray], numbers: np.ndarray | None
) -> PrefixTree:
    """The tree of a context and options that share nothing."""
    p = len(prompt)
    lengths = np.array([len(path) for path in paths], np.int32)
    ends = p + np.cumsum(lengths, dtype=np.int32)
    total = int(ends[-1])
    starts = ends - lengths
    parent = np.arange(-1, total - 1, dtype=np.int32)
    parent[starts] = p - 1
    position = np.arange(total, dtype=np.int32)
    position[p:] -= np.repeat(starts - p, lengths)
    end = np.concatenate([np.full(p, total, np.int32), np.repeat(ends, lengths)])
    scored = np.concatenate(masks)
    return PrefixTree(
        ids=np.concatenate([prompt, *paths]),
        end=end,
        position=position,
        parent=parent,
        target=(np.flatnonzero(scored) + p).astype(np.int32),
        branch=np.repeat(np.arange(len(paths), dtype=np.int32), lengths)[scored],
        step=np.zeros(int(scored.sum()), np.int32),
        last=ends - 1,
        numbers=numbers,
    )


def _merge(
    prompt: np.ndarray,
    paths: list[np.ndarray],
    units: list[list[Hashable]],
    steps: list[np.ndarray],
    masks: list[np.ndarray],
    numbers: np.ndarray | None,
) -> PrefixTree:
    """The tree in which options share tokens as long as their units are equal; branches in order of first option."""
    ids, parent, position = prompt.tolist(), list(range(-1, len(prompt) - 1)), list(range(len(prompt)))
    index = [np.empty(len(path), np.int32) for path in paths]
    waiting = [(list(range(len(paths))), 0, len(prompt) - 1)]
    while waiting:
        group, depth, above = waiting.pop()
        branches: dict[Hashable, list[int]] = {}
        for k in group:
            if depth < len(units[k]):
                branches.setdefault(units[k][depth], []).append(k)
        if not branches:
            continue
        # All but the first branch wait on the stack, so that the tokens come out in preorder.
        waiting.extend((members, depth, above) for members in list(branches.values())[:0:-1])
        members = next(iter(branches.values()))
        at = len(ids)
        ids.append(int(paths[members[0]][depth]))
        parent.append(above)
        position.append(len(prompt) + depth)
        for k in members:
            index[k][depth] = at
        waiting.append((members, depth + 1, at))
    parents = np.array(parent, np.int32)
    return PrefixTree(
        ids=np.array(ids, np.int32),
        end=_ends(parents),
        position=np.array(position, np.int32),
        parent=parents,
        target=np.concatenate([at[mask] for at, mask in zip(index, masks, strict=True)]),
        branch=np.repeat(np.arange(len(paths), dtype=np.int32), [int(mask.sum()) for mask in masks]),
        step=np.concatenate([step[mask] for step, mask in zip(steps, masks, strict=True)]),
        last=np.array([at[-1] for at in index], np.int32),
        numbers=numbers,
    )


def _ends(parent: np.ndarray) -> np.ndarray:
    end = np.arange(1, len(parent) + 1, dtype=np.int32)
    for i in range(len(parent) - 1, 0, -1):
        end[parent[i]] = max(end[parent[i]], end[i])
    return end
