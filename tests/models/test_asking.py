"""Active queries: information by hand, half the judgments for a new person, and nothing where all are alike."""

from __future__ import annotations

import numpy as np
import pytest
from tastes import Crowd

from llull.errors import InputError
from llull.models import LowRank, Mixture, PreferenceModel, Shared
from llull.models.asking import Asking, ask

PEOPLE, NEW = 200, 40


def crowd_of_four(seed: int, kinds: int = 4) -> Crowd:
    """People of orthogonal tastes, 40 judgments each."""
    rng = np.random.default_rng(70 + seed)
    tastes = np.linalg.qr(rng.normal(size=(16, 4)))[0].T * 3
    return Crowd(tastes[rng.integers(kinds, size=PEOPLE + NEW)], 40, seed)


def told_by(crowd: Crowd, model: PreferenceModel, count: int, seed: int) -> tuple[float, float]:
    """Accuracy on new people after so many judgments that were asked for, and after as many at random."""
    place, rng = np.arange(len(crowd.annotator)) % 40, np.random.default_rng(seed)
    asked, drawn = [], []
    for person in range(PEOPLE, PEOPLE + NEW):
        mine = np.flatnonzero((crowd.annotator == person) & (place < 30))
        pairs = crowd.preferences(mine).pairs()
        asked += [mine[i] for i in ask(Asking(model, pairs), pairs, count)]
        drawn += list(rng.permutation(mine)[:count])
    held = crowd.preferences(np.flatnonzero((crowd.annotator >= PEOPLE) & (place >= 30)))
    first, second = (model.adapt(crowd.preferences(np.array(told))).score(held) for told in (asked, drawn))
    return first, second


def fitted(crowd: Crowd, population: Mixture | LowRank) -> PreferenceModel:
    place = np.arange(len(crowd.annotator)) % 40
    return PreferenceModel(crowd.encoder, population=population).fit(
        crowd.preferences(np.flatnonzero((crowd.annotator < PEOPLE) & (place < 24)))
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_two_judgments_asked_for_are_worth_four_at_random(seed: int) -> None:
    """VPL's claim is half the judgments."""
    crowd = crowd_of_four(seed)
    model = fitted(crowd, Mixture(4))
    assert told_by(crowd, model, 2, seed)[0] > told_by(crowd, model, 4, seed)[1] - 0.01
    asked, drawn = told_by(crowd, model, 2, seed)
    assert asked > drawn + 0.05


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_where_all_are_alike_it_does_not_matter_what_is_asked(seed: int) -> None:
    crowd = crowd_of_four(seed, kinds=1)
    asked, drawn = told_by(crowd, fitted(crowd, Mixture(2)), 4, seed)
    assert abs(asked - drawn) < 0.03


def small() -> tuple[Crowd, PreferenceModel]:
    rng = np.random.default_rng(0)
    crowd = Crowd(np.array([[2.0, 2.0], [2.0, -2.0]])[rng.integers(2, size=30)], 12, 0)
    return crowd, PreferenceModel(crowd.encoder, population=Mixture(2), l2=1.0).fit(crowd.preferences())


def test_information_is_what_an_answer_takes_from_the_entropy_of_the_belief() -> None:
    crowd, model = small()
    pairs = crowd.preferences(np.arange(20)).pairs()
    asking = Asking(model, pairs)
    said = np.stack([p.contrasts(model.head, model.sides(pairs)[0]) @ p.weights for p in model.parts_.members.values()])
    prob = 1 / (1 + np.exp(-said))
    before = asking.belief
    expected = np.empty(len(pairs))
    for i in range(len(pairs)):
        expected[i] = -(before @ np.log(before))
        for likely in (prob[:, i], 1 - prob[:, i]):
            after = before * likely
            expected[i] += after @ np.log(after / after.sum())
    np.testing.assert_allclose(asking.information(), expected, atol=1e-12)
    first = asking.next()
    assert expected[first] == expected.max()
    asking.tell(first, 0)
    after = before * prob[:, first]
    np.testing.assert_allclose(asking.belief, after / after.sum(), atol=1e-12)
    assert asking.information()[first] == 0
    assert asking.next() != first


def test_a_tie_counts_half_for_each_side_and_all_are_asked_once() -> None:
    crowd, model = small()
    pairs = crowd.preferences(np.arange(5)).pairs()
    asking = Asking(model, pairs)
    before = asking.belief
    first, _ = model.sides(pairs)
    parts = model.parts_.members.values()
    prob = np.array([1 / (1 + np.exp(-(p.contrasts(model.head, first.select([0])) @ p.weights)[0])) for p in parts])
    asking.tell(0, 1)
    expected = before * np.sqrt(prob * (1 - prob))
    np.testing.assert_allclose(asking.belief, expected / expected.sum(), atol=1e-12)
    assert sorted(ask(Asking(model, pairs), pairs, 9)) == [0, 1, 2, 3, 4]
    for pair in range(1, 5):
        asking.tell(pair, 0)
    with pytest.raises(InputError, match="all 5 pairs were asked"):
        asking.next()


def test_a_model_that_knows_nobody_cannot_say_what_to_ask() -> None:
    crowd, _ = small()
    model = PreferenceModel(crowd.encoder, population=Shared(), l2=1.0).fit(crowd.preferences())
    with pytest.raises(InputError, match="Shared knows nobody"):
        Asking(model, crowd.preferences(np.arange(5)).pairs())
