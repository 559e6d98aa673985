"""People known by who else chose and rejected the same options."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.special import softmax

from llull.errors import InputError
from llull.models.fitting.learning import Learning, learn
from llull.models.fitting.part import PROJECTION, Parts
from llull.models.fitting.vote_graph import GraphLearning, embed
from llull.models.heads.head import Head
from llull.models.links.link import Link
from llull.models.populations.per_annotator import check_named
from llull.models.populations.population import OfAnnotators, check_told
from llull.models.populations.turned import turned_member, turned_part
from llull.models.votes import Sides, Votes

_PEOPLE, _OPTIONS, _IDENTITY, _CHOSEN, _BASE, _TURN = "people", "options", "identity", "chosen", "base", "turn"


@dataclass(frozen=True)
class Collaborative(OfAnnotators):
    """Each annotator's weights are w_a = w + U e_a, with e_a from the graph of who chose and who rejected what.

    The numbers of people and options are learned from the graph alone (see `llull.models.fitting.vote_graph.embed`),
    then w and U with e_a given, of length one each (CoPL, Choi et al., 2025, with weights linear in e_a in place of
    experts). It can only help where people judge the same options.

    Someone new needs no fit: its e is the mean of those people's who chose an option that it chose, weighed by

        softmax over people v of  mean over pairs of log sigmoid(e_v . (e_preferred - e_other)) / temperature.

    Someone with no such neighbor, or unknown, gets the mean of all.

    Args:
        graph: how the numbers are learned.
        temperature: of the weights of neighbors.
        learning: how Adam learns w and U.
    """

    graph: GraphLearning = field(default_factory=GraphLearning)
    temperature: float = 0.07
    learning: Learning = field(default_factory=lambda: Learning(learning_rate=3e-3, patience=10, weight_decay=1e-2))

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise InputError(f"temperature={self.temperature} is not above 0")

    @property
    def reads_identity(self) -> bool:
        """It does."""
        return True

    def fit(self, votes: Votes, head: Head, link: Link, l2: float | None, seed: int, names: tuple[str, ...]) -> Parts:
        """Learn the graph, then what follows from a person's place in it."""
        check_named(votes, "annotator", type(self).__name__)
        assert votes.identity is not None
        found = embed(votes, seed, self.graph)
        unit = found.people / np.maximum(np.linalg.norm(found.people, axis=1, keepdims=True), 1e-12)
        present = np.unique(votes.member[votes.member >= 0])
        center = unit[present].mean(axis=0)
        below = head.learn(votes, link, seed)
        contrasts = head.contrast(below, votes.sides())
        base, turn = self._learn(votes, contrasts, link, seed, np.vstack([unit, center]))
        shared = turned_part(votes, head, link, l2, seed, names, below, base, turn, center)
        members = {}
        for code in present:
            mine = votes.member == code
            members[votes.members[code]] = turned_member(shared, contrasts[mine], votes.select(mine), unit[code], link)
        who = (votes.member >= 0) & ~votes.tie
        order = np.argsort(votes.identity)
        arrays = {
            _PEOPLE: found.people,
            _OPTIONS: found.options[order],
            _IDENTITY: votes.identity[order].view(np.int64),
            _CHOSEN: np.unique(np.column_stack([votes.member[who], np.argsort(order)[votes.winner[who]]]), axis=0),
        }
        return Parts(shared, members, arrays)

    def adapt(self, parts: Parts, votes: Votes, head: Head, link: Link, strength: float | None) -> Parts:
        """Place new annotators among those who chose what they chose; ``strength`` has no meaning here."""
        if strength is not None:
            raise InputError("this population looks for neighbors and fits nothing, so it takes no strength")
        check_told(votes)
        assert parts.shared is not None
        assert votes.identity is not None
        known = parts.arrays[_IDENTITY].view(np.uint64)
        place = np.minimum(np.searchsorted(known, votes.identity), len(known) - 1)
        place = np.where(known[place] == votes.identity, place, -1)
        below = {name: array for name, array in parts.shared.hidden.items() if name != PROJECTION}
        members = dict(parts.members)
        for code in np.unique(votes.member):
            own = votes.select(votes.member == code)
            numbers = self.near(parts, place[own.winner], place[own.loser], own.tie)
            numbers = parts.shared.weights[1:] if numbers is None else numbers
            contrasts = head.contrast(below, own.sides())
            members[votes.members[code]] = turned_member(parts.shared, contrasts, own, numbers, link)
        return replace(parts, members=members)

    def near(self, parts: Parts, winner: np.ndarray, loser: np.ndarray, tie: np.ndarray) -> np.ndarray | None:
        """A person's numbers by its neighbors', given the rows of the options it saw, -1 for ones that are new."""
        people, options, chosen = (parts.arrays[name] for name in (_PEOPLE, _OPTIONS, _CHOSEN))
        mine = winner[(winner >= 0) & ~tie]
        neighbors = np.unique(chosen[np.isin(chosen[:, 1], mine), 0])
        if len(neighbors) == 0:
            return None
        both = (winner >= 0) & (loser >= 0) & ~tie
        near = people[neighbors]
        said = np.zeros(len(neighbors))
        if both.any():
            said = -np.logaddexp(0, -(near @ (options[winner[both]] - options[loser[both]]).T)).mean(axis=1)
        found = softmax(said / self.temperature) @ near
        return found / max(float(np.linalg.norm(found)), 1e-12)

    def _learn(
        self, votes: Votes, contrasts: np.ndarray, link: Link, seed: int, people: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        import torch

        rows, numbers = torch.from_numpy(contrasts).float(), torch.from_numpy(people).float()
        width = contrasts.shape[1]

        def start(random: np.random.Generator) -> dict[str, np.ndarray]:
            return {_BASE: np.zeros(width), _TURN: random.normal(size=(width, people.shape[1])) * 1e-3}

        def margin(learned: dict[str, Any], sides: Sides, which: np.ndarray) -> Any:
            mine, who = rows[which], numbers[votes.member[which]]
            return mine @ learned[_BASE] + ((mine @ learned[_TURN]) * who).sum(1)

        found = learn(start, margin, votes, link, seed, self.learning).arrays
        return found[_BASE], found[_TURN]
