"""The order of training: epochs of judgments, windows of one update each, and micro-batches of a token budget."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from llull.align.training_set import TrainingSet
from llull.language.packing import Layout, Packed, pack
from llull.objectives.batch import MAIN, Units


@dataclass(frozen=True)
class MicroBatch:
    """Some judgments and the trees of their options: what goes through the model at once."""

    packed: Packed
    units: Mapping[str, Units]
    """Over the options of ``packed``, counted from 0; `Packed.options` has their numbers in the training set."""
    idle: bool = False
    """Whether it is here only so that this process meets the others: it has no judgments."""


@dataclass(frozen=True)
class Window:
    """The judgments of one update."""

    number: int
    """Updates before it."""
    units: Mapping[str, Units]
    """Over the options of the training set."""


def windows(data: TrainingSet, size: int, epochs: float, seed: int, first: int = 0) -> Iterator[Window]:
    """The updates of a training, from number ``first`` on.

    In every epoch the contexts are shuffled anew; judgments of one context stay together, so that its tokens are
    computed once. The order depends on the seed and the epoch alone.

    Args:
        data: the training set.
        size: judgments of one update.
        epochs: how often each judgment is seen.
        seed: of the order.
        first: how many updates are already done.
    """
    per_epoch = updates_per_epoch(data, size)
    order = _order(data, seed, first // per_epoch)
    for number in range(first, total_updates(data, size, epochs)):
        epoch, place = divmod(number, per_epoch)
        if place == 0:
            order = _order(data, seed, epoch)
        yield Window(number, _select(data, order[place * size : (place + 1) * size]))


def updates_per_epoch(data: TrainingSet, size: int) -> int:
    """Updates in which each judgment is seen once; the last may be smaller."""
    return -(-len(data) // size)


def total_updates(data: TrainingSet, size: int, epochs: float) -> int:
    """Updates of a training; at least one."""
    return max(round(updates_per_epoch(data, size) * epochs), 1)


def everything(data: TrainingSet) -> Window:
    """All judgments in one window."""
    return Window(0, data.units)


@dataclass(frozen=True)
class Share:
    """Which part of the work is this process's."""

    rank: int = 0
    of: int = 1


def micro_batches(
    data: TrainingSet, window: Window, budget: int, *, layout: Layout = "tree", share: Share = Share()
) -> Iterator[MicroBatch]:
    """Cut a window into micro-batches of at most ``budget`` tokens, as well filled as they can be.

    Judgments whose options share a context, or which are themselves of several contexts, stay together. All processes
    get the same number of micro-batches, some without judgments where there are not enough: they meet in each of them.

    Args:
        data: the training set.
        window: its judgments.
        budget: tokens of a micro-batch; what belongs together and is longer makes a batch of its own.
        layout: of the language model: whether tokens of trees are counted, or of padded rows, one for each option.
        share: of the micro-batches, every ``of``-th is made.
    """
    atoms, belongs = _atoms(data, window)
    costs = [_costs(data, options) for options in atoms]
    bins = _filled(np.array([c.tree for c in costs]), budget) if layout == "tree" else _runs(costs, budget)
    parts = {name: _grouped(belongs[name], bins, len(atoms)) for name in window.units}
    smallest = [min(range(len(atoms)), key=lambda i: costs[i].tree)]
    number = torch.full((len(data.options),), -1)
    for first in range(0, len(bins), share.of):
        at = first + share.rank
        idle = at >= len(bins)
        options = np.concatenate([atoms[i] for i in (smallest if idle else bins[at])])
        trees = data.trees(options)
        (packed,) = pack(trees, sum(len(tree) for tree in trees))
        # What earlier micro-batches left here is not read: no unit names options of another.
        number[packed.options] = torch.arange(len(packed.options))
        units = {
            name: units.select(torch.arange(0) if idle else parts[name][at]).renumbered(number)
            for name, units in window.units.items()
        }
        yield MicroBatch(packed, units, idle)


def _order(data: TrainingSet, seed: int, epoch: int) -> np.ndarray:
    rng = np.random.default_rng([seed, epoch])
    context = data.prompt[data.units[MAIN].options[:, 0].numpy()]
    rank = rng.permutation(len(data.prompts))[context]
    within = rng.permutation(len(context))
    return np.lexsort((within, rank))


def _select(data: TrainingSet, which: np.ndarray) -> dict[str, Units]:
    chosen = torch.zeros(len(data), dtype=torch.bool)
    chosen[torch.from_numpy(which)] = True
    selected: dict[str, Units] = {MAIN: data.units[MAIN].select(torch.from_numpy(which))}
    for name, units in data.units.items():
        if name != MAIN:
            selected[name] = units.select(chosen[data.beside[name]])
    return selected


def _atoms(data: TrainingSet, window: Window) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
    """Sets of options that must stay together, and the set of each unit."""
    named = {name: units.options.numpy() for name, units in window.units.items()}
    rows, columns = [], []
    for options in named.values():
        context = np.where(options >= 0, data.prompt[options], -1)
        rows.append(np.repeat(context[:, 0], options.shape[1])[context.ravel() >= 0])
        columns.append(context.ravel()[context.ravel() >= 0])
    row, column = np.concatenate(rows), np.concatenate(columns)
    contexts, code = np.unique(np.concatenate([row, column]), return_inverse=True)
    edges = (np.ones(len(row), bool), (code[: len(row)], code[len(row) :]))
    _, component = connected_components(coo_array(edges, shape=(len(contexts),) * 2), directed=False)
    atom_of_context = dict(zip(contexts.tolist(), component.tolist(), strict=True))
    options = np.unique(np.concatenate([o[o >= 0] for o in named.values()]))
    atom = np.array([atom_of_context[c] for c in data.prompt[options].tolist()])
    order = np.argsort(atom, kind="stable")
    atoms = np.split(options[order], np.flatnonzero(np.diff(atom[order])) + 1)
    belongs = {
        name: np.array([atom_of_context[c] for c in data.prompt[options[:, 0]].tolist()], np.int64)
        for name, options in named.items()
    }
    return atoms, belongs


@dataclass(frozen=True)
class _Costs:
    """What a set of options costs."""

    tree: int
    """Tokens, each context counted once."""
    rows: int
    """Options."""
    longest: int
    """Tokens of the longest option with its context."""


def _costs(data: TrainingSet, options: np.ndarray) -> _Costs:
    own = [len(data.options[i]) for i in options.tolist()]
    before = {prompt: len(data.prompts[prompt]) for prompt in data.prompt[options].tolist()}
    longest = max(before[p] + n for p, n in zip(data.prompt[options].tolist(), own, strict=True))
    return _Costs(sum(own) + sum(before.values()), len(own), longest)


def _filled(sizes: np.ndarray, budget: int) -> list[list[int]]:
    """Best-fit decreasing: each into the fullest bin that takes it."""
    bins: list[list[int]] = []
    room: list[tuple[int, int]] = []
    for i in np.argsort(-sizes, kind="stable").tolist():
        size = int(sizes[i])
        at = bisect_left(room, (size, -1))
        if at == len(room):
            bins.append([])
            left, which = budget, len(bins) - 1
        else:
            left, which = room.pop(at)
        bins[which].append(i)
        if left > size:
            insort(room, (left - size, which))
    return bins


def _runs(costs: list[_Costs], budget: int) -> list[list[int]]:
    """For rows that are padded to the longest: runs of falling length."""
    runs: list[list[int]] = []
    rows = width = 0
    for i in sorted(range(len(costs)), key=lambda i: -costs[i].longest):
        if not runs or (rows + costs[i].rows) * width > budget:
            runs.append([])
            rows, width = 0, costs[i].longest
        runs[-1].append(i)
        rows += costs[i].rows
    return runs


def _grouped(belongs: np.ndarray, bins: list[list[int]], atoms: int) -> list[Tensor]:
    """For each bin, int64: the units whose atom is in it, in their own order."""
    bin_of = np.empty(atoms, np.int64)
    for which, members in enumerate(bins):
        bin_of[members] = which
    where = bin_of[belongs]
    order = np.argsort(where, kind="stable")
    return [torch.from_numpy(part) for part in np.split(order, np.searchsorted(where[order], np.arange(1, len(bins))))]
