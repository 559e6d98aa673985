"""What was found when a preference model was measured, as plain values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from llull.evaluate.calibration import ReliabilityBin
from llull.evaluate.intervals import LEVEL, Estimate, nothing
from llull.evaluate.metrics import METRICS
from llull.judgments.views import Pairs

ALL = ""
"""The ``by`` of the slice that holds every pair."""
UNLABELED = "(none)"
"""The name of the slice of pairs that have no value under a key."""


@dataclass(frozen=True)
class Predictions:
    """Probabilities given to pairs that the model was not fitted on."""

    pairs: Pairs
    prob: np.ndarray
    """float64 [n], probability that ``pairs.winner`` is preferred."""
    fold: np.ndarray
    """int32 [n], the fold in which the pair was held out; 0 where there was one split."""
    cluster: np.ndarray
    """int64 [n], equal for pairs of one cluster (see `llull.evaluate.scoring.clusters`)."""
    labels: dict[str, tuple[np.ndarray, tuple[str, ...]]]
    """For each key measured by: int32 [n] codes, -1 where missing, and the names that they index."""
    rules: dict[str, np.ndarray] = field(default_factory=dict)
    """For each rule: float64 [n], its choice of 1, 0, or 0.5 where it cannot tell."""
    clustered_by: str = "context"
    """What ``cluster`` goes by, in a word."""

    @property
    def outcome(self) -> np.ndarray:
        """float64 [n]: 1 where the winner was preferred, 0.5 in a tie."""
        return np.where(self.pairs.tie, 0.5, 1.0)

    def name(self, by: str, pair: int) -> str:
        """The value of one pair under a key that was measured by."""
        codes, names = self.labels[by]
        return names[codes[pair]] if codes[pair] >= 0 else UNLABELED

    def within(self, by: str, name: str) -> np.ndarray:
        """bool [n]: the pairs of one part, named as its `Slice` is."""
        if by == ALL:
            return np.ones(len(self.prob), bool)
        codes, names = self.labels[by]
        return np.array([*names, UNLABELED], object)[codes] == name


@dataclass(frozen=True)
class Slice:
    """Every metric of one predictor on one part of the pairs."""

    by: str
    """The key that the pairs were parted by; `ALL` for all of them."""
    name: str
    """The value that these pairs have under the key."""
    n_pairs: int
    n_ties: int
    n_contexts: int
    n_undecided: int
    """Pairs given a probability of exactly 0.5."""
    scores: dict[str, Estimate]
    """By name of the metric; a rule has only those that need no probabilities."""

    def __getitem__(self, metric: str) -> Estimate:
        return self.scores.get(metric, nothing())

    def to_dict(self) -> dict[str, Any]:
        """The slice for JSON."""
        scores = {name: estimate.to_dict() for name, estimate in self.scores.items()}
        counts = {"pairs": self.n_pairs, "ties": self.n_ties, "contexts": self.n_contexts}
        return {"by": self.by, "name": self.name, **counts, "undecided": self.n_undecided, "scores": scores}


@dataclass(frozen=True)
class Worst:
    """The part of the data on which a model is least accurate."""

    by: str
    name: str
    accuracy: Estimate
    """Its interval is widened (Bonferroni) for having looked at ``among`` parts to find the lowest."""
    among: int

    def to_dict(self) -> dict[str, Any]:
        """The worst part for JSON."""
        return {"by": self.by, "name": self.name, "among": self.among, "accuracy": self.accuracy.to_dict()}


@dataclass(frozen=True)
class Evaluation:
    """How good a preference model is on pairs that it was not fitted on, for whom, and against which rules."""

    model: str
    protocol: str
    """In words: which pairs were held out, and how."""
    slices: tuple[Slice, ...]
    """All pairs first, then the parts of each key."""
    baselines: dict[str, tuple[Slice, ...]]
    """The same slices for each rule."""
    worst: tuple[Worst, ...]
    """One for each key that parts the pairs."""
    reliability: tuple[ReliabilityBin, ...]
    predictions: Predictions
    level: float = LEVEL
    tie_rule: str = field(default="accuracy leaves ties out; every other metric counts a tie as half of each answer")

    @property
    def overall(self) -> Slice:
        """All pairs."""
        return self.slices[0]

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that pairs were parted by."""
        return tuple(dict.fromkeys(part.by for part in self.slices[1:]))

    def by(self, key: str) -> tuple[Slice, ...]:
        """The parts under one key."""
        return tuple(part for part in self.slices if part.by == key)

    def best_baseline(self, by: str = ALL, name: str = "") -> tuple[str, Slice]:
        """The rule with the highest accuracy on one part, and its slice."""
        everywhere = ((rule, part) for rule, parts in self.baselines.items() for part in parts)
        found = {rule: part for rule, part in everywhere if (part.by, part.name) == (by, name)}
        if not found:
            raise ValueError(f"no rule was measured on {by}={name}; this evaluation was made without baselines")
        best = max(found, key=lambda rule: np.nan_to_num(found[rule]["accuracy"].value, nan=-1.0))
        return best, found[best]

    def to_dict(self) -> dict[str, Any]:
        """Everything but the predictions, for ``metrics.json``."""
        return {
            "model": self.model,
            "protocol": self.protocol,
            "level": self.level,
            "ties": {"count": self.overall.n_ties, "rule": self.tie_rule},
            "metrics": {name: METRICS[name].description for name in self.overall.scores},
            "slices": [part.to_dict() for part in self.slices],
            "worst": [worst.to_dict() for worst in self.worst],
            "baselines": {rule: [part.to_dict() for part in parts] for rule, parts in self.baselines.items()},
            "reliability": [found.to_dict() for found in self.reliability],
        }

    def table(self) -> Table:
        """The evaluation as a table for a terminal."""
        table = Table(title=f"{self.model}: {self.protocol}", caption=self._caption(), box=SIMPLE_HEAD, pad_edge=False)
        table.title_justify = table.caption_justify = "left"
        table.add_column("pairs of", overflow="fold")
        for head in ("pairs", f"accuracy ({self.level:.0%})", "log-loss"):
            table.add_column(head, justify="right", no_wrap=True)
        if self.baselines:
            table.add_column("best rule", justify="right")
        for part in self.slices:
            table.add_row(*self._cells(part))
        return table

    def _cells(self, part: Slice) -> Iterator[str]:
        accuracy = part["accuracy"]
        yield "all" if part.by == ALL else f"{part.by} = {part.name}"
        yield f"{part.n_pairs:,}"
        yield f"{accuracy.value:.3f} ({accuracy.low:.3f} to {accuracy.high:.3f})"
        yield f"{part['log_loss'].value:.3f}"
        if self.baselines:
            rule, measured = self.best_baseline(part.by, part.name)
            yield f"{rule} {measured['accuracy'].value:.3f}"

    def _caption(self) -> str:
        ties = f"{self.overall.n_ties:,} ties: {self.tie_rule}." if self.overall.n_ties else "There are no ties."
        return f"Intervals are clustered by {self.predictions.clustered_by}. {ties}"
