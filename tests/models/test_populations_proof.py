"""What populations are for, on simulated people; and that clustered intervals cover what they claim."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from llull.judgments import Preferences
from llull.models import BradleyTerry, PerAnnotator, PerGroup
from llull.models.fitting.part import fit_part
from llull.models.heads import Linear
from llull.models.links import Logistic
from llull.models.votes import Votes

SEEDS = range(5)


def people(world, seed: int, tastes: np.ndarray, votes_each: int, groups: list[str]) -> tuple[object, Preferences]:
    """Each person judges fresh pairs by a taste [people, features] of their own, with logistic noise."""
    rng = np.random.default_rng(seed)
    count, features = tastes.shape
    some = world(rng.normal(size=(2 * count * votes_each, features)))
    for i in range(count * votes_each):
        person = i % count
        margin = (some.rows[2 * i] - some.rows[2 * i + 1]) @ tastes[person]
        first, second = (2 * i, 2 * i + 1) if rng.random() < 1 / (1 + np.exp(-margin)) else (2 * i + 1, 2 * i)
        fields = {"annotator": f"p{person}", "groups": {"community": groups[person]}}
        some.vote(first, second, context=f"c{i}", **fields)
    return some, some.preferences()


def halves(votes: Preferences, people_count: int) -> tuple[Preferences, Preferences]:
    """The first half of each person's votes, and the second."""
    turn = np.arange(len(votes)) // people_count
    return votes.select(turn < turn.max() / 2), votes.select(turn > turn.max() / 2)


@pytest.mark.parametrize("seed", SEEDS)
def test_opposed_communities_need_a_model_each(world, seed):
    rng = np.random.default_rng(100 + seed)
    taste = rng.normal(size=5)
    taste *= 2 / np.linalg.norm(taste)
    tastes = np.array([taste, -taste] * 10)
    some, votes = people(world, seed, tastes, 60, ["left", "right"] * 10)
    seen, unseen = halves(votes, 20)
    shared = BradleyTerry(some.encoder()).fit(seen).score(unseen)
    each = BradleyTerry(some.encoder(), PerGroup("community")).fit(seen).score(unseen)
    # Chance, within four standard errors of a share of n.
    assert abs(shared - 0.5) < 4 * 0.5 / np.sqrt(len(unseen))
    assert each > 0.7


def test_annotators_drawn_to_the_shared_beat_both_extremes_at_few_votes(world):
    """Mean held-out loss over seeds; tastes vary around a common one, 12 votes for each of 8 features."""
    losses = []
    for seed in SEEDS:
        rng = np.random.default_rng(200 + seed)
        tastes = rng.normal(size=8) + 1.0 * rng.normal(size=(40, 8))
        some, votes = people(world, seed, tastes, 24, ["all"] * 40)
        seen, unseen = halves(votes, 40)
        row = []
        for population in (None, PerAnnotator(), PerAnnotator(1e-3)):
            model = BradleyTerry(some.encoder(), population).fit(seen)
            row.append(float(-np.log(np.maximum(model.prob(unseen), 1e-12)).mean()))
        losses.append(row)
    shared, drawn, apart = np.mean(losses, axis=0)
    assert drawn < shared - 0.01
    assert drawn < apart - 0.01


def test_without_differences_between_people_nothing_is_gained_or_lost(world):
    for seed in SEEDS:
        tastes = np.repeat(np.random.default_rng(300 + seed).normal(size=(1, 4)), 20, axis=0)
        some, votes = people(world, seed, tastes, 30, ["all"] * 20)
        seen, unseen = halves(votes, 20)
        losses = []
        for population in (None, PerAnnotator()):
            model = BradleyTerry(some.encoder(), population).fit(seen)
            losses.append(float(-np.log(model.prob(unseen)).mean()))
        assert abs(losses[0] - losses[1]) < 0.02


def test_clustered_intervals_cover_and_naive_ones_do_not():
    """Annotators push one feature each their own way, so their votes are not independent."""
    runs, annotators, each = 200, 60, 20
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(annotators), each)
    n = len(codes)
    covered, naive = 0, 0
    for _ in range(runs):
        x = rng.normal(size=(n, 2))
        # A logistic model with a random push by each annotator along x; its best linear weights are symmetric
        # about 0 for the second feature, whose true weight is thus 0.
        push = rng.normal(size=(annotators, 2))
        push[:, 0] += 1.0
        won = rng.random(n) < 1 / (1 + np.exp(-(x * push[codes]).sum(axis=1)))
        rows = np.concatenate([x, np.zeros((n, 2))])
        first, second = np.arange(n), np.arange(n, 2 * n)
        votes = Votes(
            rows=rows,
            winner=np.where(won, first, second),
            loser=np.where(won, second, first),
            tie=np.zeros(n, bool),
            weight=np.ones(n),
            context=np.arange(n),
            annotator=codes,
            judgment=np.arange(n),
            member=np.full(n, -1),
            members=(),
        )
        part = fit_part(votes, Linear(), Logistic(), 1e-6, 0, ("a", "b"))
        covered += abs(part.weights[1]) < 1.96 * part.errors[1]
        naive += abs(part.weights[1]) < 1.96 * np.sqrt(part.covariance[1, 1])
    low, high = binom.ppf([0.0005, 0.9995], runs, 0.95)
    assert low <= covered <= high
    assert naive < low
