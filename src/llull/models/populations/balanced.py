"""One taste for all, on which no source of judgments pulls harder than the others."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from llull.errors import InputError
from llull.judgments.views import Pairs
from llull.models.fitting.clustered import clustered_covariance, clusterings
from llull.models.fitting.part import Part, Parts, contrasts_of
from llull.models.fitting.weights import WeightObjective, inverse
from llull.models.heads.head import Head
from llull.models.links.link import Link
from llull.models.populations.per_annotator import check_named
from llull.models.populations.population import Membership, Population
from llull.models.votes import Votes


@dataclass(frozen=True)
class Balanced(Population):
    """Everyone has the same weights, which are moved only by what sources of judgments want together.

    In each step every source counts as much as its gradient, taken to length 1, does in the shortest of their weighted
    means, which goes down for all (Désidéri, 2012; for rewards MORE, Zeng et al., 2023). A direction in which most
    sources agree and one does not cancels out, while a mixture of all judgments would follow the majority. With sources
    that agree it is `Shared`, stopped early. The steps are the only regularization, so l2 is not read; standard errors
    are those of weights fitted to the judgments as they count in the last step.

    Args:
        key: what sources are told apart by: one of the judgments' groups, a column or a tag.
        steps: at most.
        rate: of Adam's steps.
    """

    key: str
    steps: int = 60
    rate: float = 0.05

    def __post_init__(self) -> None:
        if self.steps < 1 or not self.rate > 0:
            raise InputError(f"steps={self.steps} and rate={self.rate}: give at least 1 step and a rate above 0")

    @property
    def group_key(self) -> str:
        """The key."""
        return self.key

    @property
    def member_noun(self) -> str:
        """Its members are sources."""
        return "source"

    def membership(self, pairs: Pairs) -> Membership:
        """The source of each pair, for the fit; predictions do not read it."""
        return Membership(pairs.group, pairs.groups)

    def part(self, parts: Parts, member: str | None) -> Part:
        """The shared one."""
        return super().part(parts, None)

    def adapt(self, parts: Parts, votes: Votes, head: Head, link: Link, strength: float | None) -> Parts:
        """Weights drawn to those of all, in their place; with a precision of 1 if no strength is given."""
        nobody = replace(votes, member=np.full(len(votes), -1, np.int32), members=())
        return super().adapt(parts, nobody, head, link, 1.0 if strength is None else strength)

    def fit(self, votes: Votes, head: Head, link: Link, l2: float | None, seed: int, names: tuple[str, ...]) -> Parts:
        """Go down until the steps are done or no step goes down for all sources."""
        check_named(votes, self.key, type(self).__name__)
        link.check(votes)
        hidden = head.learn(votes, link, seed)
        contrasts = contrasts_of(head, hidden, votes)
        sources = [votes.member == code for code in np.unique(votes.member[votes.member >= 0])]
        objectives = []
        for mine in sources:
            own = votes.select(mine)
            weight = own.weight / own.weight.sum()
            objectives.append(WeightObjective(contrasts[mine], own.tie, weight, link, 0.0, lead=own.lead))
        x, shares = self._descend(objectives)
        # The reweighted judgments count as many as all, so that errors are on the usual scale.
        total, weight = float(votes.weight.sum()), np.zeros(len(votes))
        for mine, objective, share in zip(sources, objectives, shares, strict=True):
            weight[mine] = objective.weight * share * total
        joint = WeightObjective(contrasts, votes.tie, weight, link, 0.0, lead=votes.lead)
        size = joint.columns
        bread = inverse(joint.hessian(x) + np.eye(len(x)) * 1e-3)
        robust = clustered_covariance(contrasts, joint.slope(x), bread, clusterings(votes))
        errors = np.sqrt(np.maximum(np.diag(robust)[:size], 0))
        part = Part(hidden, x[:size], x[size:], bread[:size, :size], errors, 0.0, True, len(votes), votes.n_effective)
        return Parts(part, {}, {"shares": shares})

    def _descend(self, objectives: list[WeightObjective]) -> tuple[np.ndarray, np.ndarray]:
        """Weights and theta [p + k], and each source's share in the last step."""
        first = objectives[0]
        x = np.concatenate([np.zeros(first.columns), first.link.start()])
        mean, square = np.zeros(len(x)), np.zeros(len(x))
        shares = np.full(len(objectives), 1 / len(objectives))
        for step in range(1, self.steps + 1):
            gradients = np.stack([one.value_and_gradient(x)[1] for one in objectives])
            length = np.linalg.norm(gradients, axis=1, keepdims=True)
            shares = shortest(gradients / np.maximum(length, 1e-12))
            gradient = shares @ gradients
            mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
            x = x - self.rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
        return x, shares


def shortest(vectors: np.ndarray, rounds: int = 250, enough: float = 1e-10) -> np.ndarray:
    """Shares [t] of vectors [t, p] whose weighted mean is shortest.

    Moves shares from the worst vector in use to the best one, each time as far as shortens most (pairwise steps of
    Frank and Wolfe; Lacoste-Julien and Jaggi, 2015).
    """
    gram = vectors @ vectors.T
    shares = np.full(len(vectors), 1 / len(vectors))
    for _ in range(rounds):
        slope = gram @ shares
        toward, used = int(np.argmin(slope)), np.flatnonzero(shares > 0)
        away = int(used[np.argmax(slope[used])])
        gap = float(slope[away] - slope[toward])
        if gap <= enough:
            break
        # Shares are moved from one to the other, as far as is best or there is.
        bend = gram[toward, toward] + gram[away, away] - 2 * gram[toward, away]
        moved = min(gap / max(float(bend), 1e-300), float(shares[away]))
        shares[toward] += moved
        shares[away] = max(shares[away] - moved, 0.0)
    return shares / shares.sum()
