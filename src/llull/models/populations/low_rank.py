"""People who differ along a few directions that all share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from llull.errors import InputError
from llull.judgments.views import Pairs
from llull.models.fitting.learning import Learning, as_tensors, learn
from llull.models.fitting.part import PROJECTION, Parts, fit_part
from llull.models.heads.head import Head, Hidden
from llull.models.heads.learned import LearnedHead
from llull.models.links.link import Link
from llull.models.populations.per_annotator import check_named, fit_members
from llull.models.populations.population import Membership, Population
from llull.models.votes import Sides, Votes

_BASE, _TURN, _PERSON = "base", "turn", "person"


@dataclass(frozen=True)
class LowRank(Population):
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

    @property
    def member_noun(self) -> str:
        """Its members are annotators."""
        return "annotator"

    def membership(self, pairs: Pairs) -> Membership:
        """The annotator of each pair."""
        return Membership(pairs.annotator, pairs.annotators)

    def fit(self, votes: Votes, head: Head, link: Link, l2: float | None, seed: int, names: tuple[str, ...]) -> Parts:
        """Learn the directions, then fit everyone's numbers above them."""
        check_named(votes, "annotator", type(self).__name__)
        hidden = self._learn(votes, head, link, seed)
        shared = fit_part(votes, head, link, l2, seed, names, hidden)
        return fit_members(votes, head, link, shared, self.shrinkage, seed)

    def _learn(self, votes: Votes, head: Head, link: Link, seed: int) -> Hidden:
        """What the head learns, and the projection on (w, U) [p, 1 + dimensions]."""
        own = head if isinstance(head, LearnedHead) else None
        fixed: Hidden = head.learn(votes, link, seed) if own is None else {}
        people, dimensions = len(votes.members), self.dimensions

        def start(random: np.random.Generator) -> Hidden:
            contexts = 0 if votes.about is None else votes.about.shape[1]
            below = {} if own is None else own.start(votes.rows.shape[1], contexts, random)
            width = head.contrast({**fixed, **below}, votes.select(np.arange(1)).sides()).shape[1]
            return {
                **below,
                _BASE: random.normal(size=width) * width**-0.5,
                _TURN: random.normal(size=(width, dimensions)) * width**-0.5,
                # One row more, of zeros, for those who are not known.
                _PERSON: np.vstack([random.normal(size=(people, dimensions)), np.zeros((1, dimensions))]),
            }

        tensors = as_tensors(fixed)
        per_vote = 1.0 / max(float(votes.weight.sum()), 1.0)

        def margin(learned: dict[str, Any], sides: Sides, which: np.ndarray) -> Any:
            contrasts = head.contrast({**tensors, **learned}, sides)
            who = votes.member[which]
            person = learned[_PERSON][np.where(who >= 0, who, people)]
            person = person * person.new_tensor(who >= 0)[:, None]
            return contrasts @ learned[_BASE] + ((contrasts @ learned[_TURN]) * person).sum(1)

        def penalty(learned: dict[str, Any]) -> Any:
            return 0.5 * per_vote * learned[_PERSON].square().sum()

        found = learn(
            start, margin, votes, link, seed, self.learning, penalty=penalty, decayed=lambda name: name != _PERSON
        ).arrays
        spread = np.maximum(found[_PERSON][:people].std(axis=0), 1e-6)
        projection = np.column_stack([found[_BASE], found[_TURN] * spread])
        below = {name: array for name, array in found.items() if name not in (_BASE, _TURN, _PERSON)}
        return {**fixed, **below, PROJECTION: projection}
