"""A model for each criterion, drawn to what all criteria have in common."""

from __future__ import annotations

from dataclasses import dataclass

from llull.judgments.views import Pairs
from llull.models.fitting.part import Parts, fit_part
from llull.models.heads.head import Head
from llull.models.links.link import Link
from llull.models.populations.per_annotator import PerAnnotator, check_named, fit_members
from llull.models.populations.population import Membership
from llull.models.votes import Votes


@dataclass(frozen=True)
class PerCriterion(PerAnnotator):
    """Weights under each criterion are shared ones plus a deviation, w_z = w + u_z, as in `PerAnnotator`.

    With ``shrinkage`` chosen on contexts held out, criteria share as much as the judgments say they do: all of it where
    the shrinkage is infinite, little where it is small. Judgments without a criterion, or with one that is not known,
    get the shared weights.
    """

    @property
    def member_noun(self) -> str:
        """Criterion."""
        return "criterion"

    def membership(self, pairs: Pairs) -> Membership:
        """The criterion of each pair."""
        return Membership(pairs.criterion, pairs.criteria)

    def fit(self, votes: Votes, head: Head, link: Link, l2: float | None, seed: int, names: tuple[str, ...]) -> Parts:
        """Fit shared weights and all deviations together."""
        check_named(votes, "criterion", type(self).__name__)
        return fit_members(votes, head, link, fit_part(votes, head, link, l2, seed, names), self.shrinkage, seed)
