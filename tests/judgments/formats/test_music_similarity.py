from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from llull.judgments import Message, named_option


@pytest.fixture(scope="module")
def melodies(real_data, read_once):
    return read_once(real_data / "music_similarity_prefs" / "judgments.jsonl.gz")


@pytest.fixture(scope="module")
def raw(real_data, raw_rows):
    return raw_rows(real_data / "music_similarity_prefs" / "judgments.jsonl.gz")


def test_every_answer_is_a_judgment_and_empty_ones_are_rejects(melodies, raw):
    (account,) = melodies.reading.files
    answers = Counter(row["Answer.radio"] for row in raw)
    assert (account.rows, account.judgments, account.rows_rejected) == (2810, 2805, answers[""])
    rankings = Counter(str(judgment.ranking) for judgment in melodies)
    assert rankings == {"[[0], [1]]": answers["a"], "[[1], [0]]": answers["b"], "[[0, 1]]": answers["s"]}
    assert len({judgment.annotator for judgment in melodies}) == len({row["WorkerId"] for row in raw})


def test_a_hand_checked_row(melodies, raw, assert_kept):
    first = melodies[0]
    assert first.context == [Message("user", "600.053.475-1.1.1")]
    assert first.options == [named_option("456.001.555-1.1.1"), named_option("600.053.475-1.1.1")]
    assert (first.ranking, first.annotator, first.groups) == ([[1], [0]], "1", {"musical background": "no"})
    assert first.time == datetime(2010, 4, 14, 20, 1, 15, tzinfo=UTC)
    assert first.tags["WorkTimeInSeconds"] == 23
    assert_kept(raw[0], first, but=["Answer.radio", "SubmitTime"])


def test_controls_are_told_of(melodies, raw):
    controls = sum(row["Input.query"] in (row["Input.docA"], row["Input.docB"]) for row in raw)
    assert melodies.reading.files[0].notes["one of the melodies is the query itself, as a control"] == controls


def test_another_time_zone_stays_as_it_was(read_rows):
    row = {"HITId": 1, "WorkerId": 2, "Input.query": "q", "Input.docA": "x", "Input.docB": "y", "Answer.radio": "s"}
    (judgment,) = read_rows([{**row, "SubmitTime": "Wed Apr 14 20:01:15 PDT 2010"}])
    assert judgment.time is None
    assert judgment.tags["SubmitTime"] == "Wed Apr 14 20:01:15 PDT 2010"
