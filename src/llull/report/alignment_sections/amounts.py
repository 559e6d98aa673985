"""How metrics of an alignment are written: shares as percentages, all else as decimals."""

from __future__ import annotations

import math

from llull.evaluate import Estimate
from llull.report.wording import UNKNOWN, decimal, percent, percent_interval, points, points_interval

SHARES = frozenset({"accuracy", "likelihood_accuracy", "longer_preferred", "distinct_bigrams"})
"""Metrics that are shares of something."""

_PLAIN = {
    "kl": "KL per sample",
    "kl_per_token": "KL per token",
    "chosen_log_prob": "log-probability of the better options, per token",
    "longer_preferred": "longer option preferred",
    "length": "length of samples",
}


def plain(name: str) -> str:
    """What a metric is called on the page."""
    return _PLAIN.get(name, name.replace("_", " "))


def amount(name: str, value: float) -> str:
    """A value of a metric."""
    return percent(value) if name in SHARES else decimal(value, _places(value))


def interval(name: str, found: Estimate) -> str:
    """The interval of a metric; a dash where there is none."""
    if not math.isfinite(found.low):
        return UNKNOWN
    if name in SHARES:
        return percent_interval(found)
    places = _places(found.value)
    return f"{decimal(found.low, places)} to {decimal(found.high, places)}"


def moved(name: str, change: Estimate) -> str:
    """A change of a metric with its sign; of a share, in points."""
    if name in SHARES:
        return points(change.value)
    said = decimal(change.value, _places(change.value))
    return f"+{said}" if change.value > 0 else said


def moved_interval(name: str, change: Estimate) -> str:
    """The interval of a change."""
    if name in SHARES and math.isfinite(change.low):
        return points_interval(change)
    return interval(name, change)


def _places(value: float) -> int:
    return 1 if abs(value) >= 20 else 2 if abs(value) >= 2 else 3
