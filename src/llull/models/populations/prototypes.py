"""People as blends of a few prototypes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from scipy.linalg import null_space

from llull.errors import InputError
from llull.models.fitting.learning import Learning
from llull.models.fitting.part import PROJECTION, Part, Parts, contrasts_of, fit_part
from llull.models.fitting.people import learn_people
from llull.models.fitting.weights import inverse, weighted_gram
from llull.models.heads.head import Head, Hidden
from llull.models.heads.learned import softmax
from llull.models.links.link import Link
from llull.models.populations.per_annotator import check_named
from llull.models.populations.population import OfAnnotators, WeightsAre, check_told
from llull.models.votes import Votes

_PROTOTYPE = "prototype"


@dataclass(frozen=True)
class Prototypes(OfAnnotators):
    """Each annotator's weights are a blend of k prototypes: w_a = sum_k b_ak p_k, b_a >= 0, sum_k b_ak = 1.

    Prototypes, blends and what the head learns are learned together by Adam; the blends are then fitted to their
    optimum (PAL, variant B, Chen et al., 2024). A new annotator needs only a blend, k - 1 numbers, from its judgments.
    Annotators who are not known get the mean blend.

    Args:
        prototypes: k.
        learning: how Adam learns.
    """

    weights_are: ClassVar[WeightsAre] = "blends"

    prototypes: int = 3
    learning: Learning = field(default_factory=lambda: Learning(learning_rate=1e-2, patience=10, restarts=3))

    def __post_init__(self) -> None:
        if self.prototypes < 2:
            raise InputError(f"prototypes={self.prototypes}: give at least 2; with one it is Shared")

    def fit(self, votes: Votes, head: Head, link: Link, l2: float | None, seed: int, names: tuple[str, ...]) -> Parts:
        """Learn the prototypes, then everyone's blend of them."""
        check_named(votes, "annotator", type(self).__name__)
        hidden = self._learn(votes, head, link, seed)
        alone = fit_part(votes, head, link, l2, seed, names, hidden)
        contrasts = contrasts_of(head, alone.hidden, votes)
        present = np.unique(votes.member[votes.member >= 0])
        even = np.full(self.prototypes, 1 / self.prototypes)
        blends = {votes.members[m]: _blend(contrasts, votes, votes.member == m, link, alone, even) for m in present}
        mean = np.mean(list(blends.values()), axis=0)
        members = {}
        for member in present:
            name, mine = votes.members[member], votes.member == member
            members[name] = _blended(alone, blends[name], contrasts[mine], votes.select(mine), link, _PULL)
        return Parts(replace(alone, weights=mean), members)

    def adapt(self, parts: Parts, votes: Votes, head: Head, link: Link, strength: float | None) -> Parts:
        """The blends of new annotators, drawn to the mean blend as by ``strength`` votes (2 if not given)."""
        check_told(votes)
        assert parts.shared is not None
        contrasts = contrasts_of(head, parts.shared.hidden, votes)
        members = dict(parts.members)
        for code in np.unique(votes.member):
            name = votes.members[code]
            known = members.get(name, parts.shared)
            blend = _blend(contrasts, votes, votes.member == code, link, known, known.weights, strength)
            pull = _PULL if strength is None else strength
            mine = votes.member == code
            members[name] = _blended(known, blend, contrasts[mine], votes.select(mine), link, pull)
        return Parts(parts.shared, members)

    def spread(self, parts: Parts, part: Part) -> np.ndarray | None:
        """Of the blends known, for people who are not."""
        if part is not parts.shared or len(parts.members) < 2:
            return None
        return np.cov(np.stack([one.weights for one in parts.members.values()]).T)

    def _learn(self, votes: Votes, head: Head, link: Link, seed: int) -> Hidden:
        """What the head learns, and the prototypes [p, k]."""

        def begin(random: np.random.Generator, width: int) -> dict[str, np.ndarray]:
            return {_PROTOTYPE: random.normal(size=(width, self.prototypes)) * width**-0.5}

        def said(learned: dict[str, Any], contrasts: Any, person: Any, known: Any) -> Any:
            return ((contrasts @ learned[_PROTOTYPE]) * softmax(person)).sum(1)

        below, found = learn_people(
            votes, head, link, seed, self.learning, begin=begin, numbers=self.prototypes, said=said, pull=0.25
        )
        return {**below, PROJECTION: found[_PROTOTYPE]}


_ROUNDS = 200
_PULL = 2.0
"""Votes that the center of blends counts as."""


def _blended(part: Part, blend: np.ndarray, contrasts: np.ndarray, votes: Votes, link: Link, pull: float) -> Part:
    """A person's part, with the covariance of its blend: the inverse Hessian along changes that keep the sum 1."""
    margin = votes.beyond_lead(contrasts @ blend)
    curvature = link.information(margin, votes.tie, part.theta)[:, 0, 0] * votes.weight
    hessian = weighted_gram(contrasts, np.maximum(curvature, 0)) + np.diag(pull / np.maximum(blend, 1e-6))
    along = null_space(np.ones((1, len(blend))))
    covariance = along @ inverse(along.T @ hessian @ along) @ along.T
    return replace(
        part, weights=blend, covariance=covariance, errors=np.empty(0), n=len(votes), n_effective=votes.n_effective
    )


def _blend(
    contrasts: np.ndarray,
    votes: Votes,
    mine: np.ndarray,
    link: Link,
    part: Part,
    center: np.ndarray,
    strength: float | None = None,
) -> np.ndarray:
    """The blend [k] under which some votes are most likely, drawn to a center as by so many votes.

    By exponentiated gradients (Kivinen and Warmuth, 1997), each step as long as lowers the loss.
    """
    own = votes.select(mine)
    rows, tie, weight = contrasts[mine], own.tie, own.weight
    pull = _PULL if strength is None else strength
    center = np.maximum(center, 1e-6)

    def cost(blend: np.ndarray) -> tuple[float, np.ndarray]:
        loss, slope = link.loss(own.beyond_lead(rows @ blend), tie, part.theta)
        ratio = np.log(np.maximum(blend, 1e-300) / center)
        return float(weight @ loss + pull * (blend @ ratio)), (slope[:, 0] * weight) @ rows + pull * (ratio + 1)

    blend, length = center / center.sum(), 1.0
    value, gradient = cost(blend)
    for _ in range(_ROUNDS):
        while True:
            moved = blend * np.exp(-length * (gradient - gradient.min()))
            moved /= moved.sum()
            new, slope = cost(moved)
            if new <= value or length < 1e-9:
                break
            length /= 2
        if value - new < 1e-9 * max(abs(value), 1.0):
            break
        blend, value, gradient, length = moved, new, slope, length * 1.5
    return blend
