"""The order of training: epochs of judgments, windows of one update each, and micro-batches of a token budget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

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
        layout: of the language model: what is counted.
        share: of the micro-batches, every ``of``-th is made.
    """
    atoms, belongs = _atoms(data, window)
    sizes = np.array([_cost(data, options, layout) for options in atoms], np.int64)
    bins = _bins(sizes, budget)
    rounds = -(-len(bins) // share.of)
    for turn in range(rounds):
        at = turn * share.of + share.rank
        if at < len(bins):
            yield _micro_batch(data, window, atoms, belongs, bins[at])
            continue
        batch = _micro_batch(data, window, atoms, belongs, [int(np.argmin(sizes))])
        nothing = {name: units.select(torch.arange(0)) for name, units in batch.units.items()}
        yield replace(batch, units=nothing, idle=True)


def _micro_batch(
    data: TrainingSet, window: Window, atoms: list[np.ndarray], belongs: dict[str, np.ndarray], members: list[int]
) -> MicroBatch:
    trees = data.trees(np.concatenate([atoms[i] for i in members]))
    (packed,) = pack(trees, sum(len(tree) for tree in trees))
    number = torch.full((len(data.options),), -1)
    number[packed.options] = torch.arange(len(packed.options))
    chosen = np.isin(np.arange(len(atoms)), members)
    units = {
        name: units.select(torch.from_numpy(chosen[belongs[name]])).renumbered(number)
        for name, units in window.units.items()
    }
    return MicroBatch(packed, units)


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


def _cost(data: TrainingSet, options: np.ndarray, layout: Layout) -> int:
    """What a set of options costs: its contexts once, or once for each option."""
    own = sum(len(data.options[i]) for i in options.tolist())
    prompts = data.prompt[options]
    counted = np.unique(prompts) if layout == "tree" else prompts
    return own + sum(len(data.prompts[i]) for i in counted.tolist())


def _bins(sizes: np.ndarray, budget: int) -> list[list[int]]:
    """First-fit decreasing."""
    bins: list[list[int]] = []
    room: list[int] = []
    for i in np.argsort(-sizes, kind="stable").tolist():
        for at, left in enumerate(room):
            if sizes[i] <= left:
                bins[at].append(i)
                room[at] -= int(sizes[i])
                break
        else:
            bins.append([i])
            room.append(budget - int(sizes[i]))
    return bins
