from __future__ import annotations

import pytest

from llull.errors import InputError
from llull.judgments import Preferences, prompt


def row(*scores, uid="u1"):
    games = [
        None if s == "gone" else {"score": s, "judgment": {"answer": f"My verdict {s}"}, "prompt": "P"} for s in scores
    ]
    return {"uid": uid, "category": "hard_prompt", "judge": "gemini", "model": "mine", "baseline": "o3", "games": games}


ROWS = [row("A>>B", "A>B"), row("A=B", "B>>A"), row("B>A", None), row("gone", "gone", uid="u2")]


def test_each_game_is_a_judgment(read_rows, write_json_lines, assert_kept, tmp_path):
    write_json_lines([{"uid": "u1", "prompt": "Q"}], "question.jsonl")
    votes = read_rows(ROWS)
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments, len(account.rejects)) == ("arena-hard", 4, 5, 3)
    assert account.rows_rejected == 1
    assert account.notes == {"a question whose text is not beside it": 1}
    # In game 1 the baseline, option 0, is A; in game 2 the model, option 1, is.
    assert [judgment.ranking for judgment in votes] == [[[0], [1]], [[1], [0]], [[0, 1]], [[0], [1]], [[1], [0]]]
    assert [judgment.shown for judgment in votes] == [[0, 1], [1, 0], [0, 1], [1, 0], [0, 1]]
    assert [judgment.strength for judgment in votes] == [2.0, 1.0, 0.0, 2.0, 1.0]
    assert [option.source for option in votes[0].options] == ["o3", "mine"]
    assert votes[0].context == prompt("Q")
    assert (votes[0].annotator, votes[0].rationale) == ("gemini", "My verdict A>>B")
    assert_kept(ROWS[0], list(votes)[:2])
    assert list(Preferences.load(votes.save(tmp_path / "votes.parquet"))) == list(votes)


def test_an_unknown_verdict_stops_the_read(read_rows):
    with pytest.raises(InputError, match="A>>>B"):
        read_rows([row("A>>>B", "A>B")])
