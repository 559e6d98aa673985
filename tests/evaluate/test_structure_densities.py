"""Utilities are an annotator's density under the right rule, and nobody's under a wrong one or for several people."""

from __future__ import annotations

import numpy as np
import pytest

from llull.errors import InputError
from llull.evaluate.structure import implicit_density, one_density, simulate_annotator
from llull.evaluate.structure.densities import divergence, length_constant, mixed_density
from llull.evaluate.structure.tastes import one_taste, several_tastes
from llull.judgments import Judgment, Preferences, named_option

OUTCOMES, COMPARISONS, FLOOR = 64, 100_000, 2e-3
PLACE = np.arange(OUTCOMES)


def modes(*at: tuple[float, float]) -> np.ndarray:
    bumps = sum(np.exp(-0.5 * ((PLACE - center) / width) ** 2) / (2.5 * width) for center, width in at)
    density = np.maximum(bumps / len(at), FLOOR)
    return density / density.sum()


def couples(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    first = rng.integers(0, OUTCOMES, COMPARISONS)
    return first, (first + rng.integers(1, OUTCOMES, COMPARISONS)) % OUTCOMES


def tally(first: np.ndarray, second: np.ndarray, won: np.ndarray, who: np.ndarray):
    """Comparisons counted: indicators, wins, total and annotator of each two outcomes."""
    low, high = np.minimum(first, second), np.maximum(first, second)
    keys, place, total = np.unique((who * OUTCOMES + low) * OUTCOMES + high, return_inverse=True, return_counts=True)
    x = np.zeros((len(keys), OUTCOMES))
    x[np.arange(len(keys)), keys // OUTCOMES % OUTCOMES] = 1
    x[np.arange(len(keys)), keys % OUTCOMES] = -1
    return x, np.bincount(place, np.where(first == low, won, ~won)), total.astype(float), keys // OUTCOMES**2


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_utilities_are_the_density_under_the_right_rule_only(seed: int) -> None:
    rng = np.random.default_rng(seed)
    density = modes((16, 3), (46, 5))
    first, second = couples(rng)
    one = np.zeros(COMPARISONS, int)
    lengths = rng.integers(1, 4, OUTCOMES).astype(float)

    def fitted(**rule) -> np.ndarray:
        x, wins, total, _ = tally(first, second, simulate_annotator(density, first, second, rng, **rule), one)
        return one_taste(x, wins, total).weights[0]

    assert divergence(density, implicit_density(fitted())) < 0.02
    tempered = fitted(power=0.5)
    assert divergence(density, implicit_density(tempered)) > 0.05
    assert divergence(density, implicit_density(tempered, power=0.5)) < 0.01
    by_length = fitted(lengths=lengths)
    assert divergence(density, implicit_density(by_length)) > 0.3
    constant = length_constant(by_length, lengths, density)
    assert divergence(density, implicit_density(by_length, lengths=lengths, constant=constant)) < 0.02
    assert divergence(density, implicit_density(by_length, lengths=lengths)) > 1


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_one_table_is_the_density_of_neither_of_two_people(seed: int) -> None:
    rng = np.random.default_rng(seed)
    densities = modes((16, 3)), modes((46, 3))
    first, second = couples(rng)
    who = (rng.random(COMPARISONS) < 0.4).astype(int)
    said = [simulate_annotator(density, first, second, rng) for density in densities]
    x, wins, total, whose = tally(first, second, np.where(who == 0, *said), who)
    truth = 0.6 * densities[0] + 0.4 * densities[1]
    assert divergence(truth, implicit_density(one_taste(x, wins, total).weights[0])) > 0.1
    two = several_tastes(x, wins, total, whose, 2, rng)
    mixed, share = mixed_density(two, x, wins, total, whose)
    assert divergence(truth, mixed) < 0.03
    assert sorted(share) == pytest.approx([0.4, 0.6], abs=0.1)


def people(seed: int, apart: bool) -> Preferences:
    rng = np.random.default_rng(seed)
    strength = 2 * rng.normal(size=12)
    votes = []
    for person in range(40):
        sign = -1 if apart and person % 5 < 2 else 1
        for _ in range(30):
            i, j = rng.choice(12, 2, replace=False)
            density = np.exp(sign * strength)
            won = simulate_annotator(density, np.array([i]), np.array([j]), rng)[0]
            options = [named_option(f"o{i}"), named_option(f"o{j}")]
            votes.append(Judgment(options, ranking=[[0], [1]] if won else [[1], [0]], annotator=f"a{person}"))
    return Preferences.from_judgments(votes)


def test_one_score_for_each_option_is_seldom_refused_by_chance() -> None:
    found = [one_density(people(seed, False).pairs(), seed=seed).found for seed in range(6)]
    assert sum(found) <= 1


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_one_score_for_each_option_is_refused_only_for_several_people(seed: int) -> None:
    several, alike = one_density(people(seed, True).pairs()), one_density(people(seed, False).pairs())
    assert several.found
    assert several.minority == pytest.approx(0.4, abs=0.1)
    assert several.shared < alike.shared - 0.2
    assert "stands for nobody in particular" in several.verdict
    assert not alike.found
    assert "as well as two do" in alike.verdict


def test_a_density_with_a_zero_is_refused() -> None:
    with pytest.raises(InputError, match="positive"):
        simulate_annotator(np.array([0.0, 1.0]), np.array([0]), np.array([1]), np.random.default_rng(0))


def test_too_few_answers_are_said() -> None:
    votes = [
        Judgment([named_option(f"a{i}"), named_option(f"b{i}")], ranking=[[0], [1]], annotator=f"p{i % 6}")
        for i in range(60)
    ]
    found = one_density(Preferences.from_judgments(votes).pairs())
    assert "cannot tell" in found.verdict
