"""Weights for a new member from a few votes, drawn to weights that are already fitted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from llull.errors import InputError
from llull.models.fitting.part import Part, Parts, contrasts_of, finish
from llull.models.fitting.uncertainty import weight_covariance
from llull.models.fitting.weights import WeightObjective
from llull.models.heads.head import Head
from llull.models.links.link import Link
from llull.models.votes import Votes


class _FixedTheta:
    """A link whose own parameters stay as they were fitted."""

    parameter_names: tuple[str, ...] = ()

    def __init__(self, link: Link, theta: np.ndarray) -> None:
        self._link, self._theta = link, theta
        self.convex = link.convex

    def start(self) -> np.ndarray:
        return np.empty(0)

    def loss(self, margin: np.ndarray, tie: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, slope = self._link.loss(margin, tie, self._theta)
        return value, slope[:, :1]

    def hessian(self, margin: np.ndarray, tie: np.ndarray, theta: np.ndarray) -> np.ndarray:
        return self._link.hessian(margin, tie, self._theta)[:, :1, :1]

    def information(self, margin: np.ndarray, tie: np.ndarray, theta: np.ndarray) -> np.ndarray:
        return self._link.information(margin, tie, self._theta)[:, :1, :1]


def adapt_part(parts: Parts, votes: Votes, head: Head, link: Link, strength: float | None, noun: str) -> Parts:
    """The same parts with new ones for the members of these votes; see `PreferenceModel.adapt`."""
    if not parts.members and parts.shared is not None and not votes.members:
        return Parts(adapt_one(parts.shared, votes, head, link, strength, parts.shared))
    if (votes.member < 0).any():
        raise InputError(f"{int((votes.member < 0).sum())} of {len(votes)} pairs do not say their {noun}")
    if strength is None and parts.shared is not None and np.isinf(parts.shared.shrinkage):
        # Members were found not to differ, so new ones do not either.
        return parts
    members = dict(parts.members)
    for code in np.unique(votes.member):
        name = votes.members[code]
        prior = members.get(name, parts.shared)
        if prior is None:
            raise InputError(f"the {noun} {name!r} is new and there is no shared part to adapt; set unseen='shared'")
        members[name] = adapt_one(prior, votes.select(votes.member == code), head, link, strength, parts.shared)
    return Parts(parts.shared, members)


def adapt_one(
    prior: Part, votes: Votes, head: Head, link: Link, strength: float | None, shared: Part | None = None
) -> Part:
    """One member's weights, drawn to those of a prior part by a strength, or as its members are if none is given.

    ``shared`` is what a prior with evidence of its own was drawn to.
    """
    if strength is None:
        strength = prior.shrinkage or prior.l2
    if not 0 < strength < np.inf:
        raise InputError(f"adapting with a strength of {strength} makes no sense; give a finite strength above 0")
    contrasts = contrasts_of(head, prior.hidden, votes)
    fixed = _FixedTheta(link, prior.theta)
    objective = WeightObjective(contrasts, votes.tie, votes.weight, fixed, strength, prior.weights, votes.lead)
    found = finish(objective, votes, prior.hidden)
    # What is not known of the prior's weights moves the new ones by this share.
    follows = strength * found.covariance
    covariance = found.covariance + follows @ weight_covariance(prior, shared) @ follows
    return replace(found, theta=prior.theta, shrinkage=prior.shrinkage, covariance=covariance)
