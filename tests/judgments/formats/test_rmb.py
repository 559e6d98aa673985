from __future__ import annotations

import pytest

from llull.judgments import Preferences
from llull.judgments.reading import read


@pytest.fixture(scope="module", params=["pairwise_set", "bon_set"])
def name(request):
    return request.param


@pytest.fixture(scope="module")
def votes(real_data, name):
    return read(real_data / "rmb" / f"{name}.jsonl.gz")


@pytest.fixture(scope="module")
def raw(real_data, name, raw_rows):
    return raw_rows(real_data / "rmb" / f"{name}.jsonl.gz")


def test_every_row_becomes_a_judgment(votes, raw, name):
    (account,) = votes.reading.files
    assert account.format == {"pairwise_set": "rmb-pairs", "bon_set": "rmb-best-of-n"}[name]
    assert account.rows == account.judgments == len(raw) == {"pairwise_set": 14540, "bon_set": 3784}[name]
    assert not account.rejects
    for judgment, row in zip(votes, raw, strict=True):
        answers = [row["chosen"], row["reject"]] if name == "pairwise_set" else [row["bon_best"], *row["loser_list"]]
        assert [(o.source, o.text) for o in judgment.options] == [(a["llm_name"], a["answer"]) for a in answers]
        assert judgment.ranking == [[0], list(range(1, len(answers)))]
        turns = [(turn["role"], turn["content"]) for turn in row["conversation_input"]]
        assert [(turn.role, turn.content) for turn in judgment.context] == turns
        assert judgment.annotator_kind is None


def test_raw_values_survive(votes, raw, assert_kept):
    for place in range(0, len(raw), 150):
        assert_kept(raw[place], votes[place])


def test_saving_keeps_everything(votes, tmp_path):
    some = votes.select(range(1500))
    assert list(Preferences.load(some.save(tmp_path / "votes.parquet"))) == list(some)


def test_rows_of_another_shape_are_rejected(read_rows):
    row = {"category": "c", "category_path": "c", "bon_uid": "1", "bon_best": {"llm_name": "a", "answer": "x"}}
    row["conversation_input"] = [{"role": "user", "content": "Q"}]
    good = {**row, "loser_list": [{"llm_name": "b", "answer": "y"}]}
    votes = read_rows([good, {**row, "loser_list": []}, {**row, "loser_list": [{"llm_name": "b"}]}])
    assert len(votes) == 1
    assert "languages" not in votes[0].tags
    reasons = [reject.reason for reject in votes.reading.rejects]
    assert reasons[0] == "it has no losers"
    assert "answer" in reasons[1]
