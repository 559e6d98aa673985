"""A frozen score for everyone, and what a person adds to it from a few judgments."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from llull.errors import InputError
from llull.models.fitting.adapting import adapt_part
from llull.models.fitting.part import Part, Parts, contrasts_of, fit_part
from llull.models.heads.head import Head, Hidden
from llull.models.heads.linear import Linear
from llull.models.links.link import Link
from llull.models.populations.population import OfAnnotators
from llull.models.votes import Votes


@dataclass(frozen=True)
class Anchored(OfAnnotators):
    """Everyone's utility is t * base + <w_a, x>, with base a feature that is a score already and w_a near 0.

    The score may be the similarity of an image and its prompt, or another model's reward; it stays as it is, but for
    the temperature t, which is fitted. The weights w_a are the mode of their posterior under N(0, 1 / precision) given
    the person's judgments (fast adaptation with Bradley-Terry models, Gallego, 2023), so that someone without
    judgments is predicted by the score alone.

    Args:
        base: name of the feature; the first one if not given.
        spread_of_margins: standard deviation of what a person adds to a margin, before any judgment; by it the
            precision is set.
    """

    base: str | None = None
    spread_of_margins: float = 2.0

    def __post_init__(self) -> None:
        if not self.spread_of_margins > 0:
            raise InputError(f"spread_of_margins={self.spread_of_margins} is not above 0")

    def fit(self, votes: Votes, head: Head, link: Link, l2: float | None, seed: int, names: tuple[str, ...]) -> Parts:
        """Fit the temperature, then what each annotator adds."""
        known = head.names(names)
        if known is None or len(known) != len(names):
            raise InputError(f"a score among the features needs the head Linear, not {type(head).__name__}")
        if self.base is not None and self.base not in known:
            raise InputError(f"there is no feature {self.base!r} to be the score; there is {', '.join(known[:8])}")
        column = 0 if self.base is None else known.index(self.base)
        # Only the score, and without a prior to draw it to nothing: it is one number.
        alone = replace(votes, rows=votes.rows[:, [column]])
        score = fit_part(alone, Linear(), link, 1e-3 if l2 is None else l2, seed, (known[column],))
        contrasts = contrasts_of(head, {}, votes)
        size = contrasts.shape[1]
        precision = float(np.einsum("nd,nd->", contrasts, contrasts)) / len(contrasts) / self.spread_of_margins**2
        weights, covariance = np.zeros(size), np.zeros((size, size))
        weights[column], covariance[column, column] = score.weights[0], score.covariance[0, 0]
        errors = np.zeros(size)
        errors[column] = score.errors[0]
        shared = replace(score, weights=weights, covariance=covariance, errors=errors, shrinkage=precision)
        told = votes.select(votes.member >= 0)
        return self.adapt(Parts(shared), told, head, link, None) if len(told) else Parts(shared)

    def adapt(self, parts: Parts, votes: Votes, head: Head, link: Link, strength: float | None) -> Parts:
        """What new annotators add, drawn to nothing by the precision or by ``strength``."""
        found = adapt_part(parts, votes, head, link, strength, self.member_noun)
        members = dict(found.members)
        for code in np.unique(votes.member):
            name = votes.members[code]
            members[name] = _lean(members[name], votes.select(votes.member == code), head, link)
        return replace(found, members=members)


def _lean(part: Part, votes: Votes, head: Head, link: Link) -> Part:
    """The same part with its votes' curvature in place of a covariance, which takes p numbers for each of p."""
    hidden: Hidden = part.hidden
    contrasts = contrasts_of(head, hidden, votes)
    margin = votes.beyond_lead(contrasts @ part.weights)
    curvature = np.maximum(link.information(margin, votes.tie, part.theta)[:, 0, 0] * votes.weight, 0)
    evidence = (contrasts * np.sqrt(curvature)[:, None]).astype(np.float32)
    return replace(part, covariance=np.empty((0, 0)), evidence=evidence, shrinkage=part.l2)
