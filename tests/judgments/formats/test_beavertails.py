from __future__ import annotations

import pytest

from llull.errors import InputError
from llull.judgments import Preferences, Rating, prompt

KINDS = ("animal_abuse", "controversial_topics,politics", "violence,aiding_and_abetting,incitement")


def row(safe, *harms, answer="R"):
    return {
        "prompt": "P",
        "response": answer,
        "category": {kind: kind in harms for kind in KINDS},
        "is_safe": safe,
    }


def test_answers_are_rated_safe_or_not(read_rows, assert_kept):
    rows = [row(True), row(False, KINDS[1], KINDS[2]), row(True, KINDS[0]), row(None), row(True, answer=None)]
    votes = read_rows(rows)
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments) == ("beavertails", 5, 3)
    assert [reject.line for reject in account.rejects] == [4, 5]
    assert account.notes == {"the label 'is_safe' contradicts the kinds of harm": 1}
    assert [judgment.ratings for judgment in votes] == [
        [Rating(0, "safe", value, 0.0, 1.0)] for value in (1.0, 0.0, 1.0)
    ]
    assert all(judgment.verdict == "rated" and judgment.context == prompt("P") for judgment in votes)
    assert votes[1].tags["category"] == {KINDS[0]: False, KINDS[1]: True, KINDS[2]: True}
    for raw, judgment in zip(rows, votes, strict=False):
        assert_kept(raw, judgment)


def test_an_unknown_label_stops_the_read(read_rows):
    with pytest.raises(InputError, match="unknown label 'perhaps'"):
        read_rows([row(True), row("perhaps")])


def test_saving_keeps_everything(read_rows, tmp_path):
    votes = read_rows([row(True), row(False, KINDS[1])])
    assert list(Preferences.load(votes.save(tmp_path / "votes.parquet"))) == list(votes)
