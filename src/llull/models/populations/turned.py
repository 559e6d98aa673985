"""Weights w + U z of people whose few numbers z come from elsewhere than a fit of their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from llull.models.fitting.part import PROJECTION, Part, fit_part
from llull.models.fitting.weights import inverse, weighted_gram
from llull.models.heads.head import Head, Hidden
from llull.models.links.link import Link
from llull.models.votes import Votes


def turned_part(
    votes: Votes,
    head: Head,
    link: Link,
    l2: float | None,
    seed: int,
    names: tuple[str, ...],
    below: Hidden,
    base: np.ndarray,
    turn: np.ndarray,
    center: np.ndarray,
) -> Part:
    """The part for people who are not known, whose weights over (x w, x U) are (1, center).

    Args:
        votes: of all; they say the link's parameters and how well weights are determined.
        head: of the model.
        link: of the model.
        l2: strength of the penalty of that fit.
        seed: of the split that chooses it.
        names: of the features.
        below: what the head learned.
        base: w [p].
        turn: U [p, q].
        center: z of people who are not known [q].
    """
    hidden = {**below, PROJECTION: np.column_stack([base, turn])}
    fitted = fit_part(votes, head, link, l2, seed, names, hidden)
    return replace(fitted, weights=np.concatenate([[1.0], center]), errors=np.empty(0))


def turned_member(shared: Part, contrasts: np.ndarray, votes: Votes, numbers: np.ndarray, link: Link) -> Part:
    """The part of someone whose numbers are z [q], given the head's contrasts of that person's votes [n, p].

    Its covariance is that of z by the curvature of these votes beside a prior N(0, 1).
    """
    weights = np.concatenate([[1.0], numbers])
    rows = contrasts @ shared.hidden[PROJECTION]
    margin = votes.beyond_lead(rows @ weights)
    curvature = np.maximum(link.information(margin, votes.tie, shared.theta)[:, 0, 0] * votes.weight, 0)
    covariance = np.zeros((len(weights), len(weights)))
    covariance[0, 0] = shared.covariance[0, 0]
    covariance[1:, 1:] = inverse(weighted_gram(rows[:, 1:], curvature) + np.eye(len(numbers)))
    return replace(shared, weights=weights, covariance=covariance, n=len(votes), n_effective=votes.n_effective)
