"""Numbers of people and of options, learned from the graph of who chose and who rejected what."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from llull.models.fitting.learning import torch_or_error
from llull.models.votes import HELD_OUT, Votes

_LEAK = 0.2
"""Slope of the rectifier below 0."""
_PEOPLE, _OPTIONS = "people", "options"


@dataclass(frozen=True)
class GraphLearning:
    """How numbers of people and options are learned: Adam on all votes at once.

    Args:
        numbers: of each person and each option.
        layers: over so many edges each hears of others.
        learning_rate: of Adam's steps.
        decay: penalty on the squares of all that is learned.
        dropped: share of judgments that a step leaves out of the graph, and learns to predict.
        steps: at most.
        patience: stop after so many steps without a lower loss on the judgments held out.
    """

    numbers: int = 32
    layers: int = 2
    learning_rate: float = 1e-2
    decay: float = 1e-6
    dropped: float = 0.5
    steps: int = 200
    patience: int = 20


@dataclass(frozen=True)
class Embedded:
    """What was learned."""

    people: np.ndarray
    """float64 [members, numbers]"""
    options: np.ndarray
    """float64 [m, numbers], in the order of ``votes.rows``."""
    steps: int
    """After which judgments held out were predicted best."""


@dataclass(frozen=True)
class _Graph:
    """Edges from people to options, [people, options]: chosen ones and rejected ones."""

    chosen: csr_array
    rejected: csr_array

    @classmethod
    def of(cls, votes: Votes) -> _Graph:
        size = (len(votes.members), len(votes.rows))
        return cls(_edges(votes.member, votes.winner, size), _edges(votes.member, votes.loser, size))


def embed(votes: Votes, seed: int, how: GraphLearning) -> Embedded:
    """Learn from all votes, for as many steps as predict a fifth of the judgments best from the others.

    A layer makes of the numbers E of people and options

        E' = leaky(C + (C * E) W_c - (R + (R * E) W_r) + E W_own)

    with C the sum over neighbors by a chosen edge, R by a rejected one, each edge divided by the roots of both degrees.
    A vote's margin is e_person . (e_winner - e_loser), and its loss the logistic one (CoPL, 2025). In each step the
    graph lacks some of the judgments, so that numbers are learned that predict what is no edge.

    Judgments are held out here, not contexts: an option without an edge has nothing to be known by.
    """
    known = votes.select((votes.member >= 0) & ~votes.tie & (votes.weight > 0))
    units, codes = np.unique(known.judgment, return_inverse=True)
    out = np.random.default_rng(seed).random(len(units)) < HELD_OUT
    if not 0 < out.sum() < len(out):
        return _learn(known, seed, how, None)
    steps = _learn(known.select(~out[codes]), seed, how, known.select(out[codes])).steps
    return _learn(known, seed, replace(how, steps=max(steps, 1)), None)


def _learn(votes: Votes, seed: int, how: GraphLearning, held: Votes | None) -> Embedded:
    torch = torch_or_error()
    random = np.random.default_rng(seed)
    d, people = how.numbers, len(votes.members)
    start = {_PEOPLE: random.normal(size=(people, d)), _OPTIONS: random.normal(size=(len(votes.rows), d))}
    for layer in range(how.layers):
        for part in ("chosen", "rejected", "own people", "own options"):
            start[f"{part} {layer}"] = random.normal(size=(d, d))
    arrays = {name: (torch.from_numpy(a).float() * d**-0.5).requires_grad_() for name, a in start.items()}
    adam = torch.optim.AdamW(arrays.values(), lr=how.learning_rate, weight_decay=0.0)
    product = _product()

    def spread(graph: _Graph) -> tuple[Any, Any]:
        mine, theirs = arrays[_PEOPLE], arrays[_OPTIONS]
        for layer in range(how.layers):
            weights = [arrays[f"{part} {layer}"] for part in ("chosen", "rejected")]
            heard = [product(edges, theirs) for edges in (graph.chosen, graph.rejected)]
            told = [product(edges.T, mine) for edges in (graph.chosen, graph.rejected)]
            mine = _layer(mine, heard, weights, arrays[f"own people {layer}"])
            theirs = _layer(theirs, told, weights, arrays[f"own options {layer}"])
        return mine, theirs

    def loss_of(of: tuple[Any, Any], asked: Votes) -> Any:
        margin = (of[0][asked.member] * (of[1][asked.winner] - of[1][asked.loser])).sum(1)
        weight = torch.from_numpy(asked.weight).float()
        return (torch.nn.functional.softplus(-margin) * weight).sum() / weight.sum()

    whole = _Graph.of(votes)
    units, codes = np.unique(votes.judgment, return_inverse=True)
    best, best_step = np.inf, 0
    for step in range(1, how.steps + 1):
        left_out = (random.random(len(units)) < how.dropped)[codes]
        partly = 0 < left_out.sum() < len(votes)
        graph = _Graph.of(votes.select(~left_out)) if partly else whole
        adam.zero_grad()
        loss = loss_of(spread(graph), votes.select(left_out) if partly else votes)
        (loss + how.decay * sum(a.square().sum() for a in arrays.values())).backward()
        adam.step()
        if held is not None:
            with torch.no_grad():
                told = float(loss_of(spread(whole), held))
            if told < best:
                best, best_step = told, step
            elif step - best_step >= how.patience:
                break
    with torch.no_grad():
        mine, theirs = spread(whole)
    return Embedded(mine.double().numpy(), theirs.double().numpy(), best_step)


def _layer(mine: Any, heard: list[Any], weights: list[Any], own: Any) -> Any:
    chosen, rejected = (z + (z * mine) @ w for z, w in zip(heard, weights, strict=True))
    summed = chosen - rejected + mine @ own
    return summed.clamp(min=0) + _LEAK * summed.clamp(max=0)


def _edges(people: np.ndarray, options: np.ndarray, size: tuple[int, int]) -> csr_array:
    found = csr_array((np.ones(len(people), np.float32), (people, options)), shape=size)
    found.sum_duplicates()
    found.data[:] = 1
    degree_of = [np.maximum(np.asarray(found.sum(axis=axis)), 1).astype(np.float32) for axis in (1, 0)]
    rows = np.repeat(np.arange(size[0]), np.diff(found.indptr))
    found.data /= np.sqrt(degree_of[0][rows] * degree_of[1][found.indices])
    return found


def _product() -> Any:
    """Sparse times dense, with a gradient for the dense one; scipy's is quicker than torch's on a CPU."""
    torch = torch_or_error()

    class Product(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, edges: Any, dense: Any) -> Any:
            ctx.edges = edges
            return torch.from_numpy(edges @ dense.detach().numpy())

        @staticmethod
        def backward(ctx: Any, *given: Any) -> Any:
            return None, torch.from_numpy(ctx.edges.T @ given[0].numpy())

    return Product.apply
