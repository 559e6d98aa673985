"""The shares of a crowd that would give each rating, as a preference model: DPRM's distribution for every option."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from llull.encoders import Encoder
from llull.errors import InputError
from llull.judgments import Preferences
from llull.judgments.views import Options
from llull.models.distributions import CategoryModel, category_loss, shares
from llull.models.rated import once
from llull.models.utility_model import UtilityModel


@dataclass(frozen=True)
class Counted:
    """Ratings of options; options are numbered as in all views."""

    option: np.ndarray
    """int [n]"""
    level: np.ndarray
    """int [n], index into ``levels``"""
    weight: np.ndarray
    """float64 [n]"""
    judgment: np.ndarray
    """int [n]"""
    levels: np.ndarray
    """float64 [K]: the values that there are, rising"""

    @property
    def total(self) -> float:
        """The weight of all ratings."""
        return float(self.weight.sum())

    def only(self, kept: np.ndarray) -> Counted:
        """The ratings of some judgments."""
        here = kept[self.judgment]
        columns = ("option", "level", "weight", "judgment")
        return replace(self, **{name: getattr(self, name)[here] for name in columns})

    def votes(self) -> tuple[np.ndarray, np.ndarray]:
        """The options that were rated [m], and the weight of each level [m, K]."""
        rated, place = np.unique(self.option, return_inverse=True)
        many = len(self.levels)
        counts = np.bincount(place * many + self.level, self.weight, len(rated) * many)
        return rated, counts.reshape(len(rated), many)


class CrowdModel(UtilityModel):
    """Probabilities of the ordered ratings an option would get, softmax(x W + b) (DPRM, 2024).

    It is fitted to the shares of ratings, each option as much as it has ratings, by a loss of
    `llull.models.distributions.CategoryModel`. An option's utility is the expected worth of its rating, and a pair is
    decided by two raters drawn at random, an equal worth counting as a tie. That is no log-odds.

    Args:
        features: any encoder; frozen.
        loss: ``"cross_entropy"`` or ``"transport"``, which knows that levels have an order.
        worth: of each rating, lowest first; even steps from -1 to 1 if not given. It is a choice, not a finding: it
            decides how much a divided crowd is worth.
        aspect: the ratings that are read; the only aspect there is, if not given.
        prior: votes added to each level of each option.
        l2: as of `UtilityModel`.
        seed: as of `UtilityModel`.
    """

    def __init__(
        self,
        features: Encoder,
        loss: Literal["cross_entropy", "transport"] = "cross_entropy",
        *,
        worth: Sequence[float] | None = None,
        aspect: str | None = None,
        prior: float = 0.0,
        l2: float | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(features, l2=l2, seed=seed)
        CategoryModel(loss)
        if not prior >= 0:
            raise InputError(f"prior={prior} is no number of votes; give 0 or more")
        self.form: Literal["cross_entropy", "transport"] = loss
        self.worth = None if worth is None else tuple(float(one) for one in worth)
        self.aspect, self.prior = aspect, prior

    def settings(self) -> dict[str, Any]:
        """Loss, worth, aspect and prior."""
        return {"loss": self.form, "worth": self.worth, "aspect": self.aspect, "prior": self.prior}

    def evidence(self, preferences: Preferences) -> Counted:
        """Ratings."""
        return self._counted(preferences, None)

    def more_evidence(self, judgments: Preferences) -> Counted:
        """Ratings, each as the nearest of the levels of the fit."""
        return self._counted(judgments, self.arrays_["levels"])

    def _counted(self, preferences: Preferences, levels: np.ndarray | None) -> Counted:
        said = preferences.ratings(self.aspect)
        if len(said) == 0:
            raise InputError("the judgments rate nothing; without ratings, take a PreferenceModel")
        if len(said.aspects) > 1 and self.aspect is None:
            raise InputError(f"ratings are of {', '.join(sorted(said.aspects))}; say which to read as aspect")
        kept = once(said)
        levels = np.unique(said.value[kept]) if levels is None else levels
        if not 2 <= len(levels) <= 20:
            raise InputError(f"ratings have {len(levels)} different values; this model is for 2 to 20 ordered levels")
        level = np.abs(said.value[kept][:, None] - levels).argmin(axis=1)
        return Counted(said.option[kept], level, said.weight[kept], said.judgment[kept], levels)

    def learn(
        self,
        rows: np.ndarray,
        evidence: Counted,
        l2: float,
        start: dict[str, np.ndarray] | None,
        center: np.ndarray | None,
    ) -> dict[str, np.ndarray]:
        """Weights [d, K] and intercept [K]."""
        rated, votes = evidence.votes()
        model = CategoryModel(self.form, l2)
        begin = None if start is None else np.vstack([start["weights"], start["intercept"]])
        model.fit(rows[rated], votes + self.prior, votes.sum(axis=1), start=begin, center=center)
        worth = np.linspace(-1, 1, len(evidence.levels)) if self.worth is None else np.array(self.worth)
        if len(worth) != len(evidence.levels):
            raise InputError(
                f"there are {len(evidence.levels)} levels and {len(worth)} numbers of worth; give one each"
            )
        return {"weights": model.weights_, "intercept": model.intercept_, "worth": worth, "levels": evidence.levels}

    def loss(self, rows: np.ndarray, evidence: Counted, arrays: dict[str, np.ndarray]) -> float:
        """Of the shares of each option, as often as it is rated."""
        rated, votes = evidence.votes()
        value, _ = category_loss(_scores(rows[rated], arrays), shares(votes, self.prior), self.form)
        return float(votes.sum(axis=1) @ value)

    def curvature(self, rows: np.ndarray, evidence: Counted, arrays: dict[str, np.ndarray]) -> np.ndarray:
        """That of the cross-entropy, whose expectation it is under either loss."""
        rated, votes = evidence.votes()
        chances = _chances(rows[rated], arrays)
        weight, many = votes.sum(axis=1), chances.shape[1]
        width = rows.shape[1]
        total = np.zeros((width, many, width, many))
        for j in range(many):
            for k in range(j, many):
                spread = weight * chances[:, j] * ((j == k) - chances[:, k])
                total[:, j, :, k] = total[:, k, :, j] = (rows[rated] * spread[:, None]).T @ rows[rated]
        return total.reshape(width * many, width * many)

    def value(self, rows: np.ndarray, arrays: dict[str, np.ndarray]) -> np.ndarray:
        """The expected worth."""
        return _chances(rows, arrays) @ arrays["worth"]

    def slope(self, rows: np.ndarray, arrays: dict[str, np.ndarray]) -> np.ndarray:
        """p_k (worth_k - expected worth) x."""
        chances = _chances(rows, arrays)
        by_score = chances * (arrays["worth"] - (chances @ arrays["worth"])[:, None])
        return (rows[:, :, None] * by_score[:, None, :]).reshape(len(rows), -1)

    def outcomes(self, pairs: Any, annotator: str | None = None) -> np.ndarray:
        """Win, tie and loss [n, 3] between the ratings of two people drawn at random."""
        pairs, rows = self._compared(pairs)
        chances, worth = _chances(rows, self.arrays_), self.arrays_["worth"]
        winner, loser = chances[pairs.winner], chances[pairs.loser]
        sign = np.sign(worth[:, None] - worth)
        return np.stack([((winner @ (sign == s)) * loser).sum(axis=1) for s in (1, 0, -1)], axis=1)

    def chances(self, margin: np.ndarray) -> np.ndarray:
        """Not of a margin alone: see `outcomes`."""
        raise InputError("a pair is decided by two whole distributions, not by a margin; use outcomes")

    def probabilities(self, options: Options) -> np.ndarray:
        """Of each level for each option: float64 [m, K]."""
        return _chances(self._features(options), self.arrays_)


def _scores(rows: np.ndarray, arrays: dict[str, np.ndarray]) -> np.ndarray:
    return rows @ arrays["weights"] + arrays["intercept"]


def _chances(rows: np.ndarray, arrays: dict[str, np.ndarray]) -> np.ndarray:
    scores = _scores(rows, arrays)
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    return scores / scores.sum(axis=1, keepdims=True)
