"""Annotators in two dimensions: where each one's judgments put them among the tastes of a model."""

from __future__ import annotations

import numpy as np

from llull.judgments.views import Pairs
from llull.models import PreferenceModel
from llull.models.links import Link
from llull.models.votes import blocks
from llull.report.people_content import Landmark, PeopleMap, Person
from llull.runs.tastes import Tastes
from llull.runs.wants import leanings

_DRAWN = 250
_DIRECTIONS_FROM = 5_000
_STEPS = 30
_RIGHT = "agrees more with what all communities want"


def map_of_tastes(tastes: Tastes, seed: int) -> PeopleMap | None:
    """Annotators among a few tastes or groups; None where it is not known who judged."""
    pairs = tastes.pairs
    if not (pairs.annotator >= 0).all():
        return None
    share = tastes.expected.mean(axis=0)
    mean, along, place, told = directions(tastes.margin, share)
    across = leanings(tastes, along[:, 0])
    if len(share) == 2:
        side = 0 if place[0, 0] > place[1, 0] else 1
        across = f"more as {tastes.names[side]}" + (f" ({across})" if across else "")
        up, along = _RIGHT, np.stack([along[:, 0], mean], axis=1)
        place = np.stack([place[:, 0], np.zeros(2)], axis=1)
    else:
        up = leanings(tastes, along[:, 1])
    people = _placed(mean, along, pairs, tastes.model.link, tastes.parts[0].theta, tastes.belongs, seed)
    marks = [Landmark(name, x, y) for name, (x, y) in zip(tastes.names, place.tolist(), strict=True)]
    count = len(np.unique(pairs.annotator))
    return PeopleMap(people, count, across, up, told, tuple(marks))


def map_of_members(model: PreferenceModel, pairs: Pairs, seed: int) -> PeopleMap | None:
    """Annotators whose weights are their own, by the two directions in which these differ most."""
    shared = model.parts_.shared
    known = [name for name in model.parts_.members if name in set(pairs.annotators)]
    if shared is None or len(known) < 3:
        return None
    random = np.random.default_rng(seed)
    sides, _ = model.sides(pairs)
    some = np.sort(random.permutation(len(pairs))[:_DIRECTIONS_FROM])
    contrasts = shared.contrasts(model.head, sides.select(some))
    weights = np.stack([model.parts_.members[name].weights for name in known], axis=1)
    if weights.shape[0] != contrasts.shape[1]:
        return None
    center = weights.mean(axis=1)
    _, _, place, told = directions(contrasts @ weights, np.full(len(known), 1 / len(known)))
    # The same directions in weights, so that they hold for all pairs: weights - center = turned @ place^T.
    turned = (weights - center[:, None]) @ np.linalg.pinv(place.T)
    along = np.concatenate(
        [
            shared.contrasts(model.head, sides.select(b)) @ np.column_stack([center, turned])
            for b in blocks(len(sides), len(center))
        ]
    )
    belongs = np.zeros((len(pairs), 1))
    people = _placed(along[:, 0], along[:, 1:], pairs, model.link, shared.theta, belongs, seed)
    return PeopleMap(people, len(np.unique(pairs.annotator)), "", "", told)


def directions(margin: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """The two directions in which tastes differ most.

    Args:
        margin: of each pair in each taste [n, k].
        share: of each taste [k].

    Returns:
        The mean margin [n]; the directions as margins [n, 2], of zeros where tastes differ in one alone; where each
        taste lies on them [k, 2], with variance 1 over the shares; and the share of the variance of margins shown.
    """
    share = share / share.sum()
    mean = margin @ share
    u, s, v = np.linalg.svd((margin - mean[:, None]) * np.sqrt(share), full_matrices=False)
    along, place = np.zeros((len(margin), 2)), np.zeros((len(share), 2))
    for j in range(min(2, len(s))):
        if s[j] > 1e-9 * max(s[0], 1e-300):
            # The first taste lies to the right and above, so that a map does not depend on the sign of a solver.
            sign = 1.0 if v[j, 0] >= 0 else -1.0
            along[:, j], place[:, j] = sign * u[:, j] * s[j], sign * v[j] / np.sqrt(share)
    return mean, along, place, float((s[:2] ** 2).sum() / max((s**2).sum(), 1e-300))


def position(
    mean: np.ndarray, along: np.ndarray, tie: np.ndarray, weight: np.ndarray, link: Link, theta: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where one person's judgments put them, t, and its covariance: the mode of

        sum_i weight_i * loss(mean_i + along_i . t)  +  |t|^2 / 2

    by Newton's method, and the inverse of its curvature.
    """
    t = np.zeros(2)
    curved = np.eye(2)
    for _ in range(_STEPS):
        margin = mean + along @ t
        slope = link.loss(margin, tie, theta)[1][:, 0] * weight
        bend = link.information(margin, tie, theta)[:, 0, 0] * weight
        curved = (along * bend[:, None]).T @ along + np.eye(2)
        step = np.linalg.solve(curved, along.T @ slope + t)
        t = t - step * min(1.0, 1.0 / max(float(np.abs(step).max()), 1e-12))
        if float(np.abs(step).max()) < 1e-6:
            break
    return t, np.linalg.inv(curved)


def _placed(
    mean: np.ndarray,
    along: np.ndarray,
    pairs: Pairs,
    link: Link,
    theta: np.ndarray,
    belongs: np.ndarray,
    seed: int,
) -> tuple[Person, ...]:
    known = np.unique(pairs.annotator[pairs.annotator >= 0])
    drawn = np.sort(np.random.default_rng(seed).permutation(known)[:_DRAWN])
    found = []
    for code in drawn:
        mine = np.flatnonzero(pairs.annotator == code)
        at, spread = position(mean[mine], along[mine], pairs.tie[mine], pairs.weight[mine], link, theta)
        errors = np.sqrt(np.diag(spread))
        found.append(
            Person(
                float(at[0]),
                float(at[1]),
                float(errors[0]),
                float(errors[1]),
                float(spread[0, 1] / (errors[0] * errors[1])),
                len(mine),
                int(belongs[mine].sum(axis=0).argmax()) if belongs.shape[1] > 1 else -1,
            )
        )
    return tuple(found)
