from __future__ import annotations

import pytest

from llull.errors import InputError
from llull.judgments import Preferences, Rating, prompt


def first_release(better, safer, safe=(True, False)):
    return {
        "prompt": "P",
        "response_0": "zero",
        "response_1": "one",
        "is_response_0_safe": safe[0],
        "is_response_1_safe": safe[1],
        "better_response_id": better,
        "safer_response_id": safer,
    }


def full(better, safer, safe=(True, False), severity=(0, 3)):
    return {
        **first_release(better, safer, safe),
        "prompt_source": "BeaverTails",
        "response_0_source": "Alpaca-7B",
        "response_1_source": "Alpaca2-7B",
        "response_0_harm_category": {"Violence": False, "Cybercrime": False},
        "response_1_harm_category": {"Violence": True, "Cybercrime": False},
        "response_0_severity_level": severity[0],
        "response_1_severity_level": severity[1],
        "response_0_sha256": "aa",
        "response_1_sha256": "bb",
    }


def test_a_row_is_two_judgments(read_rows, assert_kept):
    rows = [full(1, 0), full(0, 0)]
    votes = read_rows(rows)
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments) == ("pku-saferlhf", 2, 4)
    helpful, harmless = votes[0], votes[1]
    assert (helpful.criterion, helpful.ranking, helpful.ratings) == ("helpful", [[1], [0]], [])
    assert (harmless.criterion, harmless.ranking) == ("harmless", [[0], [1]])
    assert harmless.ratings == [
        Rating(0, "safe", 1.0, 0.0, 1.0),
        Rating(0, "severity", 0.0, 3.0, 0.0),
        Rating(1, "safe", 0.0, 0.0, 1.0),
        Rating(1, "severity", 3.0, 3.0, 0.0),
    ]
    for judgment in votes:
        assert judgment.context == prompt("P")
        assert [option.text for option in judgment.options] == ["zero", "one"]
        assert [option.source for option in judgment.options] == ["Alpaca-7B", "Alpaca2-7B"]
        assert judgment.annotator_kind == "human"
        assert judgment.tags["response_1_harm_category"] == {"Violence": True, "Cybercrime": False}
    assert_kept(rows[0], [votes[0], votes[1]])
    assert_kept(rows[1], [votes[2], votes[3]])


def test_a_missing_label_rejects_one_of_the_two(read_rows):
    votes = read_rows([full(None, 1), full(0, None), first_release(1, 1)])
    assert [(judgment.criterion, judgment.ranking[0]) for judgment in votes] == [
        ("harmless", [1]),
        ("helpful", [0]),
        ("helpful", [1]),
        ("harmless", [1]),
    ]
    assert [(reject.line, reject.reason) for reject in votes.reading.rejects] == [
        (1, "field 'better_response_id' holds no label"),
        (2, "field 'safer_response_id' holds no label"),
    ]


def test_the_first_release_has_no_severity(read_rows, assert_kept):
    row = first_release(1, 0)
    votes = read_rows([row])
    assert [rating.aspect for rating in votes[1].ratings] == ["safe", "safe"]
    assert [option.source for option in votes[0].options] == [None, None]
    assert_kept(row, list(votes))


def test_an_unknown_response_stops_the_read(read_rows):
    with pytest.raises(InputError, match="unknown label 2"):
        read_rows([full(1, 0), full(2, 0)])


def test_single_dimension(read_rows, assert_kept):
    row = {"prompt": "P", "response_0": "zero", "response_1": "one", "better_response_id": 1, "response_0_source": "m"}
    votes = read_rows([row])
    assert votes.reading.files[0].format == "pku-saferlhf-single-dimension"
    assert [(judgment.criterion, judgment.ranking) for judgment in votes] == [("helpful and harmless", [[1], [0]])]
    assert_kept(row, votes[0])


def test_answers_with_safety_labels(read_rows, assert_kept):
    row = {
        "prompt": "P",
        "response": "R",
        "is_safe": False,
        "harm_category": {"Violence": True, "Drugs": False},
        "severity_level": 2,
        "response_source": "m",
    }
    votes = read_rows([row, {**row, "is_safe": None, "severity_level": None}])
    assert votes.reading.files[0].format == "pku-saferlhf-qa"
    assert len(votes) == 1
    assert votes[0].ratings == [Rating(0, "safe", 0.0, 0.0, 1.0), Rating(0, "severity", 2.0, 3.0, 0.0)]
    assert (votes[0].verdict, votes[0].criterion, votes[0].options[0].source) == ("rated", "harmless", "m")
    assert [reject.line for reject in votes.reading.rejects] == [2]
    assert_kept(row, votes[0])


def test_saving_keeps_everything(read_rows, tmp_path):
    votes = read_rows([full(1, 0), full(0, 0)])
    assert list(Preferences.load(votes.save(tmp_path / "votes.parquet"))) == list(votes)
