"""What each taste or group of a fitted model says of each pair, and whose each judgment is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import softmax

from llull.judgments.views import Pairs
from llull.models import Mixture, PerGroup, PreferenceModel
from llull.models.fitting.part import Part
from llull.models.fitting.uncertainty import margin_variance
from llull.models.populations.population import Membership
from llull.models.votes import Sides, blocks

MOST = 6
"""Communities that are told of; the largest are."""
_ROUNDS = 50


@dataclass(frozen=True)
class Tastes:
    """The parts of a model as they see some pairs; n pairs, k parts in the order of their shares."""

    model: PreferenceModel
    pairs: Pairs
    """All with a winner that the model's link reads."""
    sides: Sides
    names: tuple[str, ...]
    parts: tuple[Part, ...]
    margin: np.ndarray
    """float64 [n, k]"""
    prob: np.ndarray
    """float64 [n, k]: of the winner, ties counted half."""
    expected: np.ndarray
    """float64 [n, k]: how likely each part is for each pair, before what was said of it is looked at."""
    belongs: np.ndarray
    """float64 [n, k]: how likely each part is for whoever judged, given all they said."""
    unit: np.ndarray
    """int64 [n]: who or what belongs to a part: an annotator, or a judgment where annotators are unknown."""
    of_people: bool
    likelihood: np.ndarray | None
    """float64 [units, k]: log-likelihood of all that each unit said, of tastes that were found without contexts."""

    @property
    def by_context(self) -> bool:
        """Whether contexts say how likely each taste is."""
        return isinstance(self.model.population, Mixture) and self.model.population.routed

    def units(self) -> np.ndarray:
        """How likely each part is for each unit: float64 [units, k]."""
        found = np.zeros((int(self.unit.max()) + 1, len(self.names)))
        found[self.unit] = self.belongs
        return found

    def contrasts(self, part: int, block: slice) -> np.ndarray:
        """What some pairs look like to a part's weights."""
        return self.parts[part].contrasts(self.model.head, self.sides.select(block))

    def variance(self, part: int, rows: np.ndarray) -> np.ndarray:
        """Of ``rows @ weights`` [q] for rows [q, p]."""
        return margin_variance(rows, self.parts[part], self.model.parts_.shared)

    def gathered(self, part: int, combine: Callable[[slice], np.ndarray | csr_matrix]) -> np.ndarray:
        """Weighted sums of contrasts [q, p], block by block; ``combine`` gives the weights [q, rows of a block]."""
        total: np.ndarray | None = None
        for block in blocks(len(self.pairs), max(self.sides.winner.shape[1], len(self.parts[part].weights))):
            found = np.asarray(combine(block) @ self.contrasts(part, block))
            total = found if total is None else total + found
        assert total is not None
        return total


def has_tastes(model: PreferenceModel) -> bool:
    """Whether a fitted model has a few parts that are somebody's: tastes found, or named groups."""
    return isinstance(model.population, (Mixture, PerGroup)) and len(model.parts_.members) > 1


def read_tastes(model: PreferenceModel, pairs: Pairs) -> Tastes:
    """Read the parts of a model that `has_tastes` on some pairs, all read by its link."""
    sides, membership = model.sides(pairs)
    population, parts = model.population, model.parts_
    about = sides.context if population.reads_context else None
    belongs = np.empty((0, 0))
    if isinstance(population, Mixture):
        expected = population.shares(parts, Membership(np.full(len(pairs), -1), ()), about)
        order = np.argsort(-expected.mean(axis=0), kind="stable")
    else:
        where = np.full(len(membership.names) + 1, -1)
        known = list(parts.members)
        where[: len(membership.names)] = [known.index(name) if name in known else -1 for name in membership.names]
        belongs = np.eye(len(known))[where[membership.codes]] * (where[membership.codes] >= 0)[:, None]
        share = belongs.sum(axis=0) / max(belongs.sum(), 1)
        expected = np.broadcast_to(share, belongs.shape)
        order = np.argsort(-share, kind="stable")
    order = order[:MOST]
    chosen = [list(parts.members)[k] for k in order]
    margin, prob, loss = [], [], []
    for name in chosen:
        part = parts.members[name]
        found = np.concatenate(
            [part.contrasts(model.head, sides.select(b)) @ part.weights for b in blocks(len(sides), len(part.weights))]
        )
        outcomes = model.link.outcomes(found, part.theta)
        margin.append(found)
        prob.append(outcomes[:, 0] + 0.5 * outcomes[:, 1])
        loss.append(pairs.weight * model.link.loss(found, pairs.tie, part.theta)[0])
    expected = expected[:, order] / np.maximum(expected[:, order].sum(axis=1, keepdims=True), 1e-300)
    people = bool((pairs.annotator >= 0).all())
    likelihood = None
    if isinstance(population, Mixture):
        people = people and not population.routed
        unit = _numbered(pairs.annotator if people else pairs.judgment)
        likelihood = np.stack([np.bincount(unit, -one) for one in loss], axis=1)
        belongs = softmax(np.log(np.maximum(expected, 1e-300)) + likelihood[unit], axis=1)
        names = tuple(f"Community {i + 1}" if people else f"Kind {i + 1}" for i in range(len(chosen)))
    else:
        belongs = belongs[:, order]
        unit = _numbered(pairs.annotator if people else pairs.judgment)
        names = tuple(chosen)
    return Tastes(
        model,
        pairs,
        sides,
        names,
        tuple(parts.members[name] for name in chosen),
        np.stack(margin, axis=1),
        np.stack(prob, axis=1),
        expected,
        belongs,
        unit,
        people,
        None if isinstance(population, Mixture) and population.routed else likelihood,
    )


def share_draws(tastes: Tastes, draws: int, seed: int) -> np.ndarray:
    """Shares of the parts in samples of units drawn again, whole contexts at a time where units are judgments.

    Judgments that all have one context are drawn one by one.

    The shares of tastes that were found are those most likely to give what each unit said, as if it were known what
    each taste wants. float64 [1 + draws, k]; the first row is of all units as they are.
    """
    random = np.random.default_rng(seed)
    units = tastes.units()
    cluster = np.arange(len(units))
    if not tastes.of_people and len(np.unique(tastes.pairs.context)) > 1:
        cluster[tastes.unit] = tastes.pairs.context
        cluster = _numbered(cluster)
    found = []
    for draw in range(1 + draws):
        drawn = (
            np.ones(cluster.max() + 1)
            if draw == 0
            else random.multinomial(cluster.max() + 1, np.full(cluster.max() + 1, 1 / (cluster.max() + 1)))
        )
        weight = drawn[cluster].astype(float)
        if tastes.likelihood is None:
            share = weight @ units
        else:
            share = np.full(len(tastes.names), 1 / len(tastes.names))
            for _ in range(_ROUNDS):
                share = weight @ softmax(np.log(np.maximum(share, 1e-300)) + tastes.likelihood, axis=1)
                share = share / max(share.sum(), 1e-300)
        found.append(share / max(share.sum(), 1e-300))
    return np.stack(found)


def _numbered(codes: np.ndarray) -> np.ndarray:
    return np.unique(codes, return_inverse=True)[1]
