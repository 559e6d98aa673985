"""Scores of named aspects, learned from ratings, as features that a preference model can weigh."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from llull.encoders import Encoder, SentenceEncoder, encoder_from_config
from llull.errors import InputError
from llull.judgments import Preferences
from llull.judgments.record import content_hash
from llull.judgments.views import Options, Ratings
from llull.models.votes import subset

_STRENGTHS = np.logspace(-1, 6, 15)
FREE = 0.03
"""Rank correlation with the aspect taken out up to which a score counts as free of it."""


class AspectScores(Encoder):
    """An option's predicted rating under each aspect: ridge regressions on another encoder's features.

    Options may be rated under some aspects only; each regression is over those rated under its own, with the strength
    that leaves the least leave-one-out error. Ratings are moved to [0, 1]. A score may be freed of another aspect, such
    as verbosity: r_i - t r_v with the smallest t at which their rank correlation is at most 0.03 (ArmoRM, Wang et al.,
    2024). With the head `Gated`, the context says which aspects count; with `Linear`, coefficients say what all want
    (compositional preference models, Go et al., 2024); with `MLP`, the aspects are a layer in between that people can
    read (domain features, Nath et al., 2024).

    `fit` learns from the ratings among the judgments that options come from, and a model that is fitted does so on its
    own training data. Once learned, it stays as it is.

    Args:
        base: encoder whose features are read; sentence embeddings if not given.
        aspects: those to learn; all that are rated if not given.
        freed_of: take this aspect out of the others.
    """

    def __init__(
        self, base: Encoder | None = None, aspects: Sequence[str] | None = None, freed_of: str | None = None
    ) -> None:
        self.base: Encoder = base or SentenceEncoder()
        self.aspects = tuple(aspects or ())
        self.freed_of = freed_of or ""
        self.learned: dict[str, np.ndarray] = {}
        """``center`` and ``scale`` [d] of the features, ``weights`` [d, aspects], ``offset`` [aspects] and ``take_off``
        [aspects], the t of ``freed_of``; empty before `fit`."""

    @classmethod
    def learn(
        cls,
        preferences: Preferences,
        base: Encoder,
        aspects: Sequence[str] | None = None,
        *,
        freed_of: str = "",
    ) -> AspectScores:
        """Learn from these ratings now, whatever a model is fitted to later.

        Raises:
            InputError: if an aspect is not rated, or by too few options.
        """
        return cls(base, aspects, freed_of).fit(preferences.options())

    @property
    def reads_answers(self) -> bool:
        """Until it has learned: ratings are answers."""
        return not self.learned

    def fit(self, options: Options) -> AspectScores:
        """Learn from the ratings in the judgments that these options come from; itself if it has learned.

        Raises:
            InputError: if an aspect is not rated, or by too few options.
        """
        if self.learned:
            return self
        ratings = Preferences.from_table(options.table).ratings()
        wanted = self.aspects or ratings.aspects
        missing = [
            name for name in (*wanted, *([self.freed_of] if self.freed_of else [])) if name not in ratings.aspects
        ]
        if missing or not wanted:
            there = ", ".join(ratings.aspects) or "none"
            raise InputError(f"nothing is rated for {missing[0] if missing else 'any aspect'!r}; rated: {there}")
        if self.freed_of and self.freed_of not in wanted:
            wanted = (*wanted, self.freed_of)
        base = self.base.fit(ratings.options)
        used = np.unique(ratings.option)
        rows = np.zeros((len(ratings.options), len(base.names)))
        rows[used] = base.encode(subset(ratings.options, used))
        center, scale = rows[used].mean(axis=0), rows[used].std(axis=0)
        scale = np.where(scale > 0, scale, 1.0)
        rows = (rows - center) / scale
        weights, offset = np.zeros((rows.shape[1], len(wanted))), np.zeros(len(wanted))
        for column, name in enumerate(wanted):
            option, value = mean_ratings(ratings, name)
            if len(option) < _FEWEST:
                raise InputError(f"{len(option)} options are rated for {name!r}; a regression needs {_FEWEST}")
            weights[:, column], offset[column] = _ridge(rows[option], value)
        scores = rows[used] @ weights + offset
        take_off = np.zeros(len(wanted))
        if self.freed_of:
            taken = scores[:, wanted.index(self.freed_of)]
            take_off = np.array(
                [0.0 if name == self.freed_of else _share(scores[:, k], taken) for k, name in enumerate(wanted)]
            )
        found = AspectScores(base, wanted, self.freed_of)
        found.learned = {"center": center, "scale": scale, "weights": weights, "offset": offset, "take_off": take_off}
        return found

    def encode(self, options: Options, progress: bool = True) -> np.ndarray:
        """Scores of each option: float32 [m, aspects]."""
        if not self.learned:
            raise InputError("these AspectScores have not learned from ratings yet; call fit or AspectScores.learn")
        how = self.learned
        rows = (self.base.encode(options, progress).astype(np.float64) - how["center"]) / how["scale"]
        scores = rows @ how["weights"] + how["offset"]
        if self.freed_of:
            scores = scores - scores[:, [self.aspects.index(self.freed_of)]] * how["take_off"]
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
        learned = content_hash([array.tobytes().hex() for array in self.learned.values()])
        return f"aspects({','.join(self.aspects)}; {self.freed_of}; {learned}; {self.base.fingerprint})"

    def config(self) -> dict[str, Any]:
        """The encoder below and all numbers."""
        learned = {name: array.tolist() for name, array in self.learned.items()}
        return {
            "base": self.base.to_config(),
            "aspects": list(self.aspects),
            "freed_of": self.freed_of,
            "learned": learned,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> AspectScores:
        """Make them again."""
        found = cls(encoder_from_config(config["base"]), config["aspects"], config["freed_of"])
        found.learned = {name: np.asarray(array, np.float64) for name, array in config["learned"].items()}
        return found


_FEWEST = 10


def mean_ratings(ratings: Ratings, aspect: str) -> tuple[np.ndarray, np.ndarray]:
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
