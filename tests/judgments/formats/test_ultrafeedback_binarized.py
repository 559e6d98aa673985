from __future__ import annotations

from llull.judgments import Preferences, Rating, prompt


def row(chosen, rejected, scores, **more):
    asked = {"role": "user", "content": "Q"}
    sides = {
        "chosen": [asked, {"role": "assistant", "content": chosen}],
        "rejected": [asked, {"role": "assistant", "content": rejected}],
    }
    score = {"score_chosen": scores[0], "score_rejected": scores[1]}
    return {"prompt": "Q", "prompt_id": "f0e1", **sides, "messages": sides["chosen"], **score, **more}


ROWS = [
    row("A", "B", (8.5, 6.0)),
    row("A", "B", (7.0, 7.0)),
    row("A", "B", (7.0, None), messages=[{"role": "user", "content": "elsewhere"}]),
    row("A", "B", ("high", 1.0)),
]


def test_pairs_with_their_scores(read_rows, assert_kept):
    votes = read_rows(ROWS)
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments) == ("ultrafeedback-binarized", 4, 3)
    assert [reject.line for reject in account.rejects] == [4]
    assert account.notes == {"chosen and rejected have the same score, so which was chosen says nothing": 1}
    judgment = votes[0]
    assert judgment.context == prompt("Q")
    assert [option.text for option in judgment.options] == ["A", "B"]
    assert judgment.ranking == [[0], [1]]
    assert judgment.ratings == [Rating(0, "score", 8.5, 1.0, 10.0), Rating(1, "score", 6.0, 1.0, 10.0)]
    assert judgment.tags == {"prompt_id": "f0e1", "source": "sample"}
    assert votes[2].ratings == [Rating(0, "score", 7.0, 1.0, 10.0)]
    assert votes[2].tags["messages"] == ROWS[2]["messages"]
    for raw, judgment in zip(ROWS, votes, strict=False):
        assert_kept(raw, judgment)


def test_saving_keeps_everything(read_rows, tmp_path):
    votes = read_rows(ROWS)
    assert list(Preferences.load(votes.save(tmp_path / "votes.parquet"))) == list(votes)
