"""Rules so simple that a preference model must beat them, with the same face as a model.

A rule says 1, 0 or, where it cannot tell, 0.5; rules about texts cannot tell where an option is known only by name.
These are choices and not probabilities, so rules are compared by accuracy and never by log-loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llull.judgments import Preferences
from llull.judgments.views import Pairs

MARKDOWN = "|".join(
    [
        r"(?m)^#{1,6} |^\s*[-*+] |^\s*\d+[.)] |^\s*>|^\s*```|^\s*\|",
        r"\*\*[^*\n]+\*\*|__[^_\n]+__|`[^`\n]+`|\[[^\]\n]+\]\([^)\n]+\)",
    ]
)
"""Headings, list items, quotes, code fences, table rows, bold text, inline code and links."""


@runtime_checkable
class Baseline(Protocol):
    """A rule that chooses between two options."""

    name: str
    description: str
    learns: bool
    """Whether the rule needs training data."""

    def fit(self, preferences: Preferences) -> Self:
        """Learn what the rule needs from training data; most need nothing."""
        ...

    def prob(self, pairs: Pairs) -> np.ndarray:
        """float64 [n]: 1 where the rule prefers ``pairs.winner``, 0 where the loser, 0.5 where it cannot tell."""
        ...


class _Ruled:
    """A rule that needs no training."""

    learns = False

    def fit(self, preferences: Preferences) -> Self:
        return self


@dataclass
class Longest(_Ruled):
    """Prefers the option with more characters."""

    name: str = "longest"
    description: str = "the option with more characters"

    def prob(self, pairs: Pairs) -> np.ndarray:
        """See `Baseline.prob`."""
        return _more(_lengths(pairs), pairs)


@dataclass
class Shortest(_Ruled):
    """Prefers the option with fewer characters."""

    name: str = "shortest"
    description: str = "the option with fewer characters"

    def prob(self, pairs: Pairs) -> np.ndarray:
        """See `Baseline.prob`."""
        return _more(-_lengths(pairs), pairs)


@dataclass
class FirstShown(_Ruled):
    """Prefers the option that the annotator saw first; cannot tell where the order is not recorded."""

    name: str = "first shown"
    description: str = "the option that was shown first"

    def prob(self, pairs: Pairs) -> np.ndarray:
        """See `Baseline.prob`."""
        return 0.5 + 0.5 * np.sign(pairs.side.astype(np.float64))


@dataclass
class MostMarkdown(_Ruled):
    """Prefers the option with more marks of Markdown (see `MARKDOWN`)."""

    name: str = "most markdown"
    description: str = "the option with more headings, lists, bold text, code and links"

    def prob(self, pairs: Pairs) -> np.ndarray:
        """See `Baseline.prob`."""
        options = pc.MatchSubstringOptions(MARKDOWN)
        marks = pc.call_function("count_substring_regex", [pa.array(pairs.options.texts(), pa.string())], options)
        return _more(_of_texts(marks.to_numpy(zero_copy_only=False), pairs), pairs)


class MajoritySource:
    """Prefers the option whose source (model or author) won the larger share of its decided training pairs.

    Cannot tell where an option has no source, where its source is new, or where the shares are equal.
    """

    name = "majority source"
    description = "the option whose source won more often in the training data"
    learns = True

    def __init__(self) -> None:
        self.win_rate_: dict[str, float] = {}

    def fit(self, preferences: Preferences) -> Self:
        """Count how often each source won."""
        pairs = preferences.pairs()
        names, codes = _sources(pairs)
        decided = ~pairs.tie
        weight = pairs.weight[decided]
        winner, loser = codes[pairs.winner[decided]], codes[pairs.loser[decided]]
        # A source says nothing when it meets itself, and options without one are numbered -1.
        counted = (winner != loser) & (winner >= 0) & (loser >= 0)
        winner, loser, weight = winner[counted], loser[counted], weight[counted]
        won = np.bincount(winner, weight, len(names))
        met = won + np.bincount(loser, weight, len(names))
        self.win_rate_ = {name: float(w / m) for name, w, m in zip(names, won, met, strict=True) if m > 0}
        return self

    def prob(self, pairs: Pairs) -> np.ndarray:
        """See `Baseline.prob`."""
        names, codes = _sources(pairs)
        rate = np.array([self.win_rate_.get(name, np.nan) for name in names] + [np.nan])[codes]
        return _more(rate, pairs)


def trivial_baselines() -> tuple[Baseline, ...]:
    """All rules, unfitted."""
    return (Longest(), Shortest(), FirstShown(), MostMarkdown(), MajoritySource())


def _more(score: np.ndarray, pairs: Pairs) -> np.ndarray:
    difference = (score[pairs.winner] - score[pairs.loser]).astype(np.float64)
    return 0.5 + 0.5 * np.sign(np.where(np.isnan(difference), 0.0, difference))


def _lengths(pairs: Pairs) -> np.ndarray:
    lengths = pc.call_function("utf8_length", [pa.array(pairs.options.texts(), pa.string())])
    return _of_texts(lengths.to_numpy(zero_copy_only=False), pairs)


def _of_texts(counts: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Counts, NaN for an option known only by name: how long its name is says nothing of how long it is."""
    return np.where(pairs.options.with_text, counts.astype(np.float64), np.nan)


def _sources(pairs: Pairs) -> tuple[tuple[str, ...], np.ndarray]:
    """Names of sources, and for each option its index among them, -1 where it has none."""
    encoded = pa.array(pairs.options.sources, pa.string()).dictionary_encode()
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return tuple(encoded.dictionary.to_pylist()), codes
