from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(scope="module")
def jester(real_data, read_once):
    return read_once(real_data / "jester5k" / "ratings.jsonl.gz")


@pytest.fixture(scope="module")
def raw(real_data, raw_rows):
    return raw_rows(real_data / "jester5k" / "ratings.jsonl.gz")


def test_every_rating_is_in_the_view(jester, raw):
    (account,) = jester.reading.files
    assert (account.rows, account.judgments, account.rejects) == (5000, 5000, [])
    view = jester.ratings("funny")
    given = np.array([value for row in raw for value in row["ratings"].values()])
    assert len(given) == 363_209
    np.testing.assert_array_equal(view.value, given)
    assert len(view.options) == 100
    assert (view.low.max(), view.high.min()) == (-10.0, 10.0)


def test_a_hand_checked_user(jester, raw, assert_kept):
    user = jester[0]
    assert (user.annotator, user.verdict, len(user.options)) == ("u7452", "rated", 100)
    assert user.options[0].text.startswith("A man visits the doctor.")
    assert (user.options[1].source, user.ratings[1].value) == ("j2", -3.54)
    assert_kept(raw[0], user)


def test_pairs_compare_jokes_within_a_person(jester, raw):
    few = jester.select([1])
    pairs = few.pairs(rating="funny")
    values = list(raw[1]["ratings"].values())
    assert len(pairs) == len(values) * (len(values) - 1) // 2
    assert pairs.strength.min() >= 0
    assert pairs.strength.max() == pytest.approx(max(values) - min(values))


def test_jokes_without_their_texts_and_bad_ratings(read_rows):
    votes = read_rows([{"user": "u1", "ratings": {"j1": 2, "j2": -3}}, {"user": "u2", "ratings": {"j1": "x"}}])
    assert [option.source for option in votes[0].options] == ["j1", "j2"]
    assert [reject.reason for reject in votes.reading.rejects] == ["'j1' is 'x', not a number"]
