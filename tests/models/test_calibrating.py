"""Calibration: closed forms, an oracle, symmetry, and coverage on simulated pairs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit

from llull.errors import InputError
from llull.models.calibrating import fit_by_group, fit_conformal, fit_isotonic, fit_temperature, rising


def overconfident(seed: int, n: int = 4000, factor: float = 2.5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True probabilities, those of a model too sure by a factor, and outcomes."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n) * 1.5
    return np.asarray(expit(z)), np.asarray(expit(factor * z)), (rng.random(n) < expit(z)).astype(float)


def test_one_probability_is_set_to_its_rate() -> None:
    prob, outcome = np.full(10, 0.9), np.array([1.0] * 7 + [0.0] * 3)
    fitted = fit_temperature(prob, outcome)
    assert fitted.factor == pytest.approx(logit(0.7) / logit(0.9), abs=1e-9)
    np.testing.assert_allclose(fitted.apply(prob), 0.7, atol=1e-9)
    np.testing.assert_allclose(fit_isotonic(prob, outcome).apply(prob), 0.7, atol=1e-12)
    # A duplicate is a weight.
    twice = fit_temperature(np.repeat(prob, 2), np.repeat(outcome, 2))
    assert fit_temperature(prob, outcome, np.full(10, 2.0)).factor == pytest.approx(twice.factor, abs=1e-9)


def test_a_model_worse_than_chance_is_made_to_say_one_half() -> None:
    assert fit_temperature(np.array([0.9, 0.9]), np.array([0.0, 0.0])).factor == 0


def test_rising_sequences_are_those_of_scikit_learn() -> None:
    isotonic = pytest.importorskip("sklearn.isotonic")
    rng = np.random.default_rng(0)
    for _ in range(20):
        values, weight = rng.normal(size=40) + np.linspace(0, 1, 40), rng.uniform(0.1, 3, 40)
        oracle = isotonic.isotonic_regression(values, sample_weight=weight)
        np.testing.assert_allclose(rising(values, weight), oracle, atol=1e-10)


def test_a_rising_sequence_is_the_max_of_min_of_means() -> None:
    rng = np.random.default_rng(1)
    values, weight = rng.normal(size=12), rng.uniform(0.5, 2, 12)

    def mean(i: int, j: int) -> float:
        return float(np.average(values[i : j + 1], weights=weight[i : j + 1]))

    slow = [max(min(mean(i, j) for j in range(at, 12)) for i in range(at + 1)) for at in range(12)]
    np.testing.assert_allclose(rising(values, weight), slow, atol=1e-12)


@pytest.mark.parametrize("fit", [fit_temperature, fit_isotonic])
def test_swapping_pairs_swaps_probabilities(fit) -> None:
    _, prob, outcome = overconfident(0, 500)
    fitted, swapped = fit(prob, outcome), fit(1 - prob, 1 - outcome)
    grid = np.linspace(0.01, 0.99, 21)
    np.testing.assert_allclose(fitted.apply(grid), swapped.apply(grid), atol=1e-9)
    np.testing.assert_allclose(fitted.apply(1 - grid), 1 - fitted.apply(grid), atol=1e-9)
    assert (np.diff(fitted.apply(grid)) >= -1e-12).all()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_overconfidence_is_undone(seed: int) -> None:
    truth, prob, outcome = overconfident(seed)
    fresh, told, _ = overconfident(100 + seed)
    assert fit_temperature(prob, outcome).factor == pytest.approx(0.4, abs=0.04)
    before = np.abs(told - fresh).mean()
    assert np.abs(fit_temperature(prob, outcome).apply(told) - fresh).mean() < 0.1 * before
    assert np.abs(fit_isotonic(prob, outcome).apply(told) - fresh).mean() < 0.4 * before
    assert fit_temperature(truth, outcome).factor == pytest.approx(1.0, abs=0.1)


def test_an_isotonic_curve_undoes_what_no_temperature_can() -> None:
    _, prob, outcome = overconfident(3, factor=1.0)
    fresh, told, _ = overconfident(4, factor=1.0)

    def bent(p: np.ndarray) -> np.ndarray:
        return 0.5 + 0.5 * np.sign(p - 0.5) * np.abs(2 * p - 1) ** 4

    curve, factor = fit_isotonic(bent(prob), outcome), fit_temperature(bent(prob), outcome)
    isotonic, scaled = (np.abs(c.apply(bent(told)) - fresh).mean() for c in (curve, factor))
    assert isotonic < 0.5 * scaled


def test_each_group_has_its_own_factor_and_small_ones_that_of_all() -> None:
    first, second = overconfident(0, factor=4.0), overconfident(1, factor=0.5)
    prob, outcome = (np.concatenate([first[k], second[k], first[k][:5]]) for k in (1, 2))
    group = np.repeat(["sure", "shy", "new"], [4000, 4000, 5])
    found = fit_by_group(prob, outcome, group)
    assert set(found.groups) == {"sure", "shy"}
    fitted = found.apply(prob, group)
    assert np.abs(fitted[:4000] - first[0]).mean() < 0.02
    assert np.abs(fitted[4000:8000] - second[0]).mean() < 0.02
    np.testing.assert_array_equal(fitted[8000:], found.rest.apply(prob[8000:]))


def test_the_conformal_threshold_by_hand() -> None:
    # Scores 0.1 to 0.9: of nine, the ceil(10 * 0.8) = 8th smallest.
    prob = 1 - np.arange(1, 10) / 10
    assert fit_conformal(prob, np.ones(9, bool), 0.2).threshold == pytest.approx(0.8)
    assert fit_conformal(1 - prob, np.zeros(9, bool), 0.2).threshold == pytest.approx(0.8)
    # Nine pairs cannot promise 95 per cent: both options are always in.
    few = fit_conformal(prob, np.ones(9, bool), 0.05)
    assert few.threshold == np.inf
    assert few.sets(np.array([0.0, 1.0])).all()
    # Clusters of one pair are no clusters; a pair repeated in its cluster changes nothing.
    alone = fit_conformal(prob, np.ones(9, bool), 0.2, np.arange(9))
    again = fit_conformal(np.repeat(prob, 3), np.ones(27, bool), 0.2, np.repeat(np.arange(9), 3))
    assert alone.threshold == again.threshold == pytest.approx(0.8)


def test_sets_hold_the_preferred_option_as_often_as_promised() -> None:
    for alpha in (0.05, 0.2):
        hits = []
        for seed in range(200):
            _, prob, outcome = overconfident(seed, 300)
            sets = fit_conformal(prob[:200], outcome[:200] == 1, alpha).sets(prob[200:])
            hits.append(np.where(outcome[200:] == 1, sets[:, 0], sets[:, 1]).mean())
        # 200 runs of 100 pairs: four standard errors are about one point.
        assert 1 - alpha - 0.01 < np.mean(hits) < 1 - alpha + 0.02


def clustered(rng: np.random.Generator, size: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Contexts [k] of so many pairs: in large ones the model is often wrong, all at once."""
    context = np.repeat(np.arange(len(size)), size)
    upside_down = rng.random(len(size)) < np.where(size > 1, 0.05, 0.4)
    z = rng.normal(size=len(context)) * 2
    return np.asarray(expit(z)), rng.random(len(z)) < expit(np.where(upside_down[context], -z, z)), context


def test_a_new_context_is_covered_only_where_contexts_count_once() -> None:
    covered: dict[str, list[float]] = {"pairs": [], "contexts": []}
    for seed in range(200):
        rng = np.random.default_rng(seed)
        prob, won, context = clustered(rng, rng.choice([1, 30], 60))
        fresh, right, where = clustered(rng, rng.choice([1, 30], 60))
        for name, cluster in (("pairs", None), ("contexts", context)):
            sets = fit_conformal(prob, won, 0.2, cluster).sets(fresh)
            hit = np.where(right, sets[:, 0], sets[:, 1])
            covered[name].append(float(np.mean(np.bincount(where, hit) / np.bincount(where))))
    assert np.mean(covered["contexts"]) > 0.79
    assert np.mean(covered["pairs"]) < 0.77


def test_mistakes_are_named() -> None:
    with pytest.raises(InputError, match="never wrong"):
        fit_temperature(np.array([0.9, 0.2]), np.array([1.0, 0.0]))
    with pytest.raises(InputError, match="neither option"):
        fit_temperature(np.array([0.5]), np.array([1.0]))
    with pytest.raises(InputError, match="leave ties out"):
        fit_conformal(np.array([0.5]), np.array([0.5]))
    with pytest.raises(InputError, match="alpha"):
        fit_conformal(np.array([0.5]), np.array([1]), 0.0)
    with pytest.raises(InputError, match="no pairs"):
        fit_isotonic(np.zeros(0), np.zeros(0))
    with pytest.raises(InputError, match="between 0 and 1"):
        fit_isotonic(np.array([1.2]), np.array([1.0]))
    with pytest.raises(InputError, match="do not fit"):
        fit_isotonic(np.array([0.2]), np.array([1.0, 0.0]))
