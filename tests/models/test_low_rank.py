"""People along few directions, and ideal points: recovery, few judgments of a new person, and the null."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tastes import Crowd, TableWithContexts

from llull.judgments import Judgment, Preferences, named_option, prompt
from llull.models import Distances, LowRank, PerAnnotator, PreferenceModel, Shared, load_model

WIDTH, PEOPLE = 12, 60


def along(seed: int, dimensions: int = 2) -> np.ndarray:
    """Weights that differ along few directions."""
    rng = np.random.default_rng(100 + seed)
    base = rng.normal(size=WIDTH) * 0.3
    turn = np.linalg.qr(rng.normal(size=(WIDTH, dimensions)))[0] * 2.0
    return base + rng.normal(size=(PEOPLE, dimensions)) @ turn.T


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_few_directions_beat_free_weights_and_shared_ones(seed: int) -> None:
    crowd = Crowd(along(seed), 24, seed)
    train, test = crowd.split(0.6)
    fit, held = crowd.preferences(train), crowd.preferences(test)

    def accuracy(population) -> float:
        return PreferenceModel(crowd.encoder, population=population).fit(fit).score(held)

    low, free, shared = (accuracy(p) for p in (LowRank(2), PerAnnotator(), Shared()))
    assert low > shared + 0.1
    assert low > free + 0.01


@pytest.mark.parametrize("seed", [0, 1])
def test_a_new_person_is_found_from_few_judgments(seed: int) -> None:
    crowd = Crowd(along(seed), 24, seed)
    known = np.flatnonzero(crowd.annotator < 45)
    new = np.flatnonzero(crowd.annotator >= 45)
    place = np.arange(len(crowd.annotator)) % 24
    few, rest = crowd.preferences(new[place[new] < 8]), crowd.preferences(new[place[new] >= 8])

    def gain(population) -> float:
        model = PreferenceModel(crowd.encoder, population=population).fit(crowd.preferences(known))
        return model.adapt(few).score(rest) - model.score(rest)

    low, free = gain(LowRank(2)), gain(PerAnnotator())
    assert low > 0.08
    assert low > free + 0.02


@pytest.mark.parametrize("seed", [0, 1])
def test_without_differences_nothing_is_gained_or_lost(seed: int) -> None:
    crowd = Crowd(np.tile(along(seed)[:1], (PEOPLE, 1)), 24, seed)
    train, test = crowd.split(0.6)
    fit, held = crowd.preferences(train), crowd.preferences(test)
    low, shared = (PreferenceModel(crowd.encoder, population=p).fit(fit).score(held) for p in (LowRank(2), Shared()))
    assert abs(low - shared) < 0.02


def near_to_points(seed: int, votes: int = 30) -> tuple[TableWithContexts, Preferences, Preferences]:
    """People on a plane who prefer what is near to them."""
    rng = np.random.default_rng(seed)
    ideal = rng.normal(size=(PEOPLE, 2)) * 1.5
    n = PEOPLE * votes
    points = rng.normal(size=(2 * n, 2)) * 1.5
    rows = points @ np.linalg.qr(rng.normal(size=(WIDTH, 2)))[0].T
    who = np.repeat(np.arange(PEOPLE), votes)
    far = ((points - np.repeat(ideal, 2 * votes, axis=0)) ** 2).sum(1)
    first = rng.random(n) < 1 / (1 + np.exp(-(far[1::2] - far[::2])))
    made = [
        Judgment(
            [named_option(f"o{2 * i}"), named_option(f"o{2 * i + 1}")],
            prompt(f"context {i}"),
            ranking=[[0], [1]] if first[i] else [[1], [0]],
            annotator=f"a{who[i]}",
        )
        for i in range(n)
    ]
    place = np.arange(n) % votes
    parts = [Preferences.from_judgments([made[i] for i in np.flatnonzero(m)]) for m in (place < 20, place >= 20)]
    return TableWithContexts(rows.tolist(), np.zeros((n, 1)).tolist()), parts[0], parts[1]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_ideal_points_beat_directions_where_people_like_what_is_near(seed: int) -> None:
    encoder, fit, held = near_to_points(seed)
    near = PreferenceModel(encoder, Distances(2), population=LowRank(2)).fit(fit)
    straight = PreferenceModel(encoder, population=LowRank(2)).fit(fit)
    assert near.score(held) > straight.score(held) + 0.03
    assert near.score(held) > 0.8


def test_it_is_saved_and_says_the_same(tmp_path: Path) -> None:
    encoder, fit, held = near_to_points(0, 24)
    for number, head in enumerate((Distances(2), None)):
        model = PreferenceModel(encoder, head, population=LowRank(2)).fit(fit)
        again = load_model(model.save(tmp_path / str(number)))
        np.testing.assert_allclose(again.prob(held), model.prob(held), atol=1e-12)
        assert again.head == model.head
        assert (model.uncertainty(held) > 0).all()
