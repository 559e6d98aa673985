from __future__ import annotations

import pytest

from llull.judgments import Judgment, Preferences, prompt, text_option, write
from llull.judgments.reading import read

PAIRS = [
    {
        "prompt": "Q",
        "chosen": "A",
        "chosen_model": "m",
        "rejected": "B",
        "rejected_model": "n",
        "subset": "alpacaeval-easy",
        "id": 4,
    },
    {
        "prompt": "Q",
        "chosen": "A",
        "chosen_model": "m",
        "rejected": None,
        "rejected_model": "n",
        "subset": "x",
        "id": 5,
    },
]
SETS = [
    {
        "id": "tied:1",
        "prompt": "A color?",
        "chosen": ["red", "blue"],
        "rejected": ["one", "two", "three"],
        "num_correct": 2,
        "num_incorrect": 3,
        "total_completions": 5,
        "subset": "Ties",
    },
    {
        "id": "7",
        "prompt": "2+2?",
        "chosen": ["4"],
        "rejected": ["5", "6", "7"],
        "num_correct": 1,
        "num_incorrect": 3,
        "total_completions": 4,
        "subset": "Math",
    },
    {
        "id": "8",
        "prompt": "Q",
        "chosen": [],
        "rejected": ["5"],
        "num_correct": 0,
        "total_completions": 1,
        "subset": "Math",
    },
]


def test_pairs(read_rows, assert_kept):
    votes = read_rows(PAIRS)
    (account,) = votes.reading.files
    assert (account.format, account.judgments) == ("rewardbench", 1)
    assert account.rejects[0].reason == "field 'rejected' is null, not text"
    assert votes[0].context == prompt("Q")
    assert [(option.text, option.source) for option in votes[0].options] == [("A", "m"), ("B", "n")]
    assert (votes[0].ranking, votes[0].tags["source"]) == ([[0], [1]], "alpacaeval-easy")
    assert_kept(PAIRS[0], votes[0])


def test_sets_have_two_tiers(read_rows, assert_kept):
    votes = read_rows(SETS)
    (account,) = votes.reading.files
    assert (account.format, account.judgments) == ("rewardbench-2", 2)
    assert account.rejects[0].reason == "it lacks right or wrong completions"
    assert [judgment.ranking for judgment in votes] == [[[0, 1], [2, 3, 4]], [[0], [1, 2, 3]]]
    assert [option.text for option in votes[0].options] == ["red", "blue", "one", "two", "three"]
    for row, judgment in zip(SETS, votes, strict=False):
        assert_kept(row, judgment)


@pytest.mark.parametrize(("name", "rows"), [("rewardbench", PAIRS), ("rewardbench-2", SETS)])
def test_written_rows_are_read_again(read_rows, tmp_path, name, rows):
    votes = read_rows(rows)
    write(votes, tmp_path / "again.jsonl", name)
    again = read(tmp_path / "again.jsonl")
    assert again.reading.files[0].format == name
    assert list(again) == list(votes)
    assert list(Preferences.load(votes.save(tmp_path / "votes.parquet"))) == list(votes)


def test_a_tie_names_no_winner(tmp_path):
    options = [text_option("A"), text_option("B")]
    votes = Preferences.from_judgments(
        [Judgment(options, prompt("Q"), [[0, 1]]), Judgment(options, prompt("Q"), [[1], [0]])]
    )
    for name in ("rewardbench", "rewardbench-2"):
        with pytest.warns(UserWarning, match="1 left out"):
            write(votes, tmp_path / "out.jsonl", name)
        assert [judgment.options[0].text for judgment in read(tmp_path / "out.jsonl")] == ["B"]
