"""The population axis: whose weights they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np

from llull.judgments.views import Pairs
from llull.models.fitting.part import Part
from llull.models.heads.head import Head
from llull.models.links.link import Link
from llull.models.votes import Votes


@dataclass(frozen=True)
class Parts:
    """Fitted state of a population."""

    shared: Part | None = None
    """For all, and for members that are not known; None where the population has no such part."""
    members: dict[str, Part] = field(default_factory=dict)

    def all(self) -> list[Part]:
        """Every part, the shared one first."""
        return ([self.shared] if self.shared else []) + list(self.members.values())


@dataclass(frozen=True)
class Membership:
    """Which member of the population each pair belongs to."""

    codes: np.ndarray
    """int [n], index into ``names``; -1 where unknown."""
    names: tuple[str, ...]


class Population(ABC):
    """What a preference model asks of a population."""

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

    @abstractmethod
    def fit(self, votes: Votes, head: Head, link: Link, l2: float | None, seed: int, names: tuple[str, ...]) -> Parts:
        """Fit all parts; ``votes.member`` holds the membership."""
