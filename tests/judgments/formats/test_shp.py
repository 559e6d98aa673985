from __future__ import annotations

import pytest

from llull.errors import InputError
from llull.judgments import Preferences, Rating, prompt


def row(label, scores=(30, 10), ratio=3.0, **more):
    return {
        "post_id": "qt3nxl",
        "domain": "askculinary_train",
        "upvote_ratio": 0.98,
        "history": "How do I boil an egg?",
        "c_root_id_A": "hkh25sc",
        "c_root_id_B": "hkh25lp",
        "created_at_utc_A": 1636822112,
        "created_at_utc_B": 1636822110,
        "score_A": scores[0],
        "score_B": scores[1],
        "human_ref_A": "In water.",
        "human_ref_B": "Ask a hen.",
        "labels": label,
        "seconds_difference": 2.0,
        "score_ratio": ratio,
        **more,
    }


def test_votes_are_observed_behavior(read_rows, assert_kept):
    rows = [row(1), row(0, (5, 20), 4.0), row(1, (None, 2), None), row(None), row(1, ratio="thrice")]
    votes = read_rows(rows)
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments) == ("shp", 5, 3)
    assert [reject.line for reject in account.rejects] == [4, 5]
    assert [(judgment.ranking, judgment.strength) for judgment in votes] == [
        ([[0], [1]], 3.0),
        ([[1], [0]], 4.0),
        ([[0], [1]], None),
    ]
    judgment = votes[0]
    assert judgment.context == prompt("How do I boil an egg?")
    assert [option.text for option in judgment.options] == ["In water.", "Ask a hen."]
    assert judgment.ratings == [Rating(0, "score", 30.0), Rating(1, "score", 10.0)]
    assert judgment.annotator_kind == "behavior"
    assert judgment.annotator is None
    assert judgment.tags["source"] == judgment.tags["domain"] == "askculinary_train"
    assert judgment.tags["strength_range"] == [1, None]
    assert judgment.tags["created_at_utc_A"] == 1636822112
    for raw, judgment in zip(rows, votes, strict=False):
        assert_kept(raw, judgment, but=("labels",))


def test_an_unknown_label_stops_the_read(read_rows):
    with pytest.raises(InputError, match="unknown label 2"):
        read_rows([row(1), row(2)])


def test_saving_keeps_everything(read_rows, tmp_path):
    votes = read_rows([row(1), row(0, (5, 20), 4.0)])
    assert list(Preferences.load(votes.save(tmp_path / "votes.parquet"))) == list(votes)
