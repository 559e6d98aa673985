from __future__ import annotations

import pytest

from llull.judgments import Message, Rating

FILES = {"sfhot": 875, "sfres": 1181, "topical_chat": 360}


@pytest.fixture(scope="module")
def sets(real_data, read_once):
    return {name: read_once(real_data / "unieval_human_scores" / f"{name}.jsonl.gz") for name in FILES}


@pytest.mark.parametrize("name", FILES)
def test_every_row_is_a_judgment_within_its_scales(sets, real_data, raw_rows, name, assert_kept):
    raw = raw_rows(real_data / "unieval_human_scores" / f"{name}.jsonl.gz")
    (account,) = sets[name].reading.files
    assert (account.format, account.rows, account.judgments, account.rejects) == (
        "unieval",
        FILES[name],
        FILES[name],
        [],
    )
    view = sets[name].ratings()
    assert len(view) == sum(len(row["scores"]) for row in raw)
    assert (view.low <= view.value).all()
    assert (view.value <= view.high).all()
    assert sets[name][0].tags["source"] == name
    for place in (0, len(raw) - 1):
        assert_kept(raw[place], sets[name][place])


def test_a_hand_checked_row(sets):
    first = sets["sfhot"][0]
    assert first.context == [Message("user", "confirm(area='cathedral hill')")]
    assert first.options[0].text == "You want a hotel in the cathedral hill ?"
    assert first.ratings == [
        Rating(0, "informativeness", 4.5, 1.0, 6.0),
        Rating(0, "naturalness", 3.5, 1.0, 6.0),
        Rating(0, "overall", 4.0, 1.0, 6.0),
    ]
    assert first.tags["reference"] == "Confirms the area cathedral hill ."


def test_dialogue_has_its_fact_and_its_scales(sets):
    first = sets["topical_chat"][0]
    assert [message.role for message in first.context] == ["system", "user"]
    assert first.options[0].source == "Original Ground Truth"
    scales = {rating.aspect: (rating.low, rating.high) for rating in first.ratings}
    assert scales["groundedness"] == (0.0, 1.0)
    assert scales["overall"] == (1.0, 5.0)


def test_scores_that_are_no_numbers(read_rows):
    row = {"source": "s", "system_output": "o", "scores": {"overall": 2}}
    votes = read_rows([row, {**row, "scores": {"overall": None}}, {**row, "scores": {"wit": 3}}])
    assert votes[1].ratings == [Rating(0, "wit", 3.0)]
    assert [reject.reason for reject in votes.reading.rejects] == ["'overall' is null, not a number"]
