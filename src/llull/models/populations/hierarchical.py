"""Annotators within groups within all."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from llull.errors import InputError
from llull.judgments.views import Pairs
from llull.models.fitting.adapting import adapt_one
from llull.models.fitting.part import Part, Parts, fit_part
from llull.models.heads.head import Head
from llull.models.links.link import Link
from llull.models.populations.per_annotator import check_named, fit_members
from llull.models.populations.population import Membership, Population
from llull.models.votes import Votes, held_out

_WITHIN = " / "
_GRID = np.logspace(1.5, -1.5, 7)
"""Precisions of annotators' deviations that are tried, per vote of an average annotator."""


@dataclass(frozen=True)
class Hierarchical(Population):
    """Weights of annotators are drawn to those of their group, and those of groups to the shared ones.

    w_ga = w + u_g + u_ga. Shared weights and groups are fitted together first, with all votes of a group counted to it;
    then each annotator's deviation from its group. The precision of each level is chosen on contexts held out
    (`variances` gives the inverses). Members are called "group" and "group / annotator"; an annotator who is not known
    gets its group's weights, a group that is not known the shared ones.

    Args:
        key: what groups are told apart by: one of the judgments' groups, a column or a tag.
    """

    key: str

    @property
    def group_key(self) -> str:
        """The key."""
        return self.key

    @property
    def member_noun(self) -> str:
        """Its members are annotators within groups."""
        return "annotator within its group"

    def membership(self, pairs: Pairs) -> Membership:
        """The annotator within its group where both are known, else the group."""
        width = len(pairs.annotators) + 1
        codes = np.where(pairs.group >= 0, pairs.group.astype(np.int64) * width + pairs.annotator + 1, -1)
        present, place = np.unique(codes, return_inverse=True)
        unknown = int((present < 0).any())
        names = []
        for code in present[unknown:].tolist():
            group, annotator = divmod(code, width)
            own = f"{_WITHIN}{pairs.annotators[annotator - 1]}" if annotator else ""
            names.append(f"{pairs.groups[group]}{own}")
        return Membership((place - unknown).astype(np.int32), tuple(names))

    def above(self, member: str) -> str | None:
        """An annotator's group."""
        group, within, _ = member.partition(_WITHIN)
        return group if within else None

    def part(self, parts: Parts, member: str | None) -> Part:
        """Of the annotator, of its group, or the shared one."""
        if member is not None and member not in parts.members:
            member = member.split(_WITHIN)[0]
        return super().part(parts, member)

    def fit(self, votes: Votes, head: Head, link: Link, l2: float | None, seed: int, names: tuple[str, ...]) -> Parts:
        """Fit shared weights and groups, then annotators within them."""
        check_named(votes, self.key, type(self).__name__)
        alone = fit_part(votes, head, link, l2, seed, names)
        group_of = [name.split(_WITHIN)[0] for name in votes.members]
        groups = tuple(dict.fromkeys(group_of))
        to_group = np.array([groups.index(name) for name in group_of], np.int64)
        of_groups = np.where(votes.member >= 0, to_group[votes.member], -1)
        above = fit_members(replace(votes, member=of_groups, members=groups), head, link, alone, None, seed)
        assert above.shared is not None
        shrinkage = self._choose(votes, above, head, link, seed)
        members = dict(above.members)
        if np.isfinite(shrinkage):
            members |= self._within(votes, above, head, link, shrinkage)
        arrays = {"shrinkage": np.array([above.shared.shrinkage, shrinkage])}
        return Parts(above.shared, members, arrays)

    def adapt(self, parts: Parts, votes: Votes, head: Head, link: Link, strength: float | None) -> Parts:
        """New annotators, each drawn to its group as those of the fit are."""
        if strength is None and np.isinf(parts.arrays["shrinkage"][1]):
            return parts
        chosen = float(parts.arrays["shrinkage"][1]) if strength is None else strength
        return replace(parts, members={**parts.members, **self._within(votes, parts, head, link, chosen)})

    @staticmethod
    def variances(parts: Parts) -> tuple[float, float]:
        """The variance of a weight between groups, and between annotators of a group."""
        between, within = (1 / parts.arrays["shrinkage"]).tolist()
        return between, within

    def spread(self, parts: Parts, part: Part) -> np.ndarray | None:
        """Between groups for the shared part, and between the annotators of a group for it and the groups'."""
        variance = 1 / parts.arrays["shrinkage"]
        levels = variance if part is parts.shared else variance[1:] if part.evidence.size else np.zeros(1)
        return np.eye(len(part.weights)) * levels.sum() if levels.any() else None

    def _within(self, votes: Votes, parts: Parts, head: Head, link: Link, shrinkage: float) -> dict[str, Part]:
        found = {}
        for code in np.unique(votes.member[votes.member >= 0]):
            name = votes.members[code]
            if _WITHIN in name:
                prior = self.part(parts, name)
                found[name] = adapt_one(prior, votes.select(votes.member == code), head, link, shrinkage, parts.shared)
        return found

    def _choose(self, votes: Votes, parts: Parts, head: Head, link: Link, seed: int) -> float:
        """The precision under which votes held out are predicted best; infinity where annotators add nothing."""
        out = held_out(votes, seed)
        inside, outside = votes.select(~out), votes.select(out)
        named = np.array([_WITHIN in name for name in votes.members])
        if not named.any():
            raise InputError("no judgment says both its group and its annotator; use PerGroup")
        typical = len(inside) / int(named.sum())
        scores = {np.inf: self._loss(outside, parts, head, link)}
        for strength in (_GRID * typical).tolist():
            members = {**parts.members, **self._within(inside, parts, head, link, strength)}
            scores[strength] = self._loss(outside, replace(parts, members=members), head, link)
        return min(scores, key=lambda strength: scores[strength])

    def _loss(self, votes: Votes, parts: Parts, head: Head, link: Link) -> float:
        total = 0.0
        for voice in self.voices(parts, Membership(votes.member, votes.members), None):
            mine = votes.select(voice.which)
            margin = mine.beyond_lead(voice.part.contrasts(head, mine.sides()) @ voice.part.weights)
            total += float(mine.weight @ link.loss(margin, mine.tie, voice.part.theta)[0])
        return total
