from __future__ import annotations

from collections import Counter

import pytest

from llull.judgments import Media


@pytest.fixture(scope="module")
def photos(real_data, read_once):
    return read_once(real_data / "photo_pareto_votes" / "votes.jsonl.gz")


def test_every_answer_is_a_judgment(photos, real_data, raw_rows):
    raw = raw_rows(real_data / "photo_pareto_votes" / "votes.jsonl.gz")
    answers = Counter(answer for row in raw for answer in row["responses"])
    (account,) = photos.reading.files
    assert (account.rows, account.rows_judged, account.judgments) == (14850, 14850, sum(answers.values()))
    pairs = photos.pairs()
    assert len(pairs) == 74238
    assert pairs.tie.sum() == answers[0]
    assert set(pairs.criteria) == {"color", "sharpness", "landscape"}
    assert len(pairs.options) == 100
    assert len(set(photos.table["id"].to_pylist())) == 74238


def test_a_hand_checked_row(photos, real_data):
    judgment = photos[0]
    assert [option.media for option in judgment.options] == [
        [Media("image", "thumbs/13.jpg")],
        [Media("image", "thumbs/25.jpg")],
    ]
    assert (judgment.criterion, judgment.ranking) == ("sharpness", [[1], [0]])
    assert (photos[1].ranking, judgment.tags["photos"]) == ([[0], [1]], [13, 25])
    assert judgment.tags["photo_features"][0]["source_file"] == "(13).jpg"
    assert (real_data / "photo_pareto_votes" / judgment.options[0].media[0].uri).is_file()


def test_without_the_photos_beside_it_the_votes_are_still_read(read_rows):
    row = {"criterion": 0, "criterion_name": "color", "y": 1, "z": 2, "responses": [1, 0, 7, -1]}
    votes = read_rows([row, {**row, "responses": None}])
    assert [judgment.ranking for judgment in votes] == [[[0], [1]], [[0, 1]], [[1], [0]]]
    assert [option.source for option in votes[0].options] == ["photo 1", "photo 2"]
    reasons = [reject.reason for reject in votes.reading.rejects]
    assert reasons == ["answer 3 is 7, not 1, 0 or -1", "its responses are not a list"]
