"""Ratings that weigh what rankings weigh agree with them; ratings that weigh something else do not."""

from __future__ import annotations

import numpy as np
import pytest

import llull.judgments
from llull.evaluate.structure import protocols
from llull.judgments import Judgment, Preferences, Rating, named_option, prompt

PAIRS = 600
DIFFERENT = np.array([1.0, 0.0]), np.array([0.1, 1.0])
SAME = np.array([1.0, 0.5]), np.array([1.0, 0.5])


def judged(
    seed: int, weights: tuple[np.ndarray, np.ndarray], noise: float, *, rater: str | None = "same"
) -> Preferences:
    """Options of some density and accuracy, rated from 1 to 7 by the first weights and ranked by the second."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(PAIRS):
        qualities = rng.normal(size=(2, 2))
        scale = np.clip(np.round(4 + 1.5 * qualities @ weights[0] + noise * rng.normal(size=2)), 1, 7)
        ranked = qualities @ weights[1] + noise * rng.normal(size=2)
        ranking = [[0], [1]] if ranked[0] > ranked[1] else [[1], [0]]
        options = [named_option(f"o{2 * number}"), named_option(f"o{2 * number + 1}")]
        where = prompt(f"question {number}")
        ratings = [Rating(i, "quality", float(scale[i]), 1, 7) for i in (0, 1)]
        who = f"a{number % 10}"
        if rater == "same":
            made.append(Judgment(options, where, ranking=ranking, ratings=ratings, annotator=who))
        else:
            made.append(Judgment(options, where, ranking=ranking, annotator=who))
            made.append(Judgment(options, where, ratings=ratings, annotator=rater, verdict="rated"))
    return Preferences.from_judgments(made)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_ratings_of_something_else_disagree_with_rankings(seed: int) -> None:
    apart = protocols(judged(seed, DIFFERENT, 0.5))
    alike = protocols(judged(seed, SAME, 0.1))
    assert apart.aspects[0].with_ties.value < 0.55
    assert alike.aspects[0].decided.value > 0.85
    assert "in part" in apart.verdict or "do not agree" in apart.verdict
    assert "agree with rankings:" in alike.verdict


def fitted(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.linalg.lstsq(x, y, rcond=None)[0]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_how_answers_are_judged_decides_which_of_two_ways_of_training_wins(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def won(weights: tuple[np.ndarray, np.ndarray], noise: float) -> tuple[float, float]:
        """How often best-of-64 by a reward of rankings beats that of ratings: judged by rankings, and by ratings."""
        options = rng.normal(size=(2000, 2))
        from_ratings = fitted(options, options @ weights[0] + noise * rng.normal(size=2000))
        gap = options[::2] - options[1::2]
        from_rankings = fitted(gap, np.sign(gap @ weights[1] + noise * rng.normal(size=1000)))
        many = rng.normal(size=(500, 64, 2))
        best = [many[np.arange(500), (many @ reward).argmax(axis=1)] for reward in (from_rankings, from_ratings)]
        by_ranking = (best[0] - best[1]) @ weights[1] + noise * rng.normal(size=500)
        by_rating = (best[0] - best[1]) @ weights[0] + noise * rng.normal(size=500)
        return float(np.mean(by_ranking > 0)), float(np.mean(by_rating > 0))

    by_ranking, by_rating = won(DIFFERENT, 0.5)
    assert by_ranking > 0.5 > by_rating
    by_ranking, by_rating = won(SAME, 0.1)
    assert abs(by_ranking - by_rating) < 0.1


def test_the_table_counts_every_pair_against_a_loop() -> None:
    votes = judged(0, DIFFERENT, 0.5)
    row = protocols(votes).aspects[0]
    table = np.zeros((3, 3), int)
    for vote in votes:
        first, second = (rating.value for rating in vote.ratings)
        rated = 0 if first > second else 1 if first == second else 2
        table[rated, 0 if vote.ranking == [[0], [1]] else 2] += 1
    assert np.array(row.table).tolist() == table.tolist()
    assert row.pairs == PAIRS
    assert row.with_ties.value == pytest.approx(np.trace(table) / PAIRS)
    corners = table[np.ix_([0, 2], [0, 2])]
    assert row.decided.value == pytest.approx(np.trace(corners) / corners.sum())


def test_own_ratings_are_told_from_those_of_others() -> None:
    assert protocols(judged(0, SAME, 0.1)).aspects[0].by_same
    others = protocols(judged(0, SAME, 0.1, rater="someone else")).aspects
    assert [row.by_same for row in others] == [False]
    assert others[0].decided.value > 0.85


def test_one_context_is_too_few_to_be_sure() -> None:
    votes = [
        Judgment(
            [named_option(f"o{i}"), named_option(f"p{i}")],
            ranking=[[0], [1]],
            ratings=[Rating(0, "quality", 2.0, 0, 2), Rating(1, "quality", 1.0, 0, 2)],
            annotator=f"a{i}",
        )
        for i in range(20)
    ]
    assert "cannot be said" in protocols(Preferences.from_judgments(votes)).verdict


def test_without_ratings_or_rankings_it_is_said() -> None:
    vote = Judgment([named_option("a"), named_option("b")], ranking=[[0], [1]])
    assert "there are no ratings" in protocols(Preferences.from_judgments([vote])).verdict
    only = Judgment([named_option("a"), named_option("b")], ratings=[Rating(0, "quality", 1.0, 0, 1)], verdict="rated")
    assert "there are no rankings" in protocols(Preferences.from_judgments([only])).verdict


def test_readers_of_summaries_rank_as_they_rate(real_data) -> None:
    found = protocols(llull.judgments.read(str(real_data / "squality_human_eval")))
    assert {row.aspect for row in found.aspects} == {"correctness", "coverage", "overall"}
    assert all(row.criterion == row.aspect and row.by_same for row in found.aspects)
    assert min(row.decided.low for row in found.aspects) > 0.9
