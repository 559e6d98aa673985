"""One model for each group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from llull.errors import InputError
from llull.judgments.views import Pairs
from llull.models.fitting.part import Parts, fit_part
from llull.models.heads.head import Head
from llull.models.links.link import Link
from llull.models.populations.population import Membership, Population
from llull.models.votes import Votes


@dataclass(frozen=True)
class PerGroup(Population):
    """Each group has weights of its own, fitted to its votes alone.

    Args:
        key: what groups are told apart by: one of the judgments' groups, a column or a tag.
        unseen: what a pair of an unknown group, or of none, gets: ``"error"``, or the weights of a
            ``"shared"`` fit to all votes, which is then made too.
    """

    key: str
    unseen: Literal["error", "shared"] = "error"

    def __post_init__(self) -> None:
        if self.unseen not in ("error", "shared"):
            raise InputError(f"unseen={self.unseen!r} is not a choice of PerGroup; give 'error' or 'shared'")

    @property
    def group_key(self) -> str:
        """The key."""
        return self.key

    @property
    def member_noun(self) -> str:
        """Its members are groups."""
        return "group"

    def membership(self, pairs: Pairs) -> Membership:
        """The group of each pair."""
        return Membership(pairs.group, pairs.groups)

    def fit(self, votes: Votes, head: Head, link: Link, l2: float | None, seed: int, names: tuple[str, ...]) -> Parts:
        """One fit for each group, and a shared one where unseen groups need it."""
        present = np.unique(votes.member[votes.member >= 0])
        if len(present) == 0:
            raise InputError(f"no judgment says its {self.key!r}, by which PerGroup tells groups apart")
        if self.unseen == "error" and (votes.member < 0).any():
            missing = int((votes.member < 0).sum())
            raise InputError(
                f"{missing} of {len(votes)} pairs have no {self.key!r}; leave them out or set unseen='shared'"
            )
        members = {}
        for code in present:
            name = votes.members[code]
            try:
                members[name] = fit_part(votes.select(votes.member == code), head, link, l2, seed, names)
            except InputError as error:
                raise InputError(f"{self.key} {name!r}: {error}") from None
        return Parts(fit_part(votes, head, link, l2, seed, names) if self.unseen == "shared" else None, members)
