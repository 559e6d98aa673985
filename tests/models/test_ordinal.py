"""Ordinal ratings: derivatives, recovery of weights, thresholds and offsets, and what pairs add."""

from __future__ import annotations

import numpy as np
import pytest

from llull.errors import InputError
from llull.models.ordinal import OrdinalModel, PairVotes, RatingVotes

TRUE = np.array([1.0, -0.7, 0.4, 0.0])
CUTS = np.array([-2.0, -0.5, 0.8, 2.2])


def ratings(
    seed: int, n: int = 4000, people: int = 20, spread: float = 1.0
) -> tuple[np.ndarray, RatingVotes, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows, offsets = rng.normal(size=(n, 4)), spread * rng.normal(size=people)
    offsets -= offsets.mean()
    who = rng.integers(people, size=n)
    felt = rows @ TRUE + offsets[who] + rng.logistic(size=n)
    return rows, RatingVotes(np.arange(n), np.searchsorted(CUTS, felt), who), offsets


def pairs(seed: int, rows: np.ndarray, n: int, scale: float) -> PairVotes:
    rng = np.random.default_rng(seed + 100)
    first, second = rng.integers(len(rows), size=(2, n))
    wins = scale * (rows[first] - rows[second]) @ TRUE + rng.logistic(size=n) > 0
    return PairVotes(np.where(wins, first, second), np.where(wins, second, first))


def test_the_gradient_matches_finite_differences():
    rows, said, _ = ratings(0, n=60, people=3)
    model, compared = OrdinalModel(5), pairs(0, rows, 30, 2.0)
    x = np.random.default_rng(5).normal(size=4 + 4 + 3 + 1) * 0.5
    slope = model.value_and_gradient(x, rows, said, 3, compared)[1]
    for j in range(len(x)):
        move = 1e-6 * np.eye(len(x))[j]
        up, down = (model.value_and_gradient(x + s * move, rows, said, 3, compared)[0] for s in (1, -1))
        assert slope[j] == pytest.approx((up - down) / 2e-6, abs=1e-5)


def test_the_value_is_minus_the_log_of_the_probabilities():
    rows, said, _ = ratings(0, n=200, people=3)
    model = OrdinalModel(5, shrinkage=2.0).fit(rows, said)
    x = np.concatenate([model.thresholds_[:1], np.log(np.diff(model.thresholds_)), model.weights_, model.offsets_])
    slow = 0.5 * model.weights_ @ model.weights_ + model.offsets_ @ model.offsets_
    for row, level, who in zip(said.row, said.level, said.annotator, strict=True):
        slow -= np.log(model.probabilities(rows[row : row + 1], who)[0, level])
    assert model.value_and_gradient(x, rows, said, 3, None)[0] == pytest.approx(slow)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_weights_thresholds_and_offsets_are_recovered(seed):
    rows, said, offsets = ratings(seed)
    model = OrdinalModel(5).fit(rows, said)
    np.testing.assert_allclose(model.weights_, TRUE, atol=0.15)
    np.testing.assert_allclose(model.thresholds_, CUTS, atol=0.2)
    assert np.corrcoef(model.offsets_, offsets)[0, 1] > 0.95
    assert abs(model.offsets_.mean()) < 1e-3
    # Without offsets, what annotators differ in looks like noise, which draws the weights to 0.
    blind = OrdinalModel(5, shrinkage=np.inf).fit(rows, said)
    assert np.linalg.norm(blind.weights_) < 0.95 * np.linalg.norm(model.weights_)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_where_annotators_do_not_differ_no_offsets_are_found(seed):
    rows, said, _ = ratings(seed, spread=0.0)
    with_offsets, without = OrdinalModel(5).fit(rows, said), OrdinalModel(5, shrinkage=np.inf).fit(rows, said)
    # An offset from 200 ratings has a standard error of about 0.13.
    assert with_offsets.offsets_.std() < 0.25
    np.testing.assert_allclose(with_offsets.weights_, without.weights_, atol=0.05)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_pairs_beside_few_ratings_beat_the_ratings_alone(seed):
    rows, said, _ = ratings(seed)
    few = RatingVotes(said.row[:150], said.level[:150], said.annotator[:150])
    both = OrdinalModel(5).fit(rows, few, pairs(seed, rows, 4000, 2.0))
    assert both.pair_scale_ == pytest.approx(2.0, rel=0.4)
    alone = OrdinalModel(5).fit(rows, few)
    assert alone.pair_scale_ == 1.0

    def cosine(weights: np.ndarray) -> float:
        return float(weights @ TRUE / np.linalg.norm(weights) / np.linalg.norm(TRUE))

    assert cosine(both.weights_) > cosine(alone.weights_)
    assert cosine(both.weights_) > 0.99


def test_levels_that_nobody_gives_are_refused():
    said = RatingVotes(np.arange(3), np.array([0, 2, 2]), np.zeros(3, int))
    with pytest.raises(InputError, match="merge"):
        OrdinalModel(3).fit(np.ones((3, 1)), said)
    with pytest.raises(InputError, match="no scale"):
        OrdinalModel(1)
