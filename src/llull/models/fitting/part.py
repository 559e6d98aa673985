"""One fitted part of a model, and how it is fitted: a vector of weights over a head's contrasts."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from llull.errors import InputError
from llull.models.fitting.clustered import clustered_covariance, clusterings
from llull.models.fitting.separation import Separation, find_separation
from llull.models.fitting.weights import NotConverged, WeightObjective, inverse
from llull.models.heads.head import Head, Hidden
from llull.models.links.link import Link
from llull.models.votes import HELD_OUT, Sides, Votes, blocks, held_out

# From so strong that nothing is left of the weights to so weak that the votes decide alone; per unit of weight.
L2_GRID = np.logspace(1, -5, 10)
_LOOSE = 1e-6
_ENOUGH = 30_000
"""Votes that choose a strength as well as more would."""
_BLOCK = 300_000
"""Numbers in a block of rows: few enough to stay near the processor."""
PROJECTION = "projection"
"""In what is below the weights: a matrix [p, q] from a head's contrasts to the few numbers that weights are over."""


@dataclass(frozen=True)
class Part:
    """Fitted state of one member of a population, or of all together."""

    hidden: Hidden
    """What the head learned below the weights; empty for a linear head."""
    weights: np.ndarray
    """float64 [p]"""
    theta: np.ndarray
    """float64 [k], parameters of the link."""
    covariance: np.ndarray
    """float64 [p, p]: of the weights under the Laplace approximation (inverse Hessian with the penalty).
    Empty for a member with ``evidence``."""
    errors: np.ndarray
    """float64 [p]: standard errors of the weights, clustered (see `clustered_covariance`)."""
    l2: float
    converged: bool
    n: int
    """Number of votes."""
    n_effective: float
    separation: Separation = field(default_factory=Separation)
    path: dict[float, float] = field(default_factory=dict)
    """Loss per unit of weight on the votes held out, for each strength tried."""
    evidence: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    """float32 [r, p], for a member drawn to a shared part: its votes' curvature is evidence^T evidence."""
    shrinkage: float = 0.0
    """For members drawn to a shared part: the precision of their deviations; 0 where there are none."""
    shrinkage_path: dict[float, float] = field(default_factory=dict)
    """Loss per unit of weight on the votes held out, for each shrinkage tried."""

    def contrasts(self, head: Head, sides: Sides) -> np.ndarray:
        """What pairs look like to this part's weights: [n, p]."""
        return projected(head, self.hidden, sides)

    def basis(self, head: Head, rows: np.ndarray, context: np.ndarray | None) -> np.ndarray | None:
        """What options look like to this part's weights: [m, p]; None where the head gives no utility."""
        found = head.basis(self.hidden, rows, context)
        return found @ self.hidden[PROJECTION] if found is not None and PROJECTION in self.hidden else found


@dataclass(frozen=True)
class Parts:
    """Fitted state of a population."""

    shared: Part | None = None
    """For all, and for members that are not known; None where the population has no such part."""
    members: dict[str, Part] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    """What the population learned beside them."""
    known: tuple[str, ...] = ()
    """Names of those that rows of ``arrays`` are about, where the members are not these."""

    def all(self) -> list[Part]:
        """Every part, the shared one first."""
        return ([self.shared] if self.shared else []) + list(self.members.values())


def projected(head: Head, hidden: Hidden, sides: Sides) -> np.ndarray:
    """What pairs look like to weights above what was learned, the projection included: [n, p]."""
    found = head.contrast(hidden, sides)
    return found @ hidden[PROJECTION] if PROJECTION in hidden else found


def contrasts_of(head: Head, hidden: Hidden, votes: Votes) -> np.ndarray:
    """`projected` for all votes, block by block: the rows of both sides are never in memory for all at once."""
    found = np.empty((0, 0))
    for block in blocks(len(votes), votes.rows.shape[1], _BLOCK):
        made = projected(head, hidden, votes.select(block).sides())
        if not found.size:
            found = np.empty((len(votes), made.shape[1]))
        found[block] = made
    return found


def fit_part(
    votes: Votes,
    head: Head,
    link: Link,
    l2: float | None,
    seed: int,
    names: tuple[str, ...],
    hidden: Hidden | None = None,
) -> Part:
    """Fit a head and its weights to these votes.

    Args:
        votes: at least one.
        head: learns what is below the weights.
        link: what the loss is.
        l2: strength of the penalty on the weights, or None to choose it by `choose_l2`.
        seed: of the split that chooses, and of the head.
        names: of the features, for messages.
        hidden: what is below the weights, if it was learned already.

    Raises:
        InputError: with ``l2=0`` and no finite optimum, or with too few votes to choose l2.
        NotConverged: the optimum was not reached.
    """
    if len(votes) == 0:
        raise InputError("there are no pairs to fit; the judgments rank nothing, or the link leaves all of them out")
    link.check(votes)
    if hidden is None:
        hidden = head.learn(votes, link, seed)
    contrasts = contrasts_of(head, hidden, votes)
    path: dict[float, float] = {}
    start, curvature = None, None
    if l2 is None:
        l2, path, start, curvature = choose_l2(contrasts, votes, link, seed)
    named = None if PROJECTION in hidden else head.names(names)
    separation = find_separation(contrasts, votes.tie, named, check_all=l2 == 0)
    if l2 == 0 and separation.kind != "none":
        raise InputError(
            f"with l2=0 there is no finite optimum: {separation.reason}; give l2 > 0 (a Gaussian prior on the "
            "weights), or leave out what cannot be compared"
        )
    objective = WeightObjective(contrasts, votes.tie, votes.weight, link, l2, lead=votes.lead)
    return finish(objective, votes, hidden, start, curvature, separation=separation, path=path)


def finish(
    objective: WeightObjective,
    votes: Votes,
    hidden: Hidden,
    start: np.ndarray | None = None,
    curvature: np.ndarray | None = None,
    *,
    separation: Separation | None = None,
    path: dict[float, float] | None = None,
) -> Part:
    """Minimize an objective and measure its covariances at the optimum."""
    found = objective.fit(start, curvature)
    if not found.converged:
        raise NotConverged(
            f"the fit stopped after {found.steps} steps with a gradient of {found.gradient_norm:.3g}; "
            "give a larger l2, or look for features of very different scales"
        )
    size = objective.columns
    bread = inverse(objective.hessian(found.x) + np.diag(objective.ridge))
    robust = clustered_covariance(objective.contrasts, objective.slope(found.x), bread, clusterings(votes))
    return Part(
        hidden=hidden,
        weights=found.x[:size],
        theta=found.x[size:],
        covariance=bread[:size, :size],
        errors=np.sqrt(np.maximum(np.diag(robust)[:size], 0)),
        l2=float(objective.ridge[0]) if size else 0.0,
        converged=found.converged,
        n=len(votes),
        n_effective=votes.n_effective,
        separation=separation or Separation(),
        path=path or {},
    )


def choose_l2(
    contrasts: np.ndarray, votes: Votes, link: Link, seed: int
) -> tuple[float, dict[float, float], np.ndarray, np.ndarray]:
    """The strength with the least loss on held-out contexts, from `L2_GRID` times the total weight.

    Goes from strong to weak, each fit from the one before, and ends after two in a row that are worse than the best.

    Returns:
        The strength; the loss per unit of held-out weight of each strength tried; the optimum [p + k] for the chosen
        one on the votes not held out, and its curvature, from which to start on all.
    """
    out = held_out(votes, seed)
    learned, tested = np.flatnonzero(~out), np.flatnonzero(out)
    if len(votes) > _ENOUGH:
        # A prior's precision does not depend on how many votes there are, so a part of them chooses as well as all.
        random = np.random.default_rng(seed)
        sizes = (round(_ENOUGH * (1 - HELD_OUT)), round(_ENOUGH * HELD_OUT))
        learned, tested = (random.permutation(some)[:most] for some, most in zip((learned, tested), sizes, strict=True))
    inside, outside = contrasts[learned], contrasts[tested]
    kept, judged = votes.select(learned), votes.select(tested)
    share = len(learned) / len(votes)
    path: dict[float, float] = {}
    start, curvature = None, None
    best: tuple[float, float, np.ndarray] | None = None
    worse = 0
    for l2 in L2_GRID * float(votes.weight.sum()):
        objective = WeightObjective(inside, kept.tie, kept.weight, link, float(l2), lead=kept.lead)
        found = objective.fit(start, curvature, tolerance=_LOOSE)
        start, curvature = found.x, found.curvature
        margin = judged.beyond_lead(outside @ start[: objective.columns])
        loss, _ = link.loss(margin, judged.tie, start[objective.columns :])
        path[float(l2)] = float(judged.weight @ loss / max(judged.weight.sum(), 1e-300))
        if best is None or path[float(l2)] < best[0]:
            best, worse = (path[float(l2)], float(l2), start), 0
        else:
            worse += 1
        if worse == 2:
            break
    assert best is not None
    assert curvature is not None
    return best[1], path, best[2], curvature / share
