from __future__ import annotations

import pytest

from llull.errors import InputError
from llull.judgments import Preferences, prompt

ATTRIBUTES = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")


def rated(asked, answer, values):
    return {"prompt": asked, "response": answer, **dict(zip(ATTRIBUTES, values, strict=True))}


RATINGS = [
    rated("P", "p1", (4, 3, 4, 1, 2)),
    rated("P", "p2", (0, 1, 2, 0, 4)),
    rated("Q", "q1", (3, 3, 4, 1, 1)),
    rated("P", "p3", (2, 2, 2, 2, 2)),
    rated("P", "p4", (1, 1, 1, 1, None)),
    rated("P", "p5", (3, 3, 3, 3, 3)),
    rated("P", "p6", (4, 4, 4, 4, 4)),
    rated("R", "r1", (1, "high", 1, 1, 1)),
    rated("R", "r2", (1, 2, 3, 4, 0)),
    rated("S", None, (1, 1, 1, 1, 1)),
    rated("T", "t1", (None,) * 5),
]


def test_only_neighbors_with_the_same_prompt_pair_up(read_rows, assert_kept):
    votes = read_rows(RATINGS)
    (account,) = votes.reading.files
    assert account.format == "helpsteer2"
    assert [[option.text for option in judgment.options] for judgment in votes] == [
        ["p1", "p2"],
        ["q1"],
        ["p3", "p4"],
        ["p5", "p6"],
        ["r2"],
    ]
    assert account.rows == 11 == account.rows_judged + account.rows_rejected
    assert [(reject.line, reject.reason) for reject in account.rejects] == [
        (8, "'correctness' is 'high', not a number"),
        (10, "field 'response' is null, not text"),
        (11, "its verdict is 'rated' but it has no ratings"),
    ]
    assert account.notes == {"a response without another to the same prompt beside it": 3}
    for row, place in ((0, 0), (1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (6, 3), (8, 4)):
        assert_kept(RATINGS[row], votes[place])


def test_one_pair_by_hand(read_rows):
    judgment = read_rows(RATINGS)[0]
    assert judgment.context == prompt("P")
    assert judgment.verdict == "rated"
    assert judgment.annotator_kind == "human"
    assert judgment.tags == {"source": "sample"}
    assert [(rating.option, rating.aspect, rating.value, rating.low, rating.high) for rating in judgment.ratings] == [
        (option, aspect, float(value), 0.0, 4.0)
        for option, values in enumerate([(4, 3, 4, 1, 2), (0, 1, 2, 0, 4)])
        for aspect, value in zip(ATTRIBUTES, values, strict=True)
    ]


def test_a_missing_rating_is_left_out(read_rows):
    judgment = read_rows(RATINGS)[2]
    assert {rating.aspect for rating in judgment.ratings if rating.option == 1} == set(ATTRIBUTES) - {"verbosity"}


def preference(strength, statement="@Response 1 is slightly better.", elaboration="It is shorter."):
    return {
        "split": "train",
        "prompt": "P",
        "response_1": "one",
        "response_2": "two",
        "preference_strength": strength,
        "preference_statement": statement,
        "preference_elaboration": elaboration,
        "three_most_similar_preferences": [{"statement": "s1", "elaboration": "e1", "strength": 1}],
        "all_preferences_unprocessed": [{"statement": "s2", "elaboration": "e2", "strength": -1}],
    }


def test_negative_strength_means_response_1_is_better(read_rows, assert_kept):
    rows = [preference(-2), preference(3), preference(0, elaboration=None), preference(None)]
    votes = read_rows(rows)
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments) == ("helpsteer2-preference", 4, 3)
    assert [(judgment.ranking, judgment.strength) for judgment in votes] == [
        ([[0], [1]], 2.0),
        ([[1], [0]], 3.0),
        ([[0, 1]], 0.0),
    ]
    assert all(judgment.verdict == "ranked" and judgment.tags["strength_range"] == [0, 3] for judgment in votes)
    assert [option.text for option in votes[0].options] == ["one", "two"]
    assert [judgment.rationale for judgment in votes] == ["It is shorter.", "It is shorter.", None]
    assert votes[0].tags["all_preferences_unprocessed"] == rows[0]["all_preferences_unprocessed"]
    for row, judgment in zip(rows, votes, strict=False):
        assert_kept(row, judgment, but=("preference_strength",))


def test_an_unknown_strength_stops_the_read(read_rows):
    with pytest.raises(InputError, match="unknown label 4"):
        read_rows([preference(1), preference(4)])


def test_the_lists_of_disagreements_are_not_taken_for_ratings(read_rows):
    row = {"prompt": "P", "response": "p", **{attribute: [1, 4] for attribute in ATTRIBUTES}}
    with pytest.raises(InputError, match="no known format"):
        read_rows([row, row])


def test_saving_keeps_everything(read_rows, tmp_path):
    for rows in (RATINGS, [preference(-2), preference(0)]):
        votes = read_rows(rows)
        assert list(Preferences.load(votes.save(tmp_path / "votes.parquet"))) == list(votes)
