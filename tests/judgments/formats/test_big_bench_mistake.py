from __future__ import annotations

from collections import Counter

import pytest

from llull.judgments import prompt


@pytest.fixture(scope="module")
def traces(real_data, read_once):
    return read_once(real_data / "big_bench_mistake" / "big_bench_mistake.jsonl.gz")


@pytest.fixture(scope="module")
def raw(real_data, raw_rows):
    return raw_rows(real_data / "big_bench_mistake" / "big_bench_mistake.jsonl.gz")


def test_every_trace_is_a_judgment_of_its_labeled_steps(traces, raw):
    (account,) = traces.reading.files
    assert (account.rows, account.judgments, account.rejects) == (2186, 2186, [])
    accepts = traces.accepts()
    wrong = sum(row["mistake_index"] is not None for row in raw)
    labeled = sum(len(row["steps"]) if row["mistake_index"] is None else row["mistake_index"] + 1 for row in raw)
    assert len(accepts) == labeled
    assert (accepts.value == 0).sum() == wrong == 2186 - 478
    kinds = Counter(judgment.annotator_kind for judgment in traces)
    assert kinds == {"rule": 986, "human": 1200}


def test_a_hand_checked_trace(traces, raw, assert_kept):
    first = traces[0]
    assert first.context == prompt("{ [ [ [ { [ ] } ] ]")
    assert [option.text for option in first.options] == raw[0]["steps"]
    assert [option.parent for option in first.options] == [None, *range(15)]
    assert [rating.value for rating in first.ratings] == [1.0] * 12 + [0.0]
    assert (first.tags["target"], first.tags["answer"], first.tags["task"]) == ("] }", "}", "dyck_languages")
    for place in (0, 1000, 2185):
        assert_kept(raw[place], traces[place])


def test_an_index_outside_the_steps_is_a_bad_row(read_rows):
    row = {"task": "t", "input": "i", "target": "t", "answer": "a", "steps": ["one", "two"], "mistake_index": None}
    votes = read_rows([row, {**row, "mistake_index": 2}, {**row, "steps": "one"}])
    assert [rating.value for rating in votes[0].ratings] == [1.0, 1.0]
    assert [reject.line for reject in votes.reading.rejects] == [2, 3]
