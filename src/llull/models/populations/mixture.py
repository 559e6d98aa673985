"""A few tastes, and who has which."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from scipy.special import softmax

from llull.errors import InputError
from llull.models.fitting.mixing import Mixing, log_router
from llull.models.fitting.part import Part, Parts, contrasts_of, fit_part
from llull.models.heads.head import Head
from llull.models.links.link import Link
from llull.models.populations.population import Membership, OfAnnotators, Voice, WeightsAre, check_told
from llull.models.votes import Votes

TASTE = "taste"


@dataclass(frozen=True)
class Mixture(OfAnnotators):
    """Every annotator has one of k tastes; which one is found out together with the tastes (EM).

    P(votes of a) = sum_k pi_k prod_i P_k(vote i). Without ``routed``, all votes of an annotator are of one taste, and
    votes without an annotator are each of their own. An annotator whose votes were seen is predicted by its posterior
    over the tastes, everybody else by the shares pi. With ``routed``, each judgment has a taste of its own, whose
    shares depend on its context, softmax(c R) (context-aware mixtures, MiCRo, 2025); annotators then tilt these shares
    when the model is adapted to them.

    Tastes are numbered from the largest share; nothing else tells them apart.

    Args:
        tastes: k; None chooses from 1 to ``most`` by the likelihood of votes held out.
        routed: whether the context says how likely each taste is.
        most: tastes that are tried at most.
        restarts: so many starts, on a part of the votes, of which the most likely is kept.
    """

    weights_are: ClassVar[WeightsAre] = "tastes"

    tastes: int | None = 2
    routed: bool = False
    most: int = 5
    restarts: int = 4

    def __post_init__(self) -> None:
        if (self.tastes is not None and self.tastes < 1) or self.most < 1 or self.restarts < 1:
            raise InputError(
                f"tastes={self.tastes}, most={self.most} and restarts={self.restarts} must each be at least 1"
            )

    @property
    def reads_context(self) -> bool:
        """If it is routed."""
        return self.routed

    def fit(self, votes: Votes, head: Head, link: Link, l2: float | None, seed: int, names: tuple[str, ...]) -> Parts:
        """Fit tastes and shares by EM, which never lowers the likelihood."""
        alone = fit_part(votes, head, link, l2, seed, names)
        contrasts = contrasts_of(head, alone.hidden, votes)
        tried = [self.tastes] if self.tastes is not None else list(range(1, self.most + 1))
        how = Mixing(self.routed, self.restarts, seed)
        if l2 is None and tried[-1] > 1:
            alone = replace(alone, l2=how.strength(contrasts, votes, link, alone, self.tastes or 2))
        tastes = tried[0] if len(tried) == 1 else how.choose(contrasts, votes, link, alone, tried)
        mixing = how.fit(contrasts, votes, link, alone, tastes)
        members = {f"{TASTE} {k + 1}": part for k, part in enumerate(mixing.parts)}
        arrays = {"prior": mixing.prior, "tilt": mixing.tilt}
        if mixing.router is not None:
            arrays["router"] = mixing.router
        return Parts(None, members, arrays, mixing.known)

    def voices(self, parts: Parts, membership: Membership, about: np.ndarray | None) -> list[Voice]:
        """Every taste, by its share in the annotator."""
        shares = self.shares(parts, membership, about)
        everything = np.arange(len(membership.codes))
        return [Voice(part, everything, shares[:, k]) for k, part in enumerate(parts.members.values())]

    def shares(self, parts: Parts, membership: Membership, about: np.ndarray | None) -> np.ndarray:
        """How likely each taste is for each pair: float64 [n, k]."""
        prior = np.log(np.maximum(parts.arrays["prior"], 1e-300))
        if "router" in parts.arrays and about is not None:
            scores = log_router(parts.arrays["router"], about)
        else:
            scores = np.broadcast_to(prior, (len(membership.codes), len(prior)))
        place = {name: row for row, name in enumerate(parts.known)}
        rows = np.array([place.get(name, -1) for name in membership.names] + [-1])[membership.codes]
        tilt = np.vstack([parts.arrays["tilt"], np.zeros((1, len(prior)))])[rows]
        return softmax(scores + tilt, axis=1)

    def check(self, parts: Parts, member: str) -> None:
        """Nobody is unknown: of those whose votes were not seen, the shares are known."""

    def part(self, parts: Parts, member: str | None) -> Part:
        """A taste by its name, such as "taste 1"."""
        if member in parts.members:
            return parts.members[member]
        raise InputError(f"{member!r} is no taste; there is {', '.join(parts.members)}")

    def adapt(self, parts: Parts, votes: Votes, head: Head, link: Link, strength: float | None) -> Parts:
        """Shares of new annotators, tilted by how well each taste predicts their votes (Hedge; Bayes at strength 1)."""
        check_told(votes)
        sides = votes.sides()
        said = np.empty((len(votes), len(parts.members)))
        for k, part in enumerate(parts.members.values()):
            margin = votes.beyond_lead(part.contrasts(head, sides) @ part.weights)
            loss, _ = link.loss(margin, votes.tie, part.theta)
            said[:, k] = -votes.weight * loss
        rate = 1.0 if strength is None else strength
        tilt = dict(zip(parts.known, parts.arrays["tilt"], strict=True))
        for code in np.unique(votes.member):
            name = votes.members[code]
            tilt[name] = tilt.get(name, 0.0) + rate * said[votes.member == code].sum(axis=0)
        arrays = {**parts.arrays, "tilt": np.stack([_level(row) for row in tilt.values()])}
        return replace(parts, arrays=arrays, known=tuple(tilt))


def _level(row: np.ndarray) -> np.ndarray:
    return row - row.max()
