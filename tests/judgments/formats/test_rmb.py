from __future__ import annotations

from itertools import accumulate

import pytest

from llull.judgments import Preferences


@pytest.fixture(scope="module", params=["pairwise_set", "bon_set"])
def name(request):
    return request.param


@pytest.fixture(scope="module")
def votes(real_data, name, read_once):
    return read_once(real_data / "rmb" / f"{name}.jsonl.gz")


@pytest.fixture(scope="module")
def raw(real_data, name, raw_rows):
    return raw_rows(real_data / "rmb" / f"{name}.jsonl.gz")


def losers(row):
    return row["loser_list"] if "loser_list" in row else [row["reject"]]


def test_each_loser_is_worse_than_the_best(votes, raw, name):
    (account,) = votes.reading.files
    assert account.format == {"pairwise_set": "rmb-pairs", "bon_set": "rmb-best-of-n"}[name]
    assert account.rows == len(raw) == {"pairwise_set": 14540, "bon_set": 3784}[name]
    assert account.judgments == sum(len(losers(row)) for row in raw)
    assert not account.rejects
    judgments = iter(votes)
    for row in raw:
        answers = [row["bon_best"] if "bon_best" in row else row["chosen"], *losers(row)]
        turns = [(turn["role"], turn["content"]) for turn in row["conversation_input"]]
        choices = set()
        for place in range(1, len(answers)):
            judgment = next(judgments)
            assert [(o.source, o.text) for o in judgment.options] == [(a["llm_name"], a["answer"]) for a in answers]
            assert judgment.ranking == [[0], [place]]
            assert judgment.weight == 1 / (len(answers) - 1)
            assert [(turn.role, turn.content) for turn in judgment.context] == turns
            assert judgment.annotator_kind is None
            choices.add(judgment.tags.get("choice"))
        assert len(choices) == 1
    assert next(judgments, None) is None
    assert not votes.pairs().tie.any()


def test_raw_values_survive(votes, raw, assert_kept):
    first = [0, *accumulate(len(losers(row)) for row in raw)]
    for place in range(0, len(raw), 150):
        assert_kept(raw[place], votes[first[place]])


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
