"""Numbers of people and of options, learned from the graph of who chose and who rejected what."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.linalg import svds

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

    numbers: int = 16
    layers: int = 1
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
    return _learn(known, seed, replace(how, steps=steps), None)


def _learn(votes: Votes, seed: int, how: GraphLearning, held: Votes | None) -> Embedded:
    torch = torch_or_error()
    random = np.random.default_rng(seed)
    d = how.numbers
    whole = _Graph.of(votes)
    mine, theirs = _spectral(votes, d, random)
    start: dict[str, np.ndarray] = {_PEOPLE: mine, _OPTIONS: theirs}
    for layer in range(how.layers):
        for part in ("chosen", "rejected", "own people", "own options"):
            # At first everyone keeps what it is and adds what it hears; in a random matrix it would be lost.
            own = np.eye(d) if part.startswith("own") else 0.0
            start[f"{part} {layer}"] = own + 0.1 * d**-0.5 * random.normal(size=(d, d))
    arrays = {name: torch.from_numpy(a).float().requires_grad_() for name, a in start.items()}
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

    units, codes = np.unique(votes.judgment, return_inverse=True)
    best, best_step = np.inf, 0

    def loss_on(held: Votes) -> float:
        with torch.no_grad():
            return float(loss_of(spread(whole), held))

    if held is not None:
        best = loss_on(held)
    for step in range(1, how.steps + 1):
        left_out = (random.random(len(units)) < how.dropped)[codes]
        partly = 0 < left_out.sum() < len(votes)
        graph = _Graph.of(votes.select(~left_out)) if partly else whole
        adam.zero_grad()
        loss = loss_of(spread(graph), votes.select(left_out) if partly else votes)
        (loss + how.decay * sum(a.square().sum() for a in arrays.values())).backward()
        adam.step()
        if held is not None:
            told = loss_on(held)
            if told < best:
                best, best_step = told, step
            elif step - best_step >= how.patience:
                break
    with torch.no_grad():
        mine, theirs = (one.detach() for one in spread(whole))
    return Embedded(mine.double().numpy(), theirs.double().numpy(), best_step if held is not None else how.steps)


def _spectral(votes: Votes, numbers: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of people and options to begin from, such that margins have a mean square of one.

    They are the singular vectors of chosen minus rejected edges whose values are above the largest one that remains
    when every vote is turned at random (parallel analysis; Horn, 1965), so many as there is structure for.
    """
    people, options = np.zeros((len(votes.members), numbers)), np.zeros((len(votes.rows), numbers))
    kept = min(numbers, min(people.shape[0], options.shape[0]) - 1)
    if kept < 1:
        return people, options
    turn = random.random(len(votes)) < 0.5
    turned = replace(
        votes,
        winner=np.where(turn, votes.loser, votes.winner),
        loser=np.where(turn, votes.winner, votes.loser),
    )
    left, values, right = _leading(votes, kept, random)
    noise = float(_leading(turned, 1, random)[1][0])
    root = np.sqrt(np.sqrt(np.maximum(values**2 - noise**2, 0)))
    people[:, :kept], options[:, :kept] = left * root, right.T * root
    margin = (people[votes.member] * (options[votes.winner] - options[votes.loser])).sum(axis=1)
    scale = max(float(np.mean(margin**2)), 1e-300) ** -0.25 if root.any() else 1.0
    return people * scale, options * scale


def _leading(votes: Votes, number: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    graph = _Graph.of(votes)
    signed = csr_array(graph.chosen - graph.rejected, dtype=np.float64)
    start = random.normal(size=min(len(votes.members), len(votes.rows)))
    left, values, right = svds(signed, number, v0=start)
    return np.asarray(left), np.asarray(values), np.asarray(right)


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
