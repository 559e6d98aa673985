"""One model for everyone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llull.judgments.views import Pairs
from llull.models.fitting.part import Parts, fit_part
from llull.models.heads.head import Head
from llull.models.links.link import Link
from llull.models.populations.population import Membership, Population
from llull.models.votes import Votes


@dataclass(frozen=True)
class Shared(Population):
    """Everyone has the same weights."""

    @property
    def member_noun(self) -> str:
        """It has no members."""
        return "member"

    def membership(self, pairs: Pairs) -> Membership:
        """No pair belongs to a member."""
        return Membership(np.full(len(pairs), -1, np.int32), ())

    def fit(self, votes: Votes, head: Head, link: Link, l2: float | None, seed: int, names: tuple[str, ...]) -> Parts:
        """One fit to all votes."""
        return Parts(fit_part(votes, head, link, l2, seed, names))
