"""Agreement against closed forms, a plain twin, and the krippendorff package."""

from __future__ import annotations

import math

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llull.judgments.agreement import agreement, flip_rate, one_vote_each

VOTES = st.lists(st.tuples(st.integers(0, 5), st.sampled_from([-1.0, 0.0, 1.0, 4.5])), min_size=2, max_size=30)


def plain_alpha(item: list[int], value: list[float], level: str) -> tuple[float, float]:
    """Observed agreement and alpha from the coincidence matrix, as Krippendorff (2011) writes it."""
    units = [[v for i, v in zip(item, value, strict=True) if i == unit] for unit in sorted(set(item))]
    units = [unit for unit in units if len(unit) > 1]
    answers = sorted({v for unit in units for v in unit})
    o = {(c, k): 0.0 for c in answers for k in answers}
    for unit in units:
        for a, c in enumerate(unit):
            for b, k in enumerate(unit):
                if a != b:
                    o[c, k] += 1 / (len(unit) - 1)
    n_c = {c: sum(o[c, k] for k in answers) for c in answers}
    n = sum(n_c.values())

    def difference(c: float, k: float) -> float:
        if level == "nominal":
            return float(c != k)
        between = [n_c[g] for g in answers if min(c, k) <= g <= max(c, k)]
        return (sum(between) - (n_c[c] + n_c[k]) / 2) ** 2

    observed = sum(o[c, k] * difference(c, k) for c in answers for k in answers)
    expected = sum(n_c[c] * n_c[k] * difference(c, k) for c in answers for k in answers) / (n - 1)
    agreeing = sum(o[c, c] for c in answers) / n
    return agreeing, 1 - observed / expected if expected else math.nan


@given(VOTES)
@settings(max_examples=100, deadline=None)
def test_alpha_equals_the_coincidence_matrix(votes):
    item, value = [i for i, _ in votes], [v for _, v in votes]
    found = agreement(np.array(item), np.array(value))
    if found is None:
        assert len(set(item)) == len(item)
        return
    percent, nominal = plain_alpha(item, value, "nominal")
    _, ordinal = plain_alpha(item, value, "ordinal")
    assert found.percent == pytest.approx(percent)
    assert found.alpha_nominal == pytest.approx(nominal, nan_ok=True)
    assert found.alpha_ordinal == pytest.approx(ordinal, nan_ok=True)


@pytest.mark.parametrize("seed", range(3))
def test_alpha_equals_the_krippendorff_package(seed):
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 5, 40)
    votes = np.clip(truth + generator.integers(-1, 2, (6, 40)), 0, 4).astype(float)
    votes[generator.random(votes.shape) < 0.4] = np.nan
    annotator, item = np.nonzero(~np.isnan(votes))
    found = agreement(item, votes[annotator, item])
    assert found is not None
    for ours, level in ((found.alpha_nominal, "nominal"), (found.alpha_ordinal, "ordinal")):
        assert ours == pytest.approx(krippendorff.alpha(votes, level_of_measurement=level))


def test_the_reading_direction_of_a_pair_does_not_matter_when_mirrored():
    generator = np.random.default_rng(0)
    item = np.repeat(np.arange(50), 3)
    value = generator.choice([-1.0, 0.0, 1.0], 150, p=[0.2, 0.1, 0.7])
    turned = np.where(generator.random(50) < 0.5, -1.0, 1.0)[item]
    assert agreement(item, value, mirrored=True) == agreement(item, value * turned, mirrored=True)
    assert agreement(item, value) != agreement(item, value * turned)


def test_full_agreement_and_no_variation():
    everyone = agreement(np.array([0, 0, 1, 1]), np.array([1, 1, 2, 2]))
    assert everyone is not None
    assert (everyone.percent, everyone.alpha_nominal, everyone.alpha_ordinal) == (1.0, 1.0, 1.0)
    constant = agreement(np.array([0, 0, 1, 1]), np.array([1, 1, 1, 1]))
    assert constant is not None
    assert constant.percent == 1.0
    assert math.isnan(constant.alpha_nominal)
    assert agreement(np.array([0, 1, 2]), np.array([1, 1, 1])) is None


def test_flip_rate_inverts_its_model_exactly():
    # Of 3 votes per pair, p = 1/3 agree whenever one differs; 4 in 10 pairs here are split 2 to 1.
    item = np.repeat(np.arange(10), 3)
    value = np.ones(30)
    value[0:12:3] = -1
    p = (6 * 1 + 4 / 3) / 10
    e = flip_rate(item, value)
    assert 1 - 2 * e * (1 - e) == pytest.approx(p)
    assert flip_rate(np.array([0, 0]), np.array([1, -1])) == 0.5
    assert flip_rate(np.array([0, 0]), np.array([1, 1])) == 0.0
    assert math.isnan(flip_rate(np.array([0, 0]), np.array([1, 0])))


def test_flip_rate_recovers_planted_noise():
    generator = np.random.default_rng(0)
    item = np.repeat(np.arange(20_000), 3)
    value = np.where(generator.random(60_000) < 0.15, -1.0, 1.0) * np.where(generator.random(20_000) < 0.5, -1, 1)[item]
    # P(agree) = 0.745 has a standard error of 0.0025; de/dp = 1 / (2 (1 - 2 e)) makes that 0.0018; four of these.
    assert flip_rate(item, value) == pytest.approx(0.15, abs=0.0072)


def test_only_the_first_vote_of_an_annotator_counts():
    item = np.array([7, 7, 7, 8, 7, 7])
    annotator = np.array([0, 0, 1, 0, -1, -1])
    assert list(one_vote_each(item, annotator)) == [0, 2, 3, 4, 5]
