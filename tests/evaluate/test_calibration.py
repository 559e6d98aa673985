import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from llull.evaluate import METRICS, reliability_curve


def test_curve_by_hand():
    prob = np.array([0.52, 0.46, 0.98, 0.97])
    outcome = np.array([1.0, 1.0, 1.0, 0.5])
    weight = np.array([1.0, 3.0, 1.0, 1.0])
    first, last = reliability_curve(prob, outcome, weight, np.arange(4))
    assert (first.low, first.high) == pytest.approx((0.5, 0.55))
    assert first.confidence == pytest.approx((0.52 + 3 * 0.54) / 4)
    assert first.correct.value == pytest.approx(1 / 4)
    assert last.correct.value == pytest.approx(0.75)
    assert last.correct.n == 2


def test_curve_equals_that_of_scikit_learn_on_the_preferred_option():
    generator = np.random.default_rng(0)
    prob = generator.random(2000)
    outcome = (generator.random(2000) < prob).astype(float)
    preferred = np.where(prob >= 0.5, outcome, 1 - outcome)
    observed, predicted = calibration_curve(preferred, np.maximum(prob, 1 - prob), n_bins=20)
    curve = reliability_curve(prob, outcome, np.ones(2000), np.arange(2000), bins=10)
    assert [b.correct.value for b in curve] == pytest.approx(list(observed))
    assert [b.confidence for b in curve] == pytest.approx(list(predicted))


def test_curve_of_a_true_model_holds_the_truth_in_its_intervals():
    generator = np.random.default_rng(1)
    held = bins = 0
    for _ in range(60):
        prob = generator.random(1500)
        outcome = (generator.random(1500) < prob).astype(float)
        for found in reliability_curve(prob, outcome, np.ones(1500), np.arange(1500)):
            bins += 1
            held += found.correct.low <= found.confidence <= found.correct.high
    assert abs(held / bins - 0.95) < 3 * np.sqrt(0.95 * 0.05 / bins)


def test_certainty_belongs_to_the_last_bin():
    (only,) = reliability_curve(np.array([1.0, 0.0]), np.array([1.0, 0.0]), np.ones(2), np.arange(2))
    assert (only.high, only.correct.value) == (1.0, 1.0)


def test_calibration_error_of_a_true_model_shrinks_with_data():
    generator = np.random.default_rng(2)
    errors = []
    for n in (300, 30_000):
        prob = generator.random(n)
        outcome = (generator.random(n) < prob).astype(float)
        errors.append(METRICS["ece"].function(prob, outcome, np.ones(n)))
    assert errors[1] < errors[0] / 3
    assert errors[1] < 0.02
