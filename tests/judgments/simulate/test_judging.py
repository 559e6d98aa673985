"""Simulated answers come as often as the stated formulas say."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import chi2

from llull.errors import InputError
from llull.judgments import Judgment, Preferences, prompt, text_option
from llull.judgments.simulate import Community, Pool, Population, embedded_options, judge, pair_probabilities, pool_of
from llull.judgments.simulate.pool import lay_out

SIGNIFICANCE = 1e-4
"""Of each chi-square test: a right simulation fails one seed in ten thousand."""


def one_question(*utilities: float, times: int = 6_000) -> Pool:
    """The same options many times over, each context asked once."""
    table = lay_out((f"q{i}", [f"option {o}" for o in range(len(utilities))]) for i in range(times))
    return Pool(table, np.tile(np.array(utilities)[:, None], (times, 1)), ("worth",))


def population(**more) -> Population:
    return Population((Community("all", [1.0]),), annotators=10, **more)


def expect(counts: np.ndarray, probabilities: np.ndarray) -> None:
    expected = probabilities * counts.sum()
    statistic = np.sum((counts - expected) ** 2 / expected)
    assert statistic < chi2.isf(SIGNIFICANCE, np.sum(probabilities > 0) - 1)


@pytest.mark.parametrize(
    ("ties", "flips", "bias", "temperature"), [(0, 0, 0, 1), (0.5, 0, 0, 1), (0, 0.2, 0, 2), (0.8, 0.1, 0.6, 0.5)]
)
def test_pairs_are_answered_as_davidson_says(ties, flips, bias, temperature):
    simulated = judge(
        one_question(0.7, 0.0),
        population(ties=ties, flips=flips, position_bias=bias, temperature=temperature),
        seed=1,
    )
    for first_shown in (0, 1):
        z = 0.7 / temperature + (bias if first_shown == 0 else -bias)
        win = 1 / (1 + np.exp(-z) + ties * np.exp(-z / 2))
        tie = ties * np.exp(-z / 2) * win
        lose = 1 - win - tie
        expected = np.array([(1 - flips) * win + flips * lose, (1 - flips) * lose + flips * win, tie])
        counts = np.zeros(3)
        for judgment in simulated.preferences:
            better = next(i for i, o in enumerate(judgment.options) if o.text == "option 0")
            if (judgment.shown[0] == better) == (first_shown == 0):
                counts[2 if len(judgment.ranking) == 1 else int(judgment.ranking[0] != [better])] += 1
        kept = expected > 0
        assert counts[~kept].sum() == 0
        expect(counts[kept], expected[kept])


def test_the_truth_holds_the_chance_of_each_answer():
    people = Population((Community("all", [0.5] * 16),), ties=0.4, position_bias=0.3, flips=0.05)
    simulated = judge(embedded_options(3000, 4), people, seed=2)
    pairs, truth = simulated.preferences.pairs(), simulated.truth
    assert truth.probability is not None
    assert np.allclose(truth.probability.sum(axis=1), 1)
    first_won = np.array([judgment.ranking[0] == [0] for judgment in simulated.preferences])
    observed = np.stack([first_won, ~first_won & ~pairs.tie, pairs.tie], axis=1)
    deviation = (observed - truth.probability).sum(axis=0)
    spread = np.sqrt((truth.probability * (1 - truth.probability)).sum(axis=0))
    assert np.all(np.abs(deviation / spread) < 4)
    z = truth.utility[:, 0] - truth.utility[:, 1]
    z += 0.3 * np.array([1 if judgment.shown[0] == 0 else -1 for judgment in simulated.preferences])
    assert np.allclose(truth.probability, pair_probabilities(z, 0.4, 0.05))


def test_longer_questions_are_ranked_as_plackett_luce_says():
    utilities = np.array([0.9, 0.0, -0.5])
    simulated = judge(one_question(*utilities), population(temperature=0.8, flips=0.1), options=3, seed=3)
    orders = list(permutations(range(3)))
    weight = np.exp(utilities / 0.8)
    chance = {o: weight[o[0]] / weight.sum() * weight[o[1]] / (weight[o[1]] + weight[o[2]]) for o in orders}
    counts = dict.fromkeys(orders, 0)
    for judgment in simulated.preferences:
        assert all(len(tier) == 1 for tier in judgment.ranking)
        counts[tuple(int(judgment.options[tier[0]].text[-1]) for tier in judgment.ranking)] += 1
    expected = np.array([0.9 * chance[o] + 0.1 * chance[o[::-1]] for o in orders])
    expect(np.array(list(counts.values())), expected)


def test_extreme_utilities_stay_finite():
    found = pair_probabilities(np.array([-1e4, 0.0, 1e4]), ties=0.5, flips=0.1)
    assert np.allclose(found, [[0.1, 0.9, 0.0], [0.4, 0.4, 0.2], [0.9, 0.1, 0.0]])


def test_every_judgment_is_sound_and_asked_as_stated():
    people = Population((Community("a", [1, 0, 0]), Community("b", [0, 1, 0], share=3)), annotators=12, reasons=0.5)
    pool = embedded_options(40, 5, rank=3, dimensions=8)
    simulated = judge(pool, people, questions=4, votes=3, seed=5)
    judgments = list(simulated.preferences)
    assert len(judgments) == 40 * 4 * 3
    assert {judgment.problem() for judgment in judgments} == {None}
    for start in range(0, len(judgments), 3):
        votes = judgments[start : start + 3]
        assert len({v.annotator for v in votes}) == 3
        assert len({tuple(o.id for o in v.options) for v in votes}) == 1
    for start in range(0, len(judgments), 12):
        assert len({frozenset(o.id for o in v.options) for v in judgments[start : start + 12 : 3]}) == 4
    truth = simulated.truth
    assert np.bincount(truth.annotators.community).tolist() == [3, 9]
    for row, judgment in enumerate(judgments):
        assert judgment.annotator == truth.annotators.names[truth.annotator[row]]
        assert judgment.groups == {"community": "ab"[truth.annotators.community[truth.annotator[row]]]}
    given = [judgment for judgment in judgments if judgment.rationale]
    assert 0.4 < len(given) / len(judgments) < 0.6
    for row, judgment in enumerate(judgments):
        if judgment.rationale:
            best, worst = (pool.attributes[truth.option[row, tier[0]]] for tier in judgment.ranking)
            gain = truth.annotators.weights[truth.annotator[row]] * (best - worst)
            named = int(np.argmax(gain))
            word = "less" if best[named] < worst[named] else "more"
            assert judgment.rationale == f"It has {word} attribute-{named}."


def test_utilities_are_found_by_the_options_of_a_view():
    pool = embedded_options(30, 3, rank=4, dimensions=8)
    simulated = judge(pool, Population((Community("all", [1.0, 2.0, 0.0, -1.0]),)), questions=2, seed=0)
    pairs = simulated.preferences.pairs()
    utility = pool.attributes[pool.find(pairs.options)] @ [1.0, 2.0, 0.0, -1.0]
    ours = np.sort(np.stack([utility[pairs.winner], utility[pairs.loser]], axis=1), axis=1)
    assert np.allclose(ours, np.sort(simulated.truth.utility[pairs.judgment], axis=1))


def test_ideal_points_prefer_what_is_near():
    near = Community("near", [1.0, 1.0], ideal=[0.5, -0.5])
    pool = embedded_options(200, 2, rank=2, dimensions=4)
    simulated = judge(pool, Population((near,), temperature=1e-6), seed=0)
    pairs = simulated.preferences.pairs()
    distance = np.linalg.norm(pool.attributes[pool.find(pairs.options)] - [0.5, -0.5], axis=1)
    assert np.all(distance[pairs.winner] < distance[pairs.loser])
    assert np.allclose(simulated.truth.utility, -((pool.attributes[simulated.truth.option] - [0.5, -0.5]) ** 2).sum(-1))


def test_ties_between_bad_options_are_said_to_be_bad():
    simulated = judge(one_question(0.0, 0.1, -3.0, times=3000), population(ties=1.0, both_bad_below=0.05), seed=0)
    utility = simulated.truth.utility
    verdicts = [judgment.verdict for judgment in simulated.preferences]
    for judgment, verdict, low in zip(simulated.preferences, verdicts, utility.max(axis=1) < 0.05, strict=True):
        assert (verdict == "both_bad") == (len(judgment.ranking) == 1 and low)
    assert {"both_bad", "ranked"} == set(verdicts)


def test_workloads_spread():
    pool = embedded_options(2000, 2, rank=1, dimensions=2)
    even = judge(pool, population()).preferences.describe().annotators
    spread = judge(pool, population(workload_spread=1.5)).preferences.describe().annotators
    # Equal shares of 2,000: 200 each with a standard deviation of 13.4; four of these.
    assert even.largest < 200 + 54 < spread.largest


def test_the_same_seed_gives_the_same_votes():
    pool = embedded_options(50, 3, rank=2, dimensions=4)
    people = Population((Community("all", [1.0, 1.0]),), ties=0.3)
    assert judge(pool, people, seed=1).preferences.table.equals(judge(pool, people, seed=1).preferences.table)
    assert not judge(pool, people, seed=1).preferences.table.equals(judge(pool, people, seed=2).preferences.table)


def test_existing_options_can_be_judged():
    existing = Preferences.from_judgments(
        Judgment([text_option("a" * (i + 1)), text_option("b" * 9)], prompt(f"q{i % 4}"), ranking=[[0], [1]])
        for i in [0, 1, 2, 3, 0, 1]
    )
    pool = pool_of(existing, lambda texts: np.array([[len(text)] for text in texts]), names=("length",))
    assert len(pool) == 4
    simulated = judge(pool, Population((Community("long", [1.0]),), temperature=1e-6), votes=2)
    assert all(judgment.options[judgment.ranking[0][0]].text == "b" * 9 for judgment in simulated.preferences)
    assert len(simulated.preferences) == 8


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: judge(one_question(0.0, 1.0, times=2), population(), options=3),
            "needs at least 2 and no more than the 2",
        ),
        (lambda: judge(one_question(0.0, 1.0, times=2), population(), questions=2), "fewer than 2 different questions"),
        (lambda: judge(one_question(0.0, 1.0, times=2), population(), votes=11), "need as many annotators"),
        (lambda: judge(embedded_options(2, 2), population()), "give one weight for each"),
        (lambda: Population((Community("a", [1.0]), Community("b", [1.0, 2.0]))), "all need the same number"),
        (lambda: population(temperature=0.0), "temperature must be above 0"),
        (lambda: Population((Community("a", [1.0]), Community("b", [1.0])), annotators=1), "cannot fill 2 communities"),
    ],
)
def test_what_cannot_be_simulated_is_said(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_embeddings_are_signal_of_the_stated_rank_and_noise():
    pool = embedded_options(500, 4, rank=16, dimensions=384, noise=0.05, seed=3)
    assert pool.embeddings is not None
    assert pool.embeddings.shape == (2000, 384)
    spectrum = np.linalg.svd(pool.embeddings, compute_uv=False)
    # Singular values of 2000 unit normals are near sqrt(2000) = 45; those of the noise are at most
    # 0.05 (sqrt(2000) + sqrt(384)) = 3.2.
    assert spectrum[15] > 35
    assert spectrum[16] < 3.4
    fitted, *_ = np.linalg.lstsq(pool.embeddings, pool.attributes, rcond=None)
    assert np.abs(pool.embeddings @ fitted - pool.attributes).mean() < 0.06
