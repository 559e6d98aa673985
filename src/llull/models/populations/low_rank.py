"""People who differ along a few directions that all share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from llull.errors import InputError
from llull.models.fitting.learning import Learning
from llull.models.fitting.part import PROJECTION, Parts, fit_part
from llull.models.fitting.people import PERSON, learn_people
from llull.models.heads.head import Head, Hidden
from llull.models.links.link import Link
from llull.models.populations.per_annotator import check_named, fit_members
from llull.models.populations.population import OfAnnotators
from llull.models.votes import Votes

_BASE, _TURN = "base", "turn"


@dataclass(frozen=True)
class LowRank(OfAnnotators):
    """Each annotator's weights are w_a = w + U z_a, with few numbers z_a of its own.

    w, U, all z_a and what the head learns are learned together by Adam; then, with the few contrasts (x w, x U) fixed,
    each annotator's numbers are fitted to their optimum like deviations of `PerAnnotator`. A new annotator is found
    from few judgments, as only these numbers are asked for. With the head `Distances`, z_a is an ideal point.

    Args:
        dimensions: of z.
        shrinkage: the precision of annotators' numbers; chosen on contexts held out if not given.
        learning: how Adam learns.
    """

    dimensions: int = 2
    shrinkage: float | None = None
    learning: Learning = field(
        default_factory=lambda: Learning(learning_rate=1e-2, patience=10, weight_decay=1e-2, restarts=3)
    )

    def __post_init__(self) -> None:
        if self.dimensions < 1:
            raise InputError(f"dimensions={self.dimensions}: give at least 1; with none it is Shared")
        if self.shrinkage is not None and not self.shrinkage > 0:
            raise InputError(f"shrinkage={self.shrinkage} is not above 0")

    def fit(self, votes: Votes, head: Head, link: Link, l2: float | None, seed: int, names: tuple[str, ...]) -> Parts:
        """Learn the directions, then fit everyone's numbers above them."""
        check_named(votes, "annotator", type(self).__name__)
        hidden = self._learn(votes, head, link, seed)
        shared = fit_part(votes, head, link, l2, seed, names, hidden)
        return fit_members(votes, head, link, shared, self.shrinkage, seed)

    def _learn(self, votes: Votes, head: Head, link: Link, seed: int) -> Hidden:
        """What the head learns, and the projection on (w, U) [p, 1 + dimensions]."""

        def begin(random: np.random.Generator, width: int) -> dict[str, np.ndarray]:
            base, turn = random.normal(size=width), random.normal(size=(width, self.dimensions))
            return {_BASE: base * width**-0.5, _TURN: turn * width**-0.5}

        def said(learned: dict[str, Any], contrasts: Any, person: Any, known: Any) -> Any:
            along = (contrasts @ learned[_TURN]) * person
            return contrasts @ learned[_BASE] + along.sum(1) * known

        below, found = learn_people(
            votes, head, link, seed, self.learning, begin=begin, numbers=self.dimensions, said=said
        )
        spread = np.maximum(found[PERSON][:-1].std(axis=0), 1e-6)
        return {**below, PROJECTION: np.column_stack([found[_BASE], found[_TURN] * spread])}
