"""Whole rankings as evidence of one utility for each option, as a preference model."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np

from llull.encoders import Encoder
from llull.errors import InputError
from llull.judgments import Preferences
from llull.judgments.views import Rankings
from llull.models.lists import ListLoss, ListScorer, padded
from llull.models.utility_model import UtilityModel


@dataclass(frozen=True)
class Ranked:
    """Rankings; those whose weight is 0 are not read."""

    rankings: Rankings

    @property
    def total(self) -> float:
        """The weight of all rankings."""
        return float(self.rankings.weight.sum())

    def only(self, kept: np.ndarray) -> Ranked:
        """The rankings of some judgments."""
        weight = self.rankings.weight * kept[self.rankings.judgment]
        return Ranked(replace(self.rankings, weight=weight))


class RankedModel(UtilityModel):
    """Utility u = w x, told by rankings of several options under a `ListLoss`.

    By default that of Plackett and Luce: the best is chosen first, in proportion to exp(u), then the best of the rest.
    Pairs are rankings of two, under which it is Bradley-Terry; a ranking of five counts once there, where ten pairs of
    it count as if they had been asked one by one. Of `ListLoss`, RankList's losses compare options a few places apart.

    Args:
        features: any encoder; frozen.
        loss: of a list.
        l2: as of `UtilityModel`.
        seed: as of `UtilityModel`.
    """

    def __init__(
        self, features: Encoder, loss: ListLoss | None = None, *, l2: float | None = None, seed: int = 0
    ) -> None:
        super().__init__(features, l2=l2, seed=seed)
        self.form = loss or ListLoss()

    def settings(self) -> dict[str, Any]:
        """The loss."""
        return {"loss": asdict(self.form)}

    @classmethod
    def made_of(cls, features: Encoder, settings: dict[str, Any]) -> Self:
        """A model of what `settings` gave."""
        given = dict(settings)
        loss = dict(given.pop("loss"))
        gaps = loss["gaps"]
        return cls(features, ListLoss(loss["form"], None if gaps is None else tuple(gaps)), **given)

    def evidence(self, preferences: Preferences) -> Ranked:
        """Rankings of two options or more."""
        found = preferences.rankings()
        if len(found) == 0:
            raise InputError("no judgment ranks two options or more; there is nothing to learn an order from")
        return Ranked(found)

    def learn(
        self,
        rows: np.ndarray,
        evidence: Ranked,
        l2: float,
        start: dict[str, np.ndarray] | None,
        center: np.ndarray | None,
    ) -> dict[str, np.ndarray]:
        """Weights [d]."""
        scorer = ListScorer(self.form, l2)
        scorer.fit(rows, evidence.rankings, start=None if start is None else start["weights"], center=center)
        return {"weights": scorer.weights_}

    def loss(self, rows: np.ndarray, evidence: Ranked, arrays: dict[str, np.ndarray]) -> float:
        """Of all rankings."""
        option, tier, there = padded(evidence.rankings)
        return float(evidence.rankings.weight @ self.form((rows @ arrays["weights"])[option], tier, there)[0])

    def curvature(self, rows: np.ndarray, evidence: Ranked, arrays: dict[str, np.ndarray]) -> np.ndarray:
        """By the slopes of rankings, whose mean square it is in expectation where the loss is a likelihood."""
        option, tier, there = padded(evidence.rankings)
        slope = self.form((rows @ arrays["weights"])[option], tier, there)[1] * there
        by_ranking = np.zeros((len(option), rows.shape[1]))
        for place in range(option.shape[1]):
            by_ranking += slope[:, place, None] * rows[option[:, place]]
        return by_ranking.T @ (by_ranking * evidence.rankings.weight[:, None])
