import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.regression.linear_model import WLS
from statsmodels.stats.proportion import proportion_confint

from llull.evaluate import bootstrap_interval, mean_interval
from llull.evaluate.intervals import influence_interval


def clustered_shares(generator, clusters=80, mean_size=6):
    """Right or wrong answers of which those of one cluster resemble each other; the true mean is 0.6."""
    size = 1 + generator.poisson(mean_size, clusters)
    cluster = np.repeat(np.arange(clusters), size)
    share = generator.beta(0.6 * 2, 0.4 * 2, clusters)
    return (generator.random(len(cluster)) < share[cluster]).astype(float), cluster


def test_clustered_error_equals_that_of_statsmodels():
    generator = np.random.default_rng(0)
    values, cluster = clustered_shares(generator)
    weight = generator.random(len(values)) + 0.1
    fit = WLS(values, np.ones(len(values)), weights=weight).fit(
        cov_type="cluster", cov_kwds={"groups": cluster, "use_correction": False}
    )
    clusters = len(np.unique(cluster))
    ours = mean_interval(values, cluster, weight)
    assert ours.value == pytest.approx(fit.params[0])
    assert ours.error == pytest.approx(fit.bse[0] * math.sqrt(clusters / (clusters - 1)))


def test_clusters_of_one_give_the_classical_interval_of_a_mean():
    values = np.random.default_rng(1).normal(3, 2, 50)
    ours = mean_interval(values, np.arange(50))
    low, high = stats.t.interval(0.95, 49, values.mean(), stats.sem(values))
    assert (ours.low, ours.high) == pytest.approx((low, high))


def test_share_is_wilsons_interval_where_pairs_are_independent():
    values = np.zeros(5000)
    values[:3100] = 1
    ours = mean_interval(values, np.arange(5000), share=True)
    expected = proportion_confint(3100, 5000, method="wilson")
    assert (ours.low, ours.high) == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("share", [False, True])
def test_intervals_cover_the_truth_as_often_as_they_say(share):
    generator = np.random.default_rng(2)
    naive = covered = 0
    repeats = 1000
    for _ in range(repeats):
        values, cluster = clustered_shares(generator)
        ours = mean_interval(values, cluster, share=share)
        covered += ours.low <= 0.6 <= ours.high
        half = 1.96 * values.std() / math.sqrt(len(values))
        naive += abs(values.mean() - 0.6) <= half
    # Three standard errors of a share of 1000 repetitions around 0.95.
    assert abs(covered / repeats - 0.95) < 3 * math.sqrt(0.95 * 0.05 / repeats)
    assert naive / repeats < 0.8


def test_bootstrap_covers_the_truth_and_agrees_with_the_formula():
    generator = np.random.default_rng(3)
    covered, repeats = 0, 300
    for seed in range(repeats):
        values, cluster = clustered_shares(generator)
        sums = np.stack([values, np.ones(len(values))], axis=1)
        ours = bootstrap_interval(sums, cluster, lambda t: t[:, 0] / t[:, 1], seed=seed, resamples=300)
        covered += ours.low <= 0.6 <= ours.high
    assert abs(covered / repeats - 0.95) < 3 * math.sqrt(0.95 * 0.05 / repeats)
    exact = mean_interval(values, cluster)
    assert ours.value == pytest.approx(exact.value)
    assert ours.error == pytest.approx(exact.error, rel=0.2)


def test_bootstrap_equals_drawing_pairs_of_whole_clusters_one_by_one():
    generator = np.random.default_rng(4)
    values, cluster = clustered_shares(generator, clusters=12)
    sums = np.stack([values, np.ones(len(values))], axis=1)
    fast = bootstrap_interval(sums, cluster, lambda t: t[:, 0] / t[:, 1], seed=9, resamples=50)
    slow_generator = np.random.default_rng(9)
    slow = []
    for chosen in slow_generator.integers(0, 12, (50, 12)):
        drawn = np.concatenate([values[cluster == c] for c in chosen])
        slow.append(drawn.mean())
    lower, upper = np.quantile(slow, [0.025, 0.975])
    assert (fast.low, fast.high) == pytest.approx((2 * values.mean() - upper, 2 * values.mean() - lower))


def test_bootstrap_is_the_same_for_the_same_seed_and_for_any_split_of_the_draws(monkeypatch):
    values, cluster = clustered_shares(np.random.default_rng(5))
    sums = np.stack([values, np.ones(len(values))], axis=1)

    def run(seed):
        return bootstrap_interval(sums, cluster, lambda t: t[:, 0] / t[:, 1], seed=seed)

    whole = run(1)
    assert whole == run(1)
    assert whole != run(2)
    monkeypatch.setattr("llull.evaluate.intervals._DRAWN_AT_ONCE", 300)
    assert run(1) == whole


def test_influence_of_a_mean_gives_the_interval_of_a_mean():
    values, cluster = clustered_shares(np.random.default_rng(6))
    influence = (values - values.mean()) / len(values)
    ours = influence_interval(float(values.mean()), influence, cluster)
    expected = mean_interval(values, cluster)
    assert (ours.low, ours.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("right", [0.0, 1.0])
def test_all_right_or_all_wrong_still_has_a_width(right):
    ours = mean_interval(np.full(30, right), np.arange(30) // 3, share=True)
    assert 0 <= ours.low < ours.high <= 1
    assert ours.high - ours.low > 0.2


def test_one_cluster_gives_a_value_without_interval():
    ours = mean_interval(np.array([1.0, 0.0]), np.array([4, 4]))
    assert ours.value == 0.5
    assert math.isnan(ours.low)
    assert ours.to_dict()["low"] is None


def test_left_out_and_weightless_pairs_count_for_nothing():
    values = np.array([1.0, np.nan, 0.0, 1.0])
    ours = mean_interval(values, np.arange(4), np.array([1.0, 1.0, 1.0, 0.0]))
    assert (ours.value, ours.n, ours.clusters) == (0.5, 2, 2)
    nothing = mean_interval(np.array([np.nan]), np.zeros(1, int))
    assert math.isnan(nothing.value)
    assert nothing.n == 0
