"""Scores of named aspects, learned from ratings, as features that a preference model can weigh."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from llull.encoders import Encoder, encoder_from_config
from llull.errors import InputError
from llull.judgments import Preferences
from llull.judgments.views import Options

_STRENGTHS = np.logspace(-1, 6, 15)
FREE = 0.03
"""Rank correlation with the aspect taken out up to which a score counts as free of it."""


class AspectScores(Encoder):
    """An option's predicted rating under each aspect: ridge regressions on another encoder's features.

    Options may be rated under some aspects only; each regression is over those rated under its own, with the strength
    that leaves the least leave-one-out error. Ratings are moved to [0, 1]. A score may be freed of another aspect, such
    as verbosity: r_i - t r_v with the smallest t at which their rank correlation is at most 0.03 (ArmoRM, Wang et al.,
    2024). With the head `Gated`, the context says which aspects count; with `Linear`, coefficients say what all want
    (compositional preference models, 2023).

    Make one with `learn`; the arguments are what it found.

    Args:
        base: encoder whose features are read.
        aspects: names.
        center: [d], of the features.
        scale: [d], of the features.
        weights: [d, aspects].
        offset: [aspects].
        take_off: [aspects]: t, of ``freed_of``.
        freed_of: the aspect that the others are freed of; empty for none.
    """

    def __init__(
        self,
        base: Encoder | dict[str, Any],
        aspects: Sequence[str],
        center: Sequence[float],
        scale: Sequence[float],
        weights: Sequence[Sequence[float]],
        offset: Sequence[float],
        take_off: Sequence[float],
        freed_of: str = "",
    ) -> None:
        self.base = encoder_from_config(base) if isinstance(base, dict) else base
        self.aspects, self.freed_of = tuple(aspects), freed_of
        self.center, self.scale = np.asarray(center, np.float64), np.asarray(scale, np.float64)
        self.weights, self.offset = np.asarray(weights, np.float64), np.asarray(offset, np.float64)
        self.take_off = np.asarray(take_off, np.float64)

    @classmethod
    def learn(
        cls,
        preferences: Preferences,
        base: Encoder,
        aspects: Sequence[str] | None = None,
        *,
        freed_of: str = "",
    ) -> AspectScores:
        """Learn to predict ratings.

        Args:
            preferences: judgments with ratings.
            base: encoder of options.
            aspects: those to learn; all that are rated if not given.
            freed_of: take this aspect out of the others.

        Raises:
            InputError: if an aspect is not rated, or by too few options.
        """
        ratings = preferences.ratings()
        wanted = tuple(aspects or ratings.aspects)
        missing = [name for name in (*wanted, *([freed_of] if freed_of else [])) if name not in ratings.aspects]
        if missing:
            raise InputError(f"nothing is rated for {missing[0]!r}; the aspects rated: {', '.join(ratings.aspects)}")
        if freed_of and freed_of not in wanted:
            wanted = (*wanted, freed_of)
        base = base.fit(ratings.options)
        rows = base.encode(ratings.options).astype(np.float64)
        center, scale = rows.mean(axis=0), rows.std(axis=0)
        scale = np.where(scale > 0, scale, 1.0)
        rows = (rows - center) / scale
        weights, offset = np.zeros((rows.shape[1], len(wanted))), np.zeros(len(wanted))
        for column, name in enumerate(wanted):
            option, value = _mean_ratings(ratings, name)
            if len(option) < _FEWEST:
                raise InputError(f"{len(option)} options are rated for {name!r}; a regression needs {_FEWEST}")
            weights[:, column], offset[column] = _ridge(rows[option], value)
        scores = rows @ weights + offset
        take_off = np.zeros(len(wanted))
        if freed_of:
            taken = scores[:, wanted.index(freed_of)]
            take_off = np.array(
                [0.0 if name == freed_of else _share(scores[:, k], taken) for k, name in enumerate(wanted)]
            )
        lists = (center.tolist(), scale.tolist(), weights.tolist(), offset.tolist(), take_off.tolist())
        return cls(base, wanted, *lists, freed_of)

    def fit(self, options: Options) -> AspectScores:
        """Itself: it was learned from ratings."""
        return self

    def encode(self, options: Options, progress: bool = True) -> np.ndarray:
        """Scores of each option: float32 [m, aspects]."""
        rows = (self.base.encode(options, progress).astype(np.float64) - self.center) / self.scale
        scores = rows @ self.weights + self.offset
        if self.freed_of:
            scores = scores - scores[:, [self.aspects.index(self.freed_of)]] * self.take_off
        return scores.astype(np.float32)

    @property
    def encodes_contexts(self) -> bool:
        """If the encoder below does."""
        return self.base.encodes_contexts

    def encode_contexts(self, options: Options, progress: bool = True) -> np.ndarray:
        """As the encoder below."""
        return self.base.encode_contexts(options, progress)

    @property
    def names(self) -> tuple[str, ...]:
        """The aspects."""
        return self.aspects

    @property
    def fingerprint(self) -> str:
        """Of the encoder below, and what was learned."""
        learned = f"{self.weights.sum():.12g} {self.offset.sum():.12g} {self.take_off.sum():.12g}"
        return f"aspects({','.join(self.aspects)}; {self.freed_of}; {learned}; {self.base.fingerprint})"

    def config(self) -> dict[str, Any]:
        """The encoder below and all numbers."""
        numbers = {name: getattr(self, name).tolist() for name in ("center", "scale", "weights", "offset", "take_off")}
        return {"base": self.base.to_config(), "aspects": list(self.aspects), "freed_of": self.freed_of, **numbers}


_FEWEST = 10


def _mean_ratings(ratings: Any, aspect: str) -> tuple[np.ndarray, np.ndarray]:
    """The options rated under an aspect, and their mean ratings moved to [0, 1]."""
    which = ratings.aspect == ratings.aspects.index(aspect)
    option, weight = ratings.option[which], ratings.weight[which]
    low = np.nanmin([np.nanmin(ratings.low[which], initial=np.inf), ratings.value[which].min()])
    high = np.nanmax([np.nanmax(ratings.high[which], initial=-np.inf), ratings.value[which].max()])
    value = (ratings.value[which] - low) / max(high - low, 1e-12)
    known, place = np.unique(option, return_inverse=True)
    return known, np.bincount(place, weight * value) / np.bincount(place, weight)


def _ridge(rows: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights [d] and offset with the strength of the least leave-one-out error (Golub, Heath and Wahba, 1979)."""
    center, mean = rows.mean(axis=0), float(value.mean())
    u, s, vt = np.linalg.svd(rows - center, full_matrices=False)
    turned = u.T @ (value - mean)
    best, kept = np.inf, np.zeros(len(s))
    for strength in _STRENGTHS:
        shrunk = s**2 / (s**2 + strength)
        residual = (value - mean) - u @ (shrunk * turned)
        leverage = np.minimum((u**2) @ shrunk + 1 / len(value), 1 - 1e-9)
        error = float(((residual / (1 - leverage)) ** 2).mean())
        if error < best:
            best, kept = error, s / (s**2 + strength) * turned
    weights = vt.T @ kept
    return weights, mean - float(center @ weights)


def _share(score: np.ndarray, taken: np.ndarray) -> float:
    """The smallest share of another score to take off so that the two are hardly correlated."""
    steps = np.linspace(0, 3 * score.std() / max(taken.std(), 1e-12), 301)
    for step in steps:
        if float(np.asarray(spearmanr(score - step * taken, taken))[0]) <= FREE:
            return float(step)
    return float(steps[-1])
