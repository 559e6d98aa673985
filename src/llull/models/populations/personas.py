"""Models near to one persona and far from others."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from llull.errors import InputError
from llull.judgments.views import Pairs
from llull.models.fitting.part import Parts, fit_part
from llull.models.heads.head import Head
from llull.models.links.link import Link
from llull.models.populations.per_annotator import check_named
from llull.models.populations.population import Membership, Population
from llull.models.votes import Votes


@dataclass(frozen=True)
class Personas(Population):
    """Each persona has weights of its own, fitted to its votes, of which those count most that others would not cast.

    A vote is in tier i = 1 + the number of other personas who answered the same question otherwise. Its weight is
    multiplied by

        T_i = (i / K)^alpha * (1 / N_i)^beta

    with N_i the persona's votes in that tier, and all weights are then scaled to the sum that they had (Fair-PP,
    2025). What is gained is distance from the others, and what may be lost is what all agree on: with ``beta`` 1, a
    tier counts by its rank and not by its size. The weights of people who are not known are those of an unweighted
    fit to all votes.

    Args:
        key: the group, column or tag that personas are told apart by; annotators if not given.
        alpha: how much disagreement counts.
        beta: how far a tier's size is made up for.
    """

    key: str | None = None
    alpha: float = 1.0
    beta: float = 1.0

    def __post_init__(self) -> None:
        if self.alpha < 0 or self.beta < 0:
            raise InputError(f"alpha={self.alpha} and beta={self.beta} must not be negative")

    @property
    def group_key(self) -> str | None:
        """The key."""
        return self.key

    @property
    def member_noun(self) -> str:
        """Its members are annotators, or groups if there is a key."""
        return "annotator" if self.key is None else "group"

    def membership(self, pairs: Pairs) -> Membership:
        """The persona of each pair."""
        if self.key is None:
            return Membership(pairs.annotator, pairs.annotators)
        return Membership(pairs.group, pairs.groups)

    def fit(self, votes: Votes, head: Head, link: Link, l2: float | None, seed: int, names: tuple[str, ...]) -> Parts:
        """One weighted fit for each persona, and one for all."""
        check_named(votes, self.member_noun, type(self).__name__)
        weight = votes.weight * tier_weights(votes, tiers(votes), self.alpha, self.beta)
        weighed = replace(votes, weight=weight)
        members = {}
        for code in np.unique(votes.member[votes.member >= 0]):
            own = weighed.select(votes.member == code)
            members[votes.members[code]] = fit_part(own, head, link, l2, seed, names)
        return Parts(fit_part(votes, head, link, l2, seed, names), members)


def tiers(votes: Votes) -> np.ndarray:
    """1 + the number of other members whose answer to each vote's question differs from its member's: int [n].

    A question is a pair of options, in whichever order. Of several answers of a member to one question the sum counts.
    """
    low, high = np.minimum(votes.winner, votes.loser), np.maximum(votes.winner, votes.loser)
    _, question = np.unique(low.astype(np.int64) * len(votes.rows) + high, return_inverse=True)
    sign = np.where(votes.tie, 0.0, np.where(votes.winner == low, 1.0, -1.0)) * votes.weight
    told = votes.member >= 0
    asked = question[told].astype(np.int64) * max(len(votes.members), 1) + votes.member[told]
    cases, case = np.unique(asked, return_inverse=True)
    answer = np.sign(np.bincount(case, sign[told], len(cases))).astype(int)
    of_case = cases // max(len(votes.members), 1)
    count = np.zeros((question.max(initial=-1) + 1, 3), int)
    np.add.at(count, (of_case, answer + 1), 1)
    found = np.ones(len(votes), int)
    found[told] += (count.sum(axis=1)[of_case] - count[of_case, answer + 1])[case]
    return found


def tier_weights(votes: Votes, tier: np.ndarray, alpha: float, beta: float) -> np.ndarray:
    """What to multiply each vote's weight by, given its tier, such that the sum of each member's weights stays."""
    factor = np.ones(len(votes))
    for code in np.unique(votes.member[votes.member >= 0]):
        mine = votes.member == code
        _, place, size = np.unique(tier[mine], return_inverse=True, return_counts=True)
        own = tier[mine].astype(float) ** alpha * size[place].astype(float) ** -beta
        weight = votes.weight[mine]
        factor[mine] = own * weight.sum() / max(float(weight @ own), 1e-300)
    return factor
