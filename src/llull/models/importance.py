"""What a model of any head leans on, feature by feature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llull.errors import InputError
from llull.judgments import Preferences
from llull.judgments.views import Pairs
from llull.models.model import PreferenceModel
from llull.models.votes import Sides


@dataclass(frozen=True)
class Importance:
    """How much worse pairs are predicted without what a feature says of them."""

    feature: str
    log_loss: float
    """Rise of the mean log-loss."""
    accuracy: float
    """Fall of the accuracy."""


def importances(model: PreferenceModel, preferences: Preferences | Pairs, *, draws: int = 5) -> list[Importance]:
    """Permutation importance (Breiman, 2001): each feature's values are taken from other pairs, both options' together.

    Features that say nearly the same stand in for each other, and each alone then counts little.

    Args:
        model: fitted, of any head.
        preferences: not those of the fit.
        draws: permutations that are averaged.

    Returns:
        One for each feature, the most important first.

    Raises:
        InputError: if no pair has a winner.
    """
    pairs = model.pairs(preferences)
    pairs = pairs.select(~pairs.tie & (pairs.weight > 0))
    if len(pairs) == 0:
        raise InputError("there are no pairs with a winner, so nothing is predicted better or worse")
    sides, membership = model.sides(pairs)
    random = np.random.default_rng(model.seed)

    def measure(some: Sides) -> np.ndarray:
        outcomes = model.score_sides(some, membership)
        prob = np.clip(outcomes[:, 0] + 0.5 * outcomes[:, 1], 1e-12, 1)
        right = (np.sign(prob - 0.5) + 1) / 2
        return np.array([np.average(-np.log(prob), weights=pairs.weight), np.average(right, weights=pairs.weight)])

    plain = measure(sides)
    found = []
    for column, name in enumerate(model.names_):
        moved = np.zeros(2)
        for _ in range(draws):
            order = random.permutation(len(pairs))
            winner, loser = sides.winner.copy(), sides.loser.copy()
            winner[:, column], loser[:, column] = winner[order, column], loser[order, column]
            # Half of the pairs are turned, or a feature that winners have more of would keep saying who won.
            turned = random.random(len(pairs)) < 0.5
            winner[turned, column], loser[turned, column] = loser[turned, column], winner[turned, column].copy()
            moved += measure(Sides(winner, loser, sides.context)) / draws
        found.append(Importance(name, float(moved[0] - plain[0]), float(plain[1] - moved[1])))
    return sorted(found, key=lambda one: -one.log_loss)
