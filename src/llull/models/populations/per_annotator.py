"""A model for each annotator, drawn to that of all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from llull.errors import InputError
from llull.models.fitting.deviations import DeviationObjective
from llull.models.fitting.part import Part, Parts, contrasts_of, fit_part
from llull.models.fitting.weights import NotConverged
from llull.models.heads.head import Head
from llull.models.links.link import Link
from llull.models.populations.population import OfAnnotators
from llull.models.votes import Votes, held_out

# Per vote of an average annotator: from hardly any deviation to deviations that the votes decide alone.
SHRINKAGE_GRID = np.logspace(1.5, -2.5, 9)
_FINE_GRID = np.logspace(1.5, -2.5, 17)
Choice = Literal["prediction", "likelihood"]
_MOST_TRIED = 18
_LOOSE = 1e-6


@dataclass(frozen=True)
class PerAnnotator(OfAnnotators):
    """Each annotator's weights are the shared ones plus a deviation: w_a = w + u_a.

    They are fitted together to the optimum of the objective in `llull.models.fitting.deviations`: a
    ridge of strength ``shrinkage`` on each u_a, beside l2 on w. Annotators who are not known, or
    not named, get the shared weights.

    Args:
        shrinkage: the precision of the deviations; infinite for none. None chooses it, infinity included, after l2 has
            been chosen for shared weights alone.
        choose: by ``"prediction"``, the loss on the contexts held out, or by ``"likelihood"`` of all votes with weights
            and deviations integrated out (Laplace), which estimates how far people differ and is what `uncertainty`
            should be asked under: what predicts best is often a stronger pull, and then intervals are too narrow.
    """

    shrinkage: float | None = None
    choose: Choice = "prediction"

    def __post_init__(self) -> None:
        if self.shrinkage is not None and not self.shrinkage > 0:
            raise InputError(f"shrinkage={self.shrinkage} is not above 0; for separate fits use PerGroup('annotator')")
        if self.choose not in ("prediction", "likelihood"):
            raise InputError(f"choose={self.choose!r} is no way to choose; it is prediction or likelihood")

    def fit(self, votes: Votes, head: Head, link: Link, l2: float | None, seed: int, names: tuple[str, ...]) -> Parts:
        """Fit shared weights and all deviations together; what the head learns below them is shared."""
        check_named(votes, "annotator", type(self).__name__)
        alone = fit_part(votes, head, link, l2, seed, names)
        return fit_members(votes, head, link, alone, self.shrinkage, seed, self.choose)


def check_named(votes: Votes, noun: str, population: str) -> None:
    """Raise InputError unless some vote says whose it is."""
    if not (votes.member >= 0).any():
        raise InputError(f"no judgment says who its {noun} is, by which {population} tells weights apart")


def fit_members(
    votes: Votes,
    head: Head,
    link: Link,
    shared: Part,
    shrinkage: float | None,
    seed: int,
    choose: Choice = "prediction",
) -> Parts:
    """Shared weights and a deviation for each member, fitted together.

    Args:
        votes: with their members.
        head: of the model.
        link: of the model.
        shared: fitted alone; where the fit begins, and what its contrasts are taken by.
        shrinkage: the precision of deviations; None chooses it, infinity included.
        seed: of which contexts are held out.
        choose: as in `PerAnnotator`.
    """
    contrasts = contrasts_of(head, shared.hidden, votes)
    present = np.unique(votes.member[votes.member >= 0])
    dense = np.where(votes.member >= 0, np.searchsorted(present, votes.member), -1)
    known = replace(votes, member=dense, members=tuple(votes.members[code] for code in present))
    path: dict[float, float] = {}
    if shrinkage is None:
        if choose == "likelihood":
            shrinkage, path = _likeliest_shrinkage(contrasts, known, link, shared)
        else:
            shrinkage, path = _choose_shrinkage(contrasts, known, link, shared, seed)
    if np.isinf(shrinkage):
        return Parts(replace(shared, shrinkage=float("inf"), shrinkage_path=path))
    return _fit_deviations(contrasts, known, link, shared, shrinkage, path)


def _choose_shrinkage(
    contrasts: np.ndarray, votes: Votes, link: Link, shared: Part, seed: int
) -> tuple[float, dict[float, float]]:
    out = held_out(votes, seed)
    kept, judged = votes.select(~out), votes.select(out)
    path: dict[float, float] = {}
    members = len(votes.members)
    size = len(shared.weights) + len(shared.theta)
    x = np.concatenate([shared.weights, shared.theta, np.zeros(members * len(shared.weights))])
    everyone = replace(kept, member=np.full(len(kept), -1))
    alone = DeviationObjective(contrasts[~out], everyone, link, shared.l2, 1.0, 0)
    x[:size] = alone.fit(x[:size], tolerance=_LOOSE).x
    per_member = float(votes.weight[votes.member >= 0].sum()) / members
    tried = [float("inf"), *(SHRINKAGE_GRID * per_member).tolist()]
    for shrinkage in tried:
        if np.isfinite(shrinkage):
            objective = DeviationObjective(contrasts[~out], kept, link, shared.l2, shrinkage, members)
            x = objective.fit(x, tolerance=_LOOSE).x
        tested = DeviationObjective(contrasts[out], judged, link, 0.0, 1.0, members)
        loss, _ = link.loss(tested.margins(x), tested.tie, tested.split(x)[1])
        path[shrinkage] = float(tested.weight @ loss / tested.weight.sum())
        # Few members with very many votes each, such as criteria, may want less than the grid goes down to.
        if shrinkage == tried[-1] == min(path, key=lambda strength: path[strength]) and len(tried) < _MOST_TRIED:
            tried.append(shrinkage * 10**-0.5)
    return min(path, key=lambda strength: path[strength]), path


def _likeliest_shrinkage(
    contrasts: np.ndarray, votes: Votes, link: Link, shared: Part
) -> tuple[float, dict[float, float]]:
    """The precision of the largest likelihood, and minus the log-likelihood per unit of weight of each one tried."""
    members, total = len(votes.members), float(votes.weight.sum())
    start = np.concatenate([shared.weights, shared.theta])
    everyone = replace(votes, member=np.full(len(votes), -1))
    alone = DeviationObjective(contrasts, everyone, link, shared.l2, 1.0, 0)
    path = {float("inf"): -alone.log_evidence(start, alone.curvature(start)) / total}
    x = np.concatenate([start, np.zeros(members * len(shared.weights))])
    per_member = float(votes.weight[votes.member >= 0].sum()) / members
    for shrinkage in (_FINE_GRID * per_member).tolist():
        objective = DeviationObjective(contrasts, votes, link, shared.l2, shrinkage, members)
        x = objective.fit(x, tolerance=_LOOSE).x
        path[shrinkage] = -objective.log_evidence(x, objective.curvature(x)) / total
    return min(path, key=lambda strength: path[strength]), path


def _fit_deviations(
    contrasts: np.ndarray, votes: Votes, link: Link, shared: Part, shrinkage: float, path: dict[float, float]
) -> Parts:
    p, k, members = len(shared.weights), len(shared.theta), len(votes.members)
    objective = DeviationObjective(contrasts, votes, link, shared.l2, shrinkage, members)
    found = objective.fit(np.concatenate([shared.weights, shared.theta, np.zeros(members * p)]))
    if not found.converged:
        raise NotConverged(
            f"the fit per annotator stopped after {found.steps} steps with a gradient of {found.gradient_norm:.3g}; "
            "give a larger shrinkage or l2"
        )
    w, theta, deviations = objective.split(found.x)
    arrow = objective.curvature(found.x)
    covariance = arrow.factor.solve(np.eye(p + k))[:p, :p]
    common = replace(
        shared,
        weights=w,
        theta=theta,
        covariance=covariance,
        # The deviations are random effects of the annotators, so this covariance already counts them.
        errors=np.sqrt(np.diag(covariance)),
        shrinkage=shrinkage,
        shrinkage_path=path,
    )
    parts = {}
    order = np.argsort(votes.member, kind="stable")
    first = np.searchsorted(votes.member[order], np.arange(members + 1))
    for code, (name, evidence) in enumerate(zip(votes.members, objective.evidence(arrow), strict=True)):
        own = votes.select(order[first[code] : first[code + 1]])
        parts[name] = Part(
            hidden=shared.hidden,
            weights=w + deviations[code],
            theta=theta,
            covariance=np.empty((0, 0)),
            errors=np.empty(0),
            l2=shared.l2,
            converged=True,
            n=len(own),
            n_effective=own.n_effective,
            evidence=evidence.astype(np.float32),
            shrinkage=shrinkage,
        )
    return Parts(common, parts)
