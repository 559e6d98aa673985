import math

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss

from llull.evaluate import METRICS

PROB = np.array([0.9, 0.8, 0.4, 0.5, 0.7])
OUTCOME = np.array([1.0, 0.0, 1.0, 1.0, 0.5])
WEIGHT = np.array([1.0, 1.0, 2.0, 1.0, 1.0])


def value(name, prob=PROB, outcome=OUTCOME, weight=WEIGHT):
    return METRICS[name].function(prob, outcome, weight)


def test_accuracy_leaves_ties_out_and_halves_what_cannot_tell():
    # right 1, wrong 1, wrong with weight 2, half of 1; the tie is left out: 1.5 of 5
    assert value("accuracy") == pytest.approx(1.5 / 5)


def test_accuracy_with_ties_half():
    assert value("accuracy_ties_half") == pytest.approx(2.0 / 6)


def test_log_loss_by_hand():
    tie = -(math.log(0.7) + math.log(0.3)) / 2
    expected = (-math.log(0.9) - math.log(0.2) - 2 * math.log(0.4) - math.log(0.5) + tie) / 6
    assert value("log_loss") == pytest.approx(expected)


def test_brier_by_hand():
    assert value("brier") == pytest.approx((0.01 + 0.64 + 2 * 0.36 + 0.25 + 0.04) / 6)


def test_overconfidence_by_hand():
    confidence = (0.9 + 0.8 + 2 * 0.6 + 0.5 + 0.7) / 6
    assert value("overconfidence") == pytest.approx(confidence - 2.0 / 6)


def test_calibration_error_by_hand():
    # Confidences 0.9 | 0.8 | 0.6 (weight 2) | 0.5 | 0.7 each fall in a bin of their own.
    expected = (abs(0.9 - 1) + abs(0.8 - 0) + 2 * abs(0.6 - 0) + abs(0.5 - 0.5) + abs(0.7 - 0.5)) / 6
    assert value("ece") == pytest.approx(expected)


def test_calibration_error_cancels_within_a_bin():
    prob = np.array([0.76, 0.78, 0.76, 0.78])
    outcome = np.array([1.0, 1.0, 1.0, 0.0])
    assert value("ece", prob, outcome, np.ones(4)) == pytest.approx(0.77 - 0.75)


@pytest.mark.parametrize("name", METRICS)
def test_swapping_the_options_of_pairs_changes_nothing(name):
    generator = np.random.default_rng(1)
    prob = np.round(generator.random(200), 3)
    outcome = generator.choice([0.0, 0.5, 1.0], 200)
    weight = generator.random(200)
    swap = generator.random(200) < 0.5
    swapped = value(name, np.where(swap, 1 - prob, prob), np.where(swap, 1 - outcome, outcome), weight)
    assert swapped == pytest.approx(value(name, prob, outcome, weight), abs=1e-9)


@pytest.mark.parametrize("name", METRICS)
def test_a_weight_of_two_is_the_pair_twice(name):
    generator = np.random.default_rng(2)
    prob, outcome = generator.random(60), generator.choice([0.0, 0.5, 1.0], 60)
    times = generator.integers(0, 4, 60)
    repeated = value(name, np.repeat(prob, times), np.repeat(outcome, times), np.ones(times.sum()))
    assert value(name, prob, outcome, times.astype(float)) == pytest.approx(repeated, rel=1e-9)


@pytest.mark.parametrize("name", METRICS)
def test_the_estimate_is_the_function_with_an_interval_around_it(name):
    generator = np.random.default_rng(3)
    truth = expit(generator.normal(size=900))
    outcome = (generator.random(900) < truth).astype(float)
    metric, cluster, weight = METRICS[name], np.arange(900) // 3, generator.random(900)
    estimate = metric.estimate(truth, outcome, weight, cluster)
    assert estimate.value == pytest.approx(metric.function(truth, outcome, weight), rel=1e-9)
    assert estimate.low < estimate.high
    assert estimate.clusters == 300


def test_parity_with_scikit_learn():
    generator = np.random.default_rng(4)
    prob, outcome = generator.random(500), generator.integers(0, 2, 500).astype(float)
    weight = generator.random(500)
    assert value("log_loss", prob, outcome, weight) == pytest.approx(log_loss(outcome, prob, sample_weight=weight))
    brier = brier_score_loss(outcome, prob, sample_weight=weight)
    assert value("brier", prob, outcome, weight) == pytest.approx(brier)
    accuracy = accuracy_score(outcome, prob > 0.5, sample_weight=weight)
    assert value("accuracy", prob, outcome, weight) == pytest.approx(accuracy)
    z = np.log(prob / (1 - prob))[:, None]
    peer = LogisticRegression(C=1e12, fit_intercept=False, tol=1e-10).fit(z, outcome, sample_weight=weight)
    assert value("calibration_slope", prob, outcome, weight) == pytest.approx(peer.coef_[0, 0], abs=1e-5)


def test_calibration_slope_finds_the_factor_by_which_a_model_overstates():
    generator = np.random.default_rng(5)
    z = generator.normal(size=40_000)
    outcome = (generator.random(len(z)) < expit(z)).astype(float)
    estimate = METRICS["calibration_slope"].estimate(expit(2 * z), outcome, np.ones(len(z)), np.arange(len(z)))
    assert estimate.low < 0.5 < estimate.high
    assert estimate.high - estimate.low < 0.05


@pytest.mark.parametrize(
    ("prob", "outcome"),
    [([0.9, 0.2], [1.0, 0.0]), ([0.9, 0.2], [0.0, 1.0]), ([0.5, 0.5], [1.0, 0.0])],
    ids=["never wrong", "never right", "never tells"],
)
def test_calibration_slope_is_nan_where_no_factor_is_best(prob, outcome):
    assert math.isnan(value("calibration_slope", np.array(prob), np.array(outcome), np.ones(2)))


def test_certain_and_wrong_has_a_finite_log_loss():
    assert 30 < value("log_loss", np.array([0.0]), np.array([1.0]), np.ones(1)) < 40


@pytest.mark.parametrize("name", METRICS)
def test_without_pairs_there_is_no_value(name):
    empty = np.empty(0)
    assert math.isnan(value(name, empty, empty, empty))
    assert math.isnan(METRICS[name].estimate(empty, empty, empty, empty.astype(int)).value)


def test_only_ties_have_no_accuracy_but_a_log_loss():
    prob, outcome = np.array([0.5, 0.5]), np.array([0.5, 0.5])
    assert math.isnan(value("accuracy", prob, outcome, np.ones(2)))
    assert value("log_loss", prob, outcome, np.ones(2)) == pytest.approx(math.log(2))


def test_every_metric_says_what_it_is():
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.short
        assert metric.description.endswith(".")
