from __future__ import annotations

import pytest

from llull.errors import InputError
from llull.judgments import Judgment, Preferences, named_option, prompt, text_option, write
from llull.judgments.reading import known_writers, read


def completion(rank, text, **more):
    return {"rank": rank, "completion": [{"role": "assistant", "content": text}], **more}


ASKED = [{"role": "system", "content": "S"}, {"role": "user", "content": "Q"}]
ROWS = [
    {"context": ASKED, "completions": [completion(1, "B"), completion(0, "A")], "task_name": "math"},
    {
        "context": ASKED,
        "completions": [completion(0, "A"), completion(2, "C"), completion(0, "A2"), completion(1, "B")],
    },
    {
        "context": ASKED,
        "completions": [completion(0, "A", score=0.9), completion(0, "B", score=0.8), completion(None, "C")],
    },
    {"context": ASKED, "completions": []},
    {"context": "Q", "completions": [completion(0, "A")]},
    {"context": ASKED, "completions": [completion("first", "A")]},
]


def test_ranks_become_tiers(read_rows, assert_kept):
    votes = read_rows(ROWS)
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments) == ("nemo-rl", 6, 3)
    assert [reject.line for reject in account.rejects] == [4, 5, 6]
    assert [judgment.ranking for judgment in votes] == [[[1], [0]], [[0, 2], [3], [1]], [[0, 1]]]
    assert all(judgment.context == prompt("Q", system="S") for judgment in votes)
    assert votes[0].tags == {"task_name": "math", "source": "sample"}
    assert votes[2].tags["completions"] == ROWS[2]["completions"]
    for row, judgment in zip(ROWS, votes, strict=False):
        assert_kept(row, judgment, but=() if "completions" in judgment.tags else ("completions",))


def test_turns_with_more_than_words_are_kept(read_rows, assert_kept):
    row = {
        "context": [{"role": "user", "content": "Q", "name": "ann"}],
        "completions": [completion(0, "A"), completion(1, "B")],
    }
    votes = read_rows([row])
    assert votes[0].context == prompt("Q")
    assert_kept(row, votes[0])


def test_written_rankings_are_read_again(read_rows, tmp_path):
    votes = read_rows(ROWS[:2])
    assert not known_writers()["nemo-rl"].write(votes, tmp_path / "sample.json")
    assert list(read(tmp_path / "sample.json")) == list(votes)


def test_only_rankings_with_texts_fit(tmp_path):
    votes = Preferences.from_judgments(
        [
            Judgment([text_option("A"), text_option("B")], prompt("Q"), ranking=[[0, 1]]),
            Judgment([text_option("A"), text_option("B")], prompt("Q"), ranking=[[0, 1]], verdict="both_good"),
            Judgment([named_option("a"), named_option("b")], prompt("Q"), ranking=[[0], [1]]),
        ]
    )
    left_out = known_writers()["nemo-rl"].write(votes, tmp_path / "out.jsonl")
    assert left_out == {"that are not a ranking": 1, "with an option that has no text, or media": 1}
    assert [judgment.ranking for judgment in read(tmp_path / "out.jsonl")] == [[[0, 1]]]
    with pytest.raises(InputError, match="give it such a name"):
        write(votes, tmp_path / "out.csv", "nemo-rl")
