"""Intervals that hold when judgments of one context resemble each other.

Ten votes on one prompt are not ten independent facts. Every interval here treats a cluster (as a rule, a
context) as the unit that was drawn, and leaves free how the judgments within it depend on each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

LEVEL = 0.95
RESAMPLES = 400
_DRAWN_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Estimate:
    """A number with its interval. Whatever the data cannot tell is NaN."""

    value: float
    low: float
    high: float
    error: float
    """Standard error."""
    n: int
    """Pairs that it rests on."""
    clusters: int
    """Contexts that those pairs come from."""

    def to_dict(self) -> dict[str, Any]:
        """The estimate for JSON, with null where the data cannot tell."""
        numbers = {"value": self.value, "low": self.low, "high": self.high, "error": self.error}
        finite = {name: number if math.isfinite(number) else None for name, number in numbers.items()}
        return {**finite, "n": self.n, "clusters": self.clusters}

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> Estimate:
        """The estimate that `to_dict` wrote."""
        value, low, high, error = (
            math.nan if found[name] is None else found[name] for name in ("value", "low", "high", "error")
        )
        return cls(value, low, high, error, found["n"], found["clusters"])


def nothing() -> Estimate:
    """The estimate of something on which there are no data."""
    return Estimate(math.nan, math.nan, math.nan, math.nan, 0, 0)


def mean_interval(
    values: np.ndarray,
    cluster: np.ndarray,
    weight: np.ndarray | None = None,
    *,
    level: float = LEVEL,
    share: bool = False,
) -> Estimate:
    """Weighted mean with a cluster-robust interval.

    The mean is the ratio ``m = sum(w v) / sum(w)``. Its variance is ``C / (C - 1) * sum over clusters of r^2``, where
    ``r = sum over the cluster of w (v - m) / sum(w)`` and C is the number of clusters (linearized ratio estimator;
    Cochran 1977, Sampling Techniques, section 6.3). The interval takes quantiles of Student's t with C - 1 degrees
    of freedom.

    Args:
        values: float [n]; NaN leaves a pair out.
        cluster: integer [n], equal for pairs that belong together.
        weight: float [n] of at least 0; all 1 by default.
        level: the share of repetitions in which the interval should hold the truth.
        share: the values lie in [0, 1]. The interval is then Wilson's, with the number of observations that would
            give the same variance, so that it stays within [0, 1] and has a width even at 0 and 1.
    """
    weight = np.ones(len(values)) if weight is None else weight
    used = ~np.isnan(values) & (weight > 0)
    values, weight, codes = values[used], weight[used], np.unique(cluster[used], return_inverse=True)[1]
    total = weight.sum()
    if total == 0:
        return nothing()
    mean = float(weight @ values / total)
    residual = np.bincount(codes, weight * (values - mean)) / total
    clusters = len(residual)
    if clusters < 2:
        return Estimate(mean, math.nan, math.nan, math.nan, len(values), clusters)
    variance = float(clusters / (clusters - 1) * (residual @ residual))
    quantile = float(stats.t.ppf(0.5 + level / 2, clusters - 1))
    error = math.sqrt(variance)
    low, high = mean - quantile * error, mean + quantile * error
    if share:
        size = _effective_size(mean, variance, np.bincount(codes, weight))
        low, high = _wilson(mean, size, quantile)
    return Estimate(mean, low, high, error, len(values), clusters)


def influence_interval(value: float, influence: np.ndarray, cluster: np.ndarray, *, level: float = LEVEL) -> Estimate:
    """Interval of an estimate whose error is, to first order, the sum of one term per pair (a sandwich variance).

    Args:
        value: the estimate.
        influence: float [n], the pair's term.
        cluster: integer [n].
        level: see `mean_interval`.
    """
    codes = np.unique(cluster, return_inverse=True)[1]
    sums = np.bincount(codes, influence)
    clusters = len(sums)
    if clusters < 2 or not math.isfinite(value):
        return Estimate(value, math.nan, math.nan, math.nan, len(influence), clusters)
    error = math.sqrt(clusters / (clusters - 1) * float(sums @ sums))
    quantile = float(stats.t.ppf(0.5 + level / 2, clusters - 1))
    return Estimate(value, value - quantile * error, value + quantile * error, error, len(influence), clusters)


def bootstrap_interval(
    sums: np.ndarray,
    cluster: np.ndarray,
    statistic: Callable[[np.ndarray], np.ndarray],
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
    floor: float = -math.inf,
) -> Estimate:
    """Interval of a statistic of sums, by drawing whole clusters with replacement.

    Only the sums of each cluster are drawn, so the work does not grow with the number of pairs in a cluster. The
    interval is the basic one, ``2 v - quantiles``, which takes back the bias that drawing again adds.

    Args:
        sums: float [n, m], the addends of each pair.
        cluster: integer [n].
        statistic: turns totals [b, m] into values [b].
        level: see `mean_interval`.
        resamples: how often to draw.
        seed: of the draws.
        floor: the lowest value that the statistic can have.
    """
    codes = np.unique(cluster, return_inverse=True)[1]
    if len(codes) == 0:
        return nothing()
    clusters = int(codes.max()) + 1
    per_cluster = np.stack([np.bincount(codes, column, clusters) for column in sums.T], axis=1)
    value = float(statistic(per_cluster.sum(axis=0, keepdims=True))[0])
    if clusters < 2:
        return Estimate(value, math.nan, math.nan, math.nan, len(sums), clusters)
    generator = np.random.default_rng(seed)
    at_once = max(1, _DRAWN_AT_ONCE // clusters)
    drawn = [
        statistic(_draw(per_cluster, min(at_once, resamples - done), generator))
        for done in range(0, resamples, at_once)
    ]
    values = np.concatenate(drawn)
    lower, upper = np.nanquantile(values, [0.5 - level / 2, 0.5 + level / 2])
    low, high = max(floor, 2 * value - upper), max(floor, 2 * value - lower)
    return Estimate(value, float(low), float(high), float(np.nanstd(values, ddof=1)), len(sums), clusters)


def _draw(per_cluster: np.ndarray, times: int, generator: np.random.Generator) -> np.ndarray:
    clusters = len(per_cluster)
    chosen = generator.integers(0, clusters, (times, clusters))
    chosen += np.arange(times)[:, None] * clusters
    count = np.bincount(chosen.ravel(), minlength=times * clusters).reshape(times, clusters)
    return count @ per_cluster


def _effective_size(mean: float, variance: float, cluster_weight: np.ndarray) -> float:
    spread = mean * (1 - mean)
    if spread > 0 and variance > 0:
        return spread / variance
    if spread > 0:
        # Every value is the same and lies inside (0, 1), as for a rule that never decides: nothing varies.
        return math.inf
    return float(cluster_weight.sum() ** 2 / (cluster_weight @ cluster_weight))


def _wilson(mean: float, size: float, quantile: float) -> tuple[float, float]:
    if math.isinf(size):
        return mean, mean
    squared = quantile**2 / size
    center = (mean + squared / 2) / (1 + squared)
    half = math.sqrt(squared * (mean * (1 - mean) + squared / 4)) / (1 + squared)
    return max(0.0, center - half), min(1.0, center + half)
