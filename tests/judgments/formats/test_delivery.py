from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest


@pytest.fixture(scope="module")
def delivery(real_data, read_once):
    return read_once(real_data / "delivery_human_prefs" / "human_prefs.jsonl.gz")


@pytest.fixture(scope="module")
def raw(real_data, raw_rows):
    return raw_rows(real_data / "delivery_human_prefs" / "human_prefs.jsonl.gz")


def test_every_row_is_a_judgment_of_two_segments(delivery, raw):
    (account,) = delivery.reading.files
    assert (account.format, account.rows, account.judgments, account.rejects) == ("delivery", 9630, 9630, [])
    for judgment, row in zip(delivery, raw, strict=True):
        assert [json.loads(option.text) for option in judgment.options] == row["segment_pair"]
    assert Counter(json.dumps(j.ranking) for j in delivery) == {
        "[[1], [0]]": 4646,
        "[[0], [1]]": 3374,
        "[[0, 1]]": 1610,
    }


def test_ids_are_unique_though_people_answer_alike(delivery):
    assert len(set(delivery.table["id"].to_pylist())) == 9630


def test_a_hand_checked_row(delivery, raw, assert_kept):
    first = delivery[0]
    assert (first.ranking, first.annotator_kind) == ([[0, 1]], "human")
    assert (first.tags["condition"], first.tags["X"]) == ("Pr-Privileged", [-2.0, 3.0, 8.0])
    for place in (0, 1, 5000, 9629):
        assert_kept(raw[place], delivery[place], but=["Y", "segment_pair"])


def test_the_second_segment_is_the_better_one_where_its_return_is_higher(delivery):
    """X is second less first if the one cell worth +50 is a goal: with the other sign it would be a pit, and the
    several pits would be goals. So most people must prefer the second where X says that it earns 20 more."""
    better, worse = np.zeros(2), np.zeros(2)
    for judgment in delivery:
        gain = judgment.tags["X"][0]
        if judgment.ranking in ([[0], [1]], [[1], [0]]):
            preferred = judgment.ranking[0][0]
            better[preferred] += gain > 20
            worse[preferred] += gain < -20
    assert better[1] > 10 * better[0]
    assert worse[0] > 5 * worse[1]


def test_unknown_labels_and_shapes(read_rows):
    row = {"condition": "c", "index": 0, "Y": None, "X": [], "segment_pair": [[[1, 2]], [[3, 4]]]}
    votes = read_rows([row, {**row, "Y": 1, "segment_pair": [[[1, 2]]]}, {**row, "Y": 1}])
    assert [reject.line for reject in votes.reading.rejects] == [1, 2]
    assert len(votes) == 1
