"""The ratings that options come with, as features that a preference model can weigh."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from llull.encoders import Encoder
from llull.errors import InputError
from llull.judgments import Preferences
from llull.judgments.views import Options
from llull.models.aspects import mean_ratings


class RatedAspects(Encoder):
    """An option's mean rating under each aspect, as the judgments have it: nothing is predicted.

    For options that somebody rates one by one, such as a language model asked for thirteen named features (Go et al.,
    2024), a rule, or an expert: whoever rates must do so for new options too. Ratings are moved to [0, 1]; an option
    that is not rated under an aspect is at the mean of those of the fit. Ratings by the annotators whose preferences
    are predicted tell the answers.

    Args:
        aspects: those to take; all that are rated if not given.
    """

    def __init__(self, aspects: Sequence[str] | None = None) -> None:
        self.aspects = tuple(aspects or ())
        self.means: tuple[float, ...] = ()
        """Of each aspect over the options of the fit; empty before `fit`."""

    def fit(self, options: Options) -> RatedAspects:
        """Learn which aspects there are, and their means.

        Raises:
            InputError: if nothing is rated.
        """
        rated = Preferences.from_table(options.table).ratings()
        found = RatedAspects(self.aspects or rated.aspects)
        missing = [name for name in found.aspects if name not in rated.aspects]
        if missing or not found.aspects:
            there = ", ".join(rated.aspects) or "none"
            raise InputError(f"nothing is rated for {missing[0] if missing else 'any aspect'!r}; rated: {there}")
        found.means = tuple(np.nanmean(found._ratings(options), axis=0).tolist())
        return found

    def encode(self, options: Options, progress: bool = True) -> np.ndarray:
        """Mean ratings: float32 [m, aspects]."""
        if not self.means:
            raise InputError("this RatedAspects is not fitted yet; call fit first")
        found = self._ratings(options)
        return np.where(np.isnan(found), np.array(self.means), found).astype(np.float32)

    def _ratings(self, options: Options) -> np.ndarray:
        """Mean ratings in the judgments that the options come from: float64 [m, aspects], NaN where there are none."""
        rated = Preferences.from_table(options.table).ratings()
        whole = rated.options
        row, position = whole.row, whole.position
        place = {key: at for at, key in enumerate(zip(row.tolist(), position.tolist(), strict=True))}
        wanted = np.array([place[key] for key in zip(options.row.tolist(), options.position.tolist(), strict=True)])
        found = np.full((len(whole), len(self.aspects)), np.nan)
        for column, name in enumerate(self.aspects):
            if name in rated.aspects:
                option, value = mean_ratings(rated, name)
                found[option, column] = value
        return found[wanted]

    @property
    def names(self) -> tuple[str, ...]:
        """The aspects."""
        return self.aspects

    @property
    def fingerprint(self) -> str:
        """Aspects and means."""
        return f"rated({','.join(self.aspects)}; {','.join(f'{mean:.12g}' for mean in self.means)})"

    def config(self) -> dict[str, Any]:
        """Aspects and means."""
        return {"aspects": list(self.aspects), "means": list(self.means)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> RatedAspects:
        """Make it again."""
        found = cls(config["aspects"])
        found.means = tuple(config["means"])
        return found
