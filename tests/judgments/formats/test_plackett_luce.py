from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def load(real_data, read_once):
    return lambda name: read_once(real_data / "paired_comparison_classics" / f"PlackettLuce_{name}.jsonl.gz")


@pytest.fixture(scope="module")
def raw(real_data, raw_rows):
    return lambda name: raw_rows(real_data / "paired_comparison_classics" / f"PlackettLuce_{name}.jsonl.gz")


def test_beans(load, raw, assert_kept):
    votes, rows = load("beans"), raw("beans")
    (account,) = votes.reading.files
    assert (account.rows, account.judgments, account.rejects) == (842, 4 * 842, [])
    order, *against_local = (votes[k] for k in range(4))
    assert [order.options[tier[0]].source for tier in order.ranking] == ["PM2 Don Rey", "SJC 730-79", "BRT 103-182"]
    assert [judgment.ranking for judgment in against_local] == [[[1], [0]], [[1], [0]], [[0], [1]]]
    assert order.tags["season"] == "Ap - 15"
    better = sum(row[f"var_{x}"] == "Better" for row in rows for x in "abc")
    local = [j for j in votes if j.options[1].source == "local variety"]
    assert sum(j.ranking == [[0], [1]] for j in local) == better
    assert_kept(rows[0], order, but=["best", "worst", "var_a", "var_b", "var_c"])


def test_nascar(load, raw):
    votes, rows = load("nascar"), raw("nascar")
    assert len(votes) == 36
    for judgment, row in zip(votes, rows, strict=True):
        order = [judgment.options[tier[0]].source for tier in judgment.ranking]
        assert order == [f"driver {number}" for number in row["race_order"] if number]
    assert len(votes.rankings()) == 36


def test_pudding_counts_are_weights(load, raw):
    votes, rows = load("pudding"), raw("pudding")
    (account,) = votes.reading.files
    assert (account.rows, account.judgments) == (15, 45)
    assert sum(judgment.weight for judgment in votes) == sum(row["r_ij"] for row in rows)
    assert [(votes[k].weight, votes[k].ranking) for k in range(3)] == [
        (19.0, [[0], [1]]),
        (22.0, [[1], [0]]),
        (16.0, [[0, 1]]),
    ]
    assert [option.source for option in votes[0].options] == ["pudding 1", "pudding 2"]


def test_bean_rows_that_contradict_themselves(read_rows):
    row = {f"variety_{x}": x for x in "abc"} | {f"var_{x}": "Better" for x in "abc"}
    votes = read_rows([{**row, "best": "A", "worst": "A"}, {**row, "best": "B", "worst": "A", "var_c": None}])
    assert votes[0].ranking == [[1], [2], [0]]
    reasons = [reject.reason for reject in votes.reading.rejects]
    assert reasons == [
        "best 'A' and worst 'A' are not two of A, B and C",
        "variety C was not compared with the local one",
    ]


def test_a_race_without_an_order(read_rows):
    votes = read_rows([{"race_order": [3, 0, 7]}, {"race_order": "3, 7"}])
    assert [option.source for option in votes[0].options] == ["driver 3", "driver 7"]
    assert len(votes.reading.rejects) == 1
