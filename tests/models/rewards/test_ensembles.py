"""Ensembles: closed forms, the mean of weights as the mean of utilities, and wrong labels that are found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tastes import Crowd

from llull.errors import InputError
from llull.judgments.views import Pairs
from llull.models import MLP, Linear, PerAnnotator, PreferenceModel, load_model
from llull.models.rewards import (
    Strength,
    average_weights,
    mean_of,
    penalized,
    preference_strength,
    utilities_of,
    worst_of,
)


def crowd_of(seed: int, votes: int = 300, width: int = 4, length: float = 2.0) -> Crowd:
    rng = np.random.default_rng(1000 + seed)
    taste = rng.normal(size=width)
    return Crowd(length * taste[None] / np.linalg.norm(taste), votes, seed)


def test_combinations_by_hand() -> None:
    utilities = np.array([[1.0, 0.0], [3.0, -4.0]])
    np.testing.assert_array_equal(mean_of(utilities), [2.0, -2.0])
    np.testing.assert_array_equal(worst_of(utilities), [1.0, -4.0])
    np.testing.assert_array_equal(penalized(utilities, 0.5), [1.5, -4.0])
    with pytest.raises(InputError, match="one member"):
        penalized(utilities[:1])
    with pytest.raises(InputError, match="reward doubt"):
        penalized(utilities, -1.0)
    with pytest.raises(InputError, match="shape"):
        worst_of(np.zeros(3))


def test_the_mean_of_weights_has_the_mean_of_utilities(tmp_path) -> None:
    crowd = crowd_of(0)
    votes = crowd.preferences()
    halves = [crowd.preferences(np.arange(150)), crowd.preferences(np.arange(150, 300))]
    models = [PreferenceModel(crowd.encoder, l2=1.0).fit(half) for half in halves]
    assert not np.array_equal(models[0].scaling_.scale, models[1].scaling_.scale)
    mean = average_weights(models)
    pairs = mean.pairs(votes)
    np.testing.assert_allclose(mean.margin(pairs), np.mean([m.margin(pairs) for m in models], axis=0), atol=1e-9)
    centered = utilities_of(models, pairs.options)
    np.testing.assert_allclose(utilities_of([mean], pairs.options)[0], mean_of(centered), atol=1e-9)
    # Two members that agree are as uncertain as each.
    alone = average_weights([models[0], models[0]])
    np.testing.assert_allclose(alone.uncertainty(pairs), models[0].uncertainty(pairs), atol=1e-12)
    again = load_model(mean.save(tmp_path / "mean"))
    np.testing.assert_array_equal(again.coef_, mean.coef_)
    # The members stay as they were.
    assert not np.allclose(models[0].coef_, mean.coef_)


def test_centers_of_contexts_are_taken_away() -> None:
    crowd = crowd_of(1)
    model = PreferenceModel(crowd.encoder, l2=1.0).fit(crowd.preferences())
    options = model.pairs(crowd.preferences()).options
    centered = utilities_of([model], options)[0]
    for context in (0, 7):
        at = options.context == context
        assert centered[at].sum() == pytest.approx(0, abs=1e-9)
        raw = model.utility(options)[at]
        assert np.ptp(centered[at]) == pytest.approx(np.ptp(raw), abs=1e-9)
    np.testing.assert_array_equal(utilities_of([model], options, centered=False)[0], model.utility(options))


def test_models_of_different_kinds_are_not_averaged() -> None:
    crowd = Crowd(np.ones((4, 3)), 30, 0)
    votes = crowd.preferences()
    linear = PreferenceModel(crowd.encoder, l2=1.0).fit(votes)
    with pytest.raises(InputError, match="no models"):
        average_weights([])
    with pytest.raises(InputError, match="model 1 is not fitted"):
        average_weights([linear, PreferenceModel(crowd.encoder)])
    other = PreferenceModel(Crowd(np.ones((4, 3)), 30, 1).encoder, l2=1.0)
    other = other.fit(Crowd(np.ones((4, 3)), 30, 1).preferences())
    with pytest.raises(InputError, match="features"):
        average_weights([linear, other])
    people = PreferenceModel(crowd.encoder, population=PerAnnotator(5.0), l2=1.0).fit(votes)
    with pytest.raises(InputError, match="population"):
        average_weights([linear, people])
    with pytest.raises(InputError, match="more than weights"):
        average_weights([people, people])
    deep = [PreferenceModel(crowd.encoder, MLP((4,)), l2=1.0, seed=seed).fit(votes) for seed in (0, 1)]
    with pytest.raises(InputError, match="below the weights"):
        average_weights(deep)
    # One learned body with two last layers has a mean.
    half = deep[0].adapt(crowd.preferences(np.arange(60)))
    mean = average_weights([deep[0], half])
    np.testing.assert_allclose(mean.margin(votes), (deep[0].margin(votes) + half.margin(votes)) / 2, atol=1e-9)


def test_weights_averaged_over_noisy_halves_predict_better_than_each() -> None:
    gain = []
    for seed in range(3):
        crowd = crowd_of(seed, votes=400, width=16)
        models = [
            PreferenceModel(crowd.encoder, l2=1.0).fit(crowd.preferences(np.arange(50) + 50 * part))
            for part in range(4)
        ]
        held = crowd.preferences(np.arange(200, 400))
        gain.append(average_weights(models).score(held) - np.mean([model.score(held) for model in models]))
    assert np.mean(gain) > 0.02


def with_flips(seed: int, share: float) -> tuple[Crowd, Pairs, np.ndarray]:
    """2,000 votes on 64 features of which this share says the opposite, as pairs."""
    crowd = crowd_of(seed, votes=3000, width=64, length=6.0)
    pairs = PreferenceModel(crowd.encoder).pairs(crowd.preferences(np.arange(2000)))
    wrong = np.random.default_rng(50 + seed).random(len(pairs)) < share
    return crowd, Strength(np.where(wrong, -1.0, 1.0), np.zeros(len(pairs)), wrong).flipped(pairs), wrong


def test_flips_exchange_winners_and_are_undone_by_themselves() -> None:
    crowd = crowd_of(0)
    pairs = PreferenceModel(crowd.encoder).pairs(crowd.preferences())
    tied = replace(pairs, tie=np.arange(len(pairs)) == 1)
    sure = Strength(np.where(np.arange(len(pairs)) < 2, -1.0, 1.0), np.full(len(pairs), 0.1), np.ones(len(pairs)))
    turned = sure.flipped(tied)
    assert (turned.winner[0], turned.loser[0]) == (pairs.loser[0], pairs.winner[0])
    np.testing.assert_array_equal(turned.winner[1:], pairs.winner[1:])
    np.testing.assert_array_equal(sure.flipped(turned).winner, pairs.winner)
    assert not Strength(-0.1 * np.ones(1), np.ones(1), np.ones(1)).wrong()[0]
    with pytest.raises(InputError, match="1 pairs, but the strength of 300"):
        sure.flipped(pairs.select(np.arange(1)))


def area(score: np.ndarray, positive: np.ndarray) -> float:
    ranks = score.argsort().argsort() + 1
    n = positive.sum()
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * (~positive).sum()))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_wrong_labels_are_found_and_a_linear_model_neither_gains_nor_loses(seed: int) -> None:
    crowd, pairs, wrong = with_flips(seed, 0.2)
    model = PreferenceModel(crowd.encoder, Linear(), l2=10.0)
    strength = preference_strength(model, pairs, members=8)
    assert area(-strength.mean, wrong) >= 0.9
    held = crowd.preferences(np.arange(2000, 3000))
    plain, flipped = model.fit(pairs).score(held), model.fit(strength.flipped(pairs)).score(held)
    assert abs(plain - flipped) <= 0.02


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_memorizing_model_gains_from_flips(seed: int) -> None:
    crowd, pairs, _ = with_flips(seed, 0.2)
    strength = preference_strength(PreferenceModel(crowd.encoder, l2=10.0), pairs, members=8)
    held = PreferenceModel(crowd.encoder).pairs(crowd.preferences(np.arange(2000, 3000)))
    plain, flipped = memorized(crowd, pairs, held, seed), memorized(crowd, strength.flipped(pairs), held, seed)
    assert flipped >= plain + 0.05


def test_right_labels_are_left_alone() -> None:
    for seed in range(3):
        crowd, pairs, _ = with_flips(seed, 0.0)
        model = PreferenceModel(crowd.encoder, l2=10.0)
        strength = preference_strength(model, pairs, members=8)
        held = crowd.preferences(np.arange(2000, 3000))
        assert model.fit(strength.flipped(pairs)).score(held) >= model.fit(pairs).score(held) - 0.02


def memorized(crowd: Crowd, pairs: Pairs, held: Pairs, seed: int) -> float:
    """Accuracy of a network of two layers that is trained far beyond its best."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(seed)
    network = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 1))
    adam = torch.optim.Adam(network.parameters(), lr=1e-3)
    rows = torch.from_numpy(crowd.encoder.encode(pairs.options))
    winner, loser = rows[pairs.winner.astype(int)], rows[pairs.loser.astype(int)]
    for _ in range(150):
        for batch in torch.randperm(len(winner)).split(128):
            adam.zero_grad()
            margin = network(winner[batch]) - network(loser[batch])
            torch.nn.functional.softplus(-margin).mean().backward()
            adam.step()
    rows = torch.from_numpy(crowd.encoder.encode(held.options))
    with torch.no_grad():
        margin = network(rows[held.winner.astype(int)]) - network(rows[held.loser.astype(int)])
    return float((margin > 0).float().mean())


def test_strength_is_asked_of_members_that_did_not_see_the_pair() -> None:
    """Pairs of pure noise: a member that saw a label would believe it."""
    crowd = Crowd(np.zeros((1, 30)), 60, 0)
    pairs = PreferenceModel(crowd.encoder).pairs(crowd.preferences())
    strength = preference_strength(PreferenceModel(crowd.encoder, l2=0.1), pairs, members=8)
    seen = PreferenceModel(crowd.encoder, l2=0.1).fit(pairs).margin(pairs)
    assert (seen > 0).mean() > 0.7
    assert 0.3 < (strength.mean > 0).mean() < 0.7
    np.testing.assert_array_equal(strength.members, 4)
    with pytest.raises(InputError, match="even number"):
        preference_strength(PreferenceModel(crowd.encoder), pairs, members=5)
