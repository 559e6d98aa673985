from __future__ import annotations

from llull.judgments import Preferences, prompt


def row(metadata, prompt_text="Which vitamin?", chosen="C"):
    asked = {"role": "user", "content": "Which vitamin?"}
    return {
        "prompt_id": "MedQA,23",
        "label_type": "hard",
        "prompt": prompt_text,
        "chosen": [asked, {"role": "assistant", "content": chosen}],
        "rejected": [asked, {"role": "assistant", "content": "D"}],
        "metadata": metadata,
    }


ROWS = [
    row({"chosen": {"model": "gpt-4", "rank": 1}, "rejected": {"model": "llama-3", "rank": 7}, "with_answer": True}),
    row(None),
    row('{"chosen": "gpt-4"}'),
    row({}, chosen=12),
]


def test_pairs_with_their_models(read_rows, assert_kept):
    votes = read_rows(ROWS)
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments) == ("ultramedical-preference", 4, 3)
    assert [reject.line for reject in account.rejects] == [4]
    judgment = votes[0]
    assert judgment.context == prompt("Which vitamin?")
    assert [(option.text, option.source) for option in judgment.options] == [("C", "gpt-4"), ("D", "llama-3")]
    assert judgment.ranking == [[0], [1]]
    assert (judgment.annotator, judgment.annotator_kind) == ("gpt-4", "model")
    assert judgment.tags["metadata"] == ROWS[0]["metadata"]
    assert judgment.tags["label_type"] == "hard"
    assert [option.source for option in votes[1].options] == [None, None]
    assert votes[0].options[0].id == votes[1].options[0].id
    for raw, judgment in zip(ROWS, votes, strict=False):
        assert_kept(raw, judgment)


def test_saving_keeps_everything(read_rows, tmp_path):
    votes = read_rows(ROWS)
    assert list(Preferences.load(votes.save(tmp_path / "votes.parquet"))) == list(votes)
