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


def test_each_right_one_is_better_than_each_wrong_one(read_rows, assert_kept):
    votes = read_rows(SETS)
    (account,) = votes.reading.files
    assert (account.format, account.judgments) == ("rewardbench-2", 2 * 3 + 1 + 3)
    assert account.rejects[0].reason == "it lacks right or wrong completions"
    rankings = [judgment.ranking for judgment in votes]
    assert rankings[:6] == [[[0], [2]], [[0], [3]], [[0], [4]], [[1], [2]], [[1], [3]], [[1], [4]]]
    assert rankings[6:] == [[[0, 1]], [[0], [1]], [[0], [2]], [[0], [3]]]
    assert [judgment.weight for judgment in votes] == [1 / 6] * 6 + [1] + [1 / 3] * 3
    assert len({judgment.tags["choice"] for judgment in votes}) == 2
    assert [option.text for option in votes[0].options] == ["red", "blue", "one", "two", "three"]
    assert_kept(SETS[0], votes[0])
    assert_kept(SETS[1], votes[7])


def test_only_in_the_subset_of_ties_are_the_right_ones_said_to_be_equal(read_rows):
    votes = read_rows([{**SETS[0], "subset": "Math"}])
    assert len(votes) == 6
    assert not votes.pairs().tie.any()


@pytest.mark.parametrize(("name", "rows"), [("rewardbench", PAIRS), ("rewardbench-2", SETS)])
def test_written_rows_are_read_again(read_rows, tmp_path, name, rows):
    votes = read_rows(rows)
    write(votes, tmp_path / "again.jsonl", name)
    again = read(tmp_path / "again.jsonl")
    assert again.reading.files[0].format == name
    assert list(again) == list(votes)
    assert list(Preferences.load(votes.save(tmp_path / "votes.parquet"))) == list(votes)


def test_a_choice_of_which_a_part_is_missing_is_written_in_parts(read_rows, tmp_path, raw_rows):
    votes = read_rows([SETS[1], SETS[1], SETS[0]])
    write(votes.select(range(11)), tmp_path / "again.jsonl", "rewardbench-2")
    pairs = [("red", "one"), ("red", "two"), ("red", "three"), ("blue", "one"), ("blue", "two")]
    assert [(row["chosen"], row["rejected"]) for row in raw_rows(tmp_path / "again.jsonl")] == [
        (["4"], ["5", "6", "7"]),
        (["4"], ["5", "6", "7"]),
        *(([right], [wrong]) for right, wrong in pairs),
    ]


def test_what_is_left_out_of_a_choice_is_counted_as_read(read_rows, tmp_path):
    turns = [{"role": role, "content": role} for role in ("user", "assistant", "user")]
    votes = read_rows([SETS[1], {**SETS[1], "prompt": turns}])
    with pytest.warns(UserWarning, match="3 left out"):
        written = write(votes, tmp_path / "again.jsonl", "rewardbench-2")
    assert (written.judgments, written.left_out.total()) == (3, 3)


def test_a_tie_names_no_winner(tmp_path):
    options = [text_option("A"), text_option("B")]
    votes = Preferences.from_judgments(
        [Judgment(options, prompt("Q"), [[0, 1]]), Judgment(options, prompt("Q"), [[1], [0]])]
    )
    for name in ("rewardbench", "rewardbench-2"):
        with pytest.warns(UserWarning, match="1 left out"):
            write(votes, tmp_path / "out.jsonl", name)
        assert [judgment.options[0].text for judgment in read(tmp_path / "out.jsonl")] == ["B"]
