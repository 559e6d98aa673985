"""Whether tastes beyond chance are found where there are some, and not where there are none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

import llull.judgments
from llull.encoders import OneHot, Precomputed, TextStatistics
from llull.evaluate.structure import heterogeneity
from llull.evaluate.structure.answers import Answers, answers, disjoint
from llull.evaluate.structure.heterogeneity import mixture_gain, mixture_test, spread_test
from llull.evaluate.structure.tastes import PRIOR, one_taste, responsibilities, several_tastes
from llull.judgments import Judgment, Preferences, named_option
from llull.judgments.simulate import demo

PEOPLE, VOTES, WIDTH = 60, 20, 6


def crowd(seed: int, apart: float, overlap: bool) -> tuple[np.ndarray, Answers, np.ndarray]:
    """Two fifths of the annotators want more of the second feature by ``apart``, the others less."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(PEOPLE), VOTES)
    n = len(who)
    item = np.arange(n)
    if overlap:
        item = np.concatenate([rng.permutation(n // 5)[:VOTES] for _ in range(PEOPLE)])
    x = rng.normal(size=(n, WIDTH))[item]
    weights = np.zeros((PEOPLE, WIDTH))
    weights[:, 0] = 1.0
    weights[:, 1] = np.where(np.arange(PEOPLE) < 0.4 * PEOPLE, apart, -apart)
    says = (rng.random(n) < expit((x * weights[who]).sum(1))).astype(float)
    return x, Answers(2 * item, 2 * item + 1, says, item, who, np.full(n, -1), item, np.arange(n)), who


@pytest.mark.slow
@pytest.mark.parametrize("overlap", [False, True])
def test_one_taste_is_called_several_as_often_as_said(overlap: bool) -> None:
    values = [spread_test(*crowd(s, 0.0, overlap), 99, np.random.default_rng(s))[0] for s in range(200)]
    # A share of 0.05 of 200 has a standard error of 0.015.
    assert np.mean(np.array(values) <= 0.05) <= 0.1
    assert 0.4 < np.mean(values) < 0.6


@pytest.mark.parametrize("overlap", [False, True])
def test_two_tastes_are_found(overlap: bool) -> None:
    found = [spread_test(*crowd(s, 0.8, overlap), 99, np.random.default_rng(s)) for s in range(20)]
    assert np.mean([p <= 0.05 for p, _ in found]) >= 0.9
    assert {null for _, null in found} == {
        "answers swapped between people" if overlap else "answers simulated from one taste"
    }


@pytest.mark.slow
def test_a_mixture_is_preferred_to_one_taste_only_where_there_are_two() -> None:
    none, two = [], []
    for seed in range(16):
        x, given, who = crowd(seed, 0.0, False)
        none.append(mixture_test(x, given.says, who, 19, np.random.default_rng(seed))[0])
    for seed in range(4):
        x, given, who = crowd(seed, 1.0, False)
        two.append(mixture_test(x, given.says, who, 19, np.random.default_rng(seed)))
    assert np.mean(np.array(none) <= 0.05) <= 0.19
    assert np.mean([p <= 0.05 for p, _, _ in two]) >= 0.75
    assert np.median([share for _, _, share in two]) == pytest.approx(0.4, abs=0.12)


def test_knowing_the_taste_helps_on_answers_held_out_where_it_is_strong() -> None:
    for seed in range(3):
        x, given, who = crowd(seed, 2.0, False)
        assert mixture_gain(x, given.says, who, np.random.default_rng(seed)).low > 0.02
        x, given, who = crowd(seed, 0.0, False)
        assert mixture_gain(x, given.says, who, np.random.default_rng(seed)).high < 0.02


def test_one_taste_is_the_optimum_that_a_general_search_finds() -> None:
    x, given, _ = crowd(0, 0.5, False)

    def loss(w: np.ndarray) -> float:
        margin = x @ w
        return float(np.logaddexp(0, margin).sum() - given.says @ margin + PRIOR / 2 * w @ w)

    slow = minimize(loss, np.zeros(WIDTH), method="BFGS", options={"gtol": 1e-6})
    fast = one_taste(x, given.says, np.ones(len(x)))
    assert fast.weights[0] == pytest.approx(slow.x, abs=1e-4)
    assert fast.value == pytest.approx(-slow.fun, abs=1e-6)


def test_tastes_and_who_has_which_are_recovered() -> None:
    x, given, who = crowd(1, 2.0, False)
    total = np.ones(len(x))
    two = several_tastes(x, given.says, total, who, 2, np.random.default_rng(0))
    assert two.weights[:, 1] == pytest.approx([-2.0, 2.0], abs=0.6)
    assert two.share == pytest.approx([0.6, 0.4], abs=0.1)
    right = responsibilities(two, x, given.says, total, who).argmax(axis=1) == (np.arange(PEOPLE) < 0.4 * PEOPLE)
    assert right.mean() > 0.9


def test_more_steps_of_em_never_lower_the_likelihood() -> None:
    x, given, who = crowd(2, 1.0, False)
    values = [
        several_tastes(x, given.says, np.ones(len(x)), who, 2, np.random.default_rng(0), restarts=1, steps=steps).value
        for steps in range(1, 25)
    ]
    assert (np.diff(values) > -1e-8).all()
    assert values[-1] > values[0] + 1


def test_no_annotators_is_said_and_not_guessed() -> None:
    votes = [Judgment([named_option(f"o{i}"), named_option(f"o{i + 1}")], ranking=[[0], [1]]) for i in range(30)]
    found = heterogeneity(Preferences.from_judgments(votes).pairs(), OneHot())
    assert "cannot tell" in found.verdict
    assert "no judgment names its annotator" in found.verdict
    assert found.to_dict()["spread_p"] is None


def test_options_that_recur_in_one_persons_answers_are_left_out() -> None:
    def rank(who: str) -> Judgment:
        return Judgment([named_option(name) for name in "abcd"], ranking=[[0], [1], [2], [3]], annotator=who)

    given = answers(Preferences.from_judgments([rank("x"), rank("y")]).pairs())
    kept = given.select(disjoint(given, 0))
    assert len(given) == 12
    for who in (0, 1):
        mine = kept.select(kept.annotator == who)
        shown = np.concatenate([mine.first, mine.second])
        assert sorted(shown) == [0, 1, 2, 3]
    assert sorted(kept.item[kept.annotator == 0]) == sorted(kept.item[kept.annotator == 1])


def rankers(seed: int) -> Preferences:
    """People of one taste who each rank six options of which the features tell little: pairs that repeat each other."""
    rng = np.random.default_rng(seed)
    quality = rng.normal(size=200)
    votes = []
    for person in range(40):
        for _ in range(3):
            shown = rng.choice(200, 6, replace=False)
            order = np.argsort(-(2 * quality[shown] + rng.gumbel(size=6)))
            options = [named_option(f"o{i}") for i in shown]
            votes.append(Judgment(options, ranking=[[int(i)] for i in order], annotator=f"a{person}"))
    return Preferences.from_judgments(votes)


def test_rankings_and_options_of_unknown_quality_do_not_pass_for_tastes() -> None:
    rng = np.random.default_rng(0)
    values = []
    for seed in range(40):
        pairs = rankers(seed).pairs()
        features = Precomputed({id_: rng.normal(size=3) for id_ in pairs.options.ids})
        values.append(heterogeneity(pairs, features, mixture=False, spread_draws=99, seed=seed).spread_p)
    assert np.mean(np.array(values) <= 0.05) <= 0.15


@pytest.mark.slow
def test_the_communities_of_the_demo_are_found() -> None:
    found = heterogeneity(demo().pairs(), TextStatistics(), mixture_draws=19, seed=0)
    assert found.found
    assert found.mixture_p <= 0.05
    assert found.gain.low > 0
    assert found.verdict.startswith("People want different things, beyond chance")


@pytest.mark.slow
def test_workers_of_llmfao_differ(real_data) -> None:
    votes = llull.judgments.read(str(real_data / "llmfao" / "crowd-comparisons.jsonl.gz"))
    found = heterogeneity(votes.pairs(), TextStatistics(), mixture=False)
    assert found.annotators > 100
    assert found.found
