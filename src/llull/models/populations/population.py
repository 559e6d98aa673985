"""The population axis: whose weights they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from llull.errors import InputError
from llull.judgments.views import Pairs
from llull.models.fitting.adapting import adapt_part
from llull.models.fitting.part import Part, Parts
from llull.models.heads.head import Head
from llull.models.links.link import Link
from llull.models.votes import Votes


@dataclass(frozen=True)
class Membership:
    """Which member of the population each pair belongs to."""

    codes: np.ndarray
    """int [n], index into ``names``; -1 where unknown."""
    names: tuple[str, ...]


@dataclass(frozen=True)
class Voice:
    """A part of a population, and how far it speaks for which pairs."""

    part: Part
    which: np.ndarray
    """int [r]: positions of the pairs."""
    share: np.ndarray
    """float64 [r], in [0, 1]; the shares of all voices of a pair sum to 1."""


WeightsAre = Literal["own", "blends", "tastes"]
"""Whose weights there are: each member's own, drawn to those above it; blends of a few; or those of a few tastes."""


class Population(ABC):
    """What a preference model asks of a population."""

    weights_are: ClassVar[WeightsAre] = "own"
    """How weights are learned along with a language model."""

    def above(self, member: str) -> str | None:
        """The member to whose weights this one's are drawn; None for those of all."""
        return None

    @property
    def reads_context(self) -> bool:
        """Whether it needs features of contexts."""
        return False

    @property
    def reads_identity(self) -> bool:
        """Whether it needs to know which option is which, beyond their features; see ``Votes.identity``."""
        return False

    @property
    def group_key(self) -> str | None:
        """What pairs must say the group by; None, unless said otherwise, for a population without groups."""
        return None

    @property
    @abstractmethod
    def member_noun(self) -> str:
        """What its members are called in tables and messages."""

    @abstractmethod
    def membership(self, pairs: Pairs) -> Membership:
        """The member of each pair."""

    def voices(self, parts: Parts, membership: Membership, about: np.ndarray | None) -> list[Voice]:
        """Who speaks for each pair: unless said otherwise, its member alone.

        Args:
            parts: fitted.
            membership: the member of each pair.
            about: features of the pairs' contexts [n, e], if the population reads them.

        Raises:
            InputError: if a pair's member is not known and there is no shared part.
        """
        if len(membership.codes) == 0:
            return []
        order = np.argsort(membership.codes, kind="stable")
        codes, starts = np.unique(membership.codes[order], return_index=True)
        groups = np.split(order, starts[1:])
        return [
            Voice(self.part(parts, membership.names[code] if code >= 0 else None), which, np.ones(len(which)))
            for code, which in zip(codes, groups, strict=True)
        ]

    def part(self, parts: Parts, member: str | None) -> Part:
        """The part of a member, or the shared one."""
        if member is not None and member in parts.members:
            return parts.members[member]
        if parts.shared is not None:
            return parts.shared
        noun, known = self.member_noun, ", ".join(list(parts.members)[:8])
        which = f"no {noun}" if member is None else f"the {noun} {member!r}, which this model does not know"
        raise InputError(f"this is for {which}; it knows {known}; name one of these, or fit with unseen='shared'")

    def spread(self, parts: Parts, part: Part) -> np.ndarray | None:
        """Covariance [p, p] of weights between the people that a part speaks for without knowing who they are.

        None where they do not differ, or not by anything that was measured. Unless said otherwise, the shared part
        speaks for members who are not known, whose deviations have the variance 1 / ``shrinkage``.
        """
        if part is not parts.shared or not 0 < part.shrinkage < np.inf:
            return None
        return np.eye(len(part.weights)) / part.shrinkage

    def check(self, parts: Parts, member: str) -> None:
        """Raise InputError where nothing can be said for a member of this name."""
        self.part(parts, member)

    def adapt(self, parts: Parts, votes: Votes, head: Head, link: Link, strength: float | None) -> Parts:
        """The same parts with new ones for the members of a few votes; see `PreferenceModel.adapt`."""
        return adapt_part(parts, votes, head, link, strength, self.member_noun)

    @abstractmethod
    def fit(self, votes: Votes, head: Head, link: Link, l2: float | None, seed: int, names: tuple[str, ...]) -> Parts:
        """Fit all parts; ``votes.member`` holds the membership."""


class OfAnnotators(Population):
    """A population whose members are the annotators."""

    @property
    def member_noun(self) -> str:
        """Annotator."""
        return "annotator"

    def membership(self, pairs: Pairs) -> Membership:
        """The annotator of each pair."""
        return Membership(pairs.annotator, pairs.annotators)


def check_told(votes: Votes) -> None:
    """Raise InputError unless all votes say their annotator."""
    if (votes.member < 0).any():
        raise InputError(f"{int((votes.member < 0).sum())} of {len(votes)} pairs do not say their annotator")
