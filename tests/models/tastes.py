"""Simulated annotators of several tastes, and encoders that know contexts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from llull.encoders import Encoder
from llull.judgments import Judgment, Preferences, named_option, prompt
from llull.judgments.views import Options


class TableWithContexts(Encoder):
    """Features of options by name, and of contexts by text."""

    def __init__(self, rows: Sequence[Sequence[float]], contexts: Sequence[Sequence[float]]) -> None:
        self.rows, self.contexts = np.asarray(rows, np.float32), np.asarray(contexts, np.float32)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"f{j}" for j in range(self.rows.shape[1]))

    @property
    def fingerprint(self) -> str:
        return f"{float(self.rows.sum())} {float(self.contexts.sum())}"

    @property
    def encodes_contexts(self) -> bool:
        return True

    def encode(self, options: Options, progress: bool = True) -> np.ndarray:
        return self.rows[[int(str(name)[1:]) for name in options.sources]]

    def encode_contexts(self, options: Options, progress: bool = True) -> np.ndarray:
        return self.contexts[[int(text.split()[-1]) for text in options.contexts()]]

    def config(self) -> dict[str, Any]:
        return {"rows": self.rows.tolist(), "contexts": self.contexts.tolist()}


class Crowd:
    """Annotators whose weights are known, and their votes on fresh options under fresh contexts.

    Args:
        weights: of each annotator [a, d].
        votes: of each annotator.
        seed: of options and noise.
        context_width: numbers of each context.
        by_context: instead of annotators' weights, weights [n, d] from contexts [n, e].
    """

    def __init__(
        self, weights: np.ndarray, votes: int, seed: int, *, context_width: int = 2, by_context: Any = None
    ) -> None:
        rng = np.random.default_rng(seed)
        people, width = weights.shape
        n = people * votes
        self.annotator = np.repeat(np.arange(people), votes)
        self.rows = rng.normal(size=(2 * n, width))
        self.contexts = rng.normal(size=(n, context_width))
        own = weights[self.annotator] if by_context is None else by_context(self.contexts)
        self.margin = ((self.rows[::2] - self.rows[1::2]) * own).sum(1)
        self.first_wins = rng.random(n) < 1 / (1 + np.exp(-self.margin))

    @property
    def encoder(self) -> TableWithContexts:
        return TableWithContexts(self.rows.tolist(), self.contexts.tolist())

    def preferences(self, which: np.ndarray | None = None, named: bool = True) -> Preferences:
        made = []
        for i in np.arange(len(self.annotator)) if which is None else which:
            options = [named_option(f"o{2 * i}"), named_option(f"o{2 * i + 1}")]
            ranking = [[0], [1]] if self.first_wins[i] else [[1], [0]]
            who = f"a{self.annotator[i]}" if named else None
            made.append(Judgment(options, prompt(f"context {i}"), ranking=ranking, annotator=who))
        return Preferences.from_judgments(made)

    def split(self, share: float = 0.75) -> tuple[np.ndarray, np.ndarray]:
        """Of each annotator, the first votes and the rest."""
        place = np.arange(len(self.annotator)) % (len(self.annotator) // len(np.unique(self.annotator)))
        first = place < share * (place.max() + 1)
        return np.flatnonzero(first), np.flatnonzero(~first)
