from __future__ import annotations

import pytest

from llull.judgments import Preferences, prompt


def row(preference, **given):
    return {
        "instruction": "Q",
        "generator_1": "base",
        "output_1": "A",
        "generator_2": "mine",
        "output_2": "B",
        "annotator": "weighted_alpaca_eval_gpt4_turbo",
        "preference": preference,
        "raw_completion": {"text": "m", "logprobs": None},
        "dataset": "koala",
    } | given


ROWS = [row(1.0), row(2.0), row(1.5), row(0), row(1.75), row(None), row(float("nan")), row(3.0)]


def test_annotations(read_rows, assert_kept, tmp_path):
    votes = read_rows(ROWS)
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments) == ("alpaca-eval", 8, 5)
    assert [reject.line for reject in account.rejects] == [6, 7, 8]
    assert [judgment.ranking for judgment in votes] == [[[0], [1]], [[1], [0]], [[0, 1]], [[0, 1]], [[1], [0]]]
    assert [judgment.strength for judgment in votes] == [None, None, None, None, pytest.approx(0.25)]
    assert votes[0].context == prompt("Q")
    assert [(option.text, option.source) for option in votes[0].options] == [("A", "base"), ("B", "mine")]
    assert (votes[0].annotator, votes[0].annotator_kind) == ("weighted_alpaca_eval_gpt4_turbo", "model")
    for raw, judgment in zip(ROWS, votes, strict=False):
        assert_kept(raw, judgment)
    assert list(Preferences.load(votes.save(tmp_path / "votes.parquet"))) == list(votes)


def test_people_of_alpaca_farm(read_rows):
    raw = row(1, input="Text", annotator_index=4)
    del raw["annotator"]
    judgment = read_rows([raw])[0]
    assert (judgment.annotator, judgment.annotator_kind) == ("4", "human")
    assert judgment.context == prompt("Q\n\nText")
