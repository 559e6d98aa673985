from __future__ import annotations

from llull.judgments import Message, Preferences


def row(winner, turn_content="B"):
    asked = {"role": "user", "content": "Q"}
    return {
        "model_a": "m",
        "model_b": "n",
        "winner": winner,
        "judge": "user-hash",
        "turn": 1,
        "timestamp": "2025-03-18T12:00:00+02:00",
        "messages_a": [asked, {"role": "assistant", "content": "A"}],
        "messages_b": [asked, {"role": "assistant", "content": turn_content}],
        "system_a_metadata": {"conv_id": "x", "web_search_trace": [["query", "result"]]},
        "primary_intent": "Factual Lookup",
        "languages": ["en", "ca"],
    }


ROWS = [row("model_b"), row(None), row("tie (bothbad)"), row("tie", 5)]


def test_votes_and_missing_votes(read_rows, assert_kept, tmp_path):
    votes = read_rows(ROWS)
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments) == ("search-arena", 4, 2)
    assert [reject.line for reject in account.rejects] == [2, 4]
    assert account.rejects[0].reason == "nobody voted on it"
    assert votes[0].context == [Message("user", "Q")]
    assert [(option.text, option.source) for option in votes[0].options] == [("A", "m"), ("B", "n")]
    assert (votes[0].ranking, votes[0].annotator) == ([[1], [0]], "user-hash")
    assert votes[0].time.isoformat() == "2025-03-18T10:00:00+00:00"
    assert (votes[1].verdict, votes[1].ranking) == ("both_bad", [[0, 1]])
    assert_kept(ROWS[0], votes[0], but=["winner", "timestamp"])
    assert list(Preferences.load(votes.save(tmp_path / "votes.parquet"))) == list(votes)
