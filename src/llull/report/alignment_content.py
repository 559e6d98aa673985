"""What the report of an alignment is made of: plain numbers and texts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from llull.evaluate import Estimate
from llull.report.content import Reproduction

GENERATION: Mapping[str, str] = {
    "kl": "divergence of the policy from the reference on its own samples, in nats per sample",
    "kl_per_token": "the same in nats per token",
    "length": "mean length of a sample, in tokens",
    "distinct_bigrams": "share of bigrams that differ from each other: a measure of diversity",
}
"""What is measured on samples and means something to the headline and the warnings."""


@dataclass(frozen=True)
class Sample:
    """What the policy wrote on one context before and after."""

    context: str
    before: str
    after: str


@dataclass(frozen=True)
class AlignmentReport:
    """Everything that the report of an alignment shows. What is not there is left out, or said to be missing."""

    title: str
    policy: str
    objective: str
    formula: str
    source: str
    """The publication of the objective."""
    reference: str
    """What the reference is, with its fingerprint."""
    before: Mapping[str, Estimate] = field(default_factory=dict)
    """By metric, on held-out judgments; empty where nothing was held out."""
    after: Mapping[str, Estimate] = field(default_factory=dict)
    """The same for the policy that was kept."""
    meanings: Mapping[str, str] = field(default_factory=dict)
    """Metric -> meaning in words."""
    updates: Sequence[Mapping[str, float]] = ()
    """One for each update, in order."""
    evaluations: Sequence[Mapping[str, float]] = ()
    """One for each evaluation, in order."""
    best: int | None = None
    """The update after which the best evaluation was made."""
    stopped: str = ""
    """Why training ended before its last update, if it did."""
    samples: Sequence[Sample] = ()
    generation: Mapping[str, tuple[Estimate, Estimate]] = field(default_factory=dict)
    """What was measured on samples, before and after, by the names of `GENERATION` or others."""
    changes: Mapping[str, Estimate] = field(default_factory=dict)
    """After minus before, by metric, taken judgment by judgment. Where it is missing, bounds are taken instead."""
    notes: Sequence[str] = ()
    """What was cut and left out."""
    settings: Mapping[str, str] = field(default_factory=dict)
    reproduction: Reproduction | None = None

    def change(self, name: str) -> Estimate | None:
        """By how much a metric of the held-out judgments changed; None where it is not known."""
        if name not in self.before or name not in self.after:
            return None
        if name in self.changes:
            return self.changes[name]
        return difference(self.before[name], self.after[name])

    def generated_change(self, name: str) -> Estimate | None:
        """By how much something measured on samples changed; None where it was not measured."""
        return difference(*self.generation[name]) if name in self.generation else None


def difference(before: Estimate, after: Estimate) -> Estimate:
    """After minus before, when nothing is known of how the two depend on each other.

    The ends are those of one interval minus the opposite ends of the other, and the standard error is the sum of both.
    Whatever the dependence, it is at most that, so the interval is wide rather than wrong.
    """
    return Estimate(
        after.value - before.value,
        after.low - before.high,
        after.high - before.low,
        before.error + after.error,
        min(before.n, after.n),
        min(before.clusters, after.clusters),
    )


def clearly_above(estimate: Estimate | None, value: float = 0.0) -> bool:
    """Whether the whole interval lies above a value; never where there is none."""
    return estimate is not None and estimate.low > value


def clearly_below(estimate: Estimate | None, value: float = 0.0) -> bool:
    """Whether the whole interval lies below a value; never where there is none."""
    return estimate is not None and estimate.high < value


def known(estimate: Estimate | None) -> bool:
    """Whether there is a value at all."""
    return estimate is not None and math.isfinite(estimate.value)
