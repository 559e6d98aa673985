from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from llull.errors import InputError
from llull.judgments import Preferences
from llull.judgments.reading import read


@pytest.fixture(scope="module")
def ccai(real_data, read_once):
    return read_once(real_data / "collective_constitutional_ai" / "votes.jsonl.gz")


@pytest.fixture(scope="module")
def raw_ccai(real_data, raw_rows):
    folder = real_data / "collective_constitutional_ai"
    return {name: raw_rows(folder / f"{name}.jsonl.gz") for name in ("votes", "comments", "participants")}


@pytest.mark.slow
def test_the_whole_open_data(real_data, raw_rows, assert_kept, read_once):
    folder = real_data / "polis_open_data"
    votes = read_once(folder / "votes.jsonl.gz")
    raw = raw_rows(folder / "votes.jsonl.gz")
    (account,) = votes.reading.files
    assert account.format == "polis"
    assert account.rows == account.judgments == len(raw) == 704740
    assert not account.rejects
    cast = [(row["conversation"], row["voter-id"], row["comment-id"]) for row in raw]
    assert account.notes == {"a person votes again on the same statement": len(cast) - len(set(cast))}
    assert Counter(votes.table["verdict"].to_pylist()) == {
        "cannot_judge": sum(row["vote"] == 0 for row in raw),
        "rated": sum(row["vote"] != 0 for row in raw),
    }
    assert votes.ratings("agree").value.sum() == sum(row["vote"] == 1 for row in raw)
    assert votes.table["annotator"].to_pylist() == [f"{conversation}/{voter}" for conversation, voter, _ in cast]

    texts = {(c["conversation"], c["comment-id"]): c for c in raw_rows(folder / "comments.jsonl.gz")}
    people = {(p["conversation"], p["participant"]): p for p in raw_rows(folder / "participants.jsonl.gz")}
    topics = {s["conversation"]: s["topic"] for s in raw_rows(folder / "summary.jsonl.gz")}
    for place in range(0, len(raw), 7001):
        row, judgment = raw[place], votes[place]
        conversation = row["conversation"]
        assert_kept(row, judgment, but=("vote", "timestamp", "voter-id"))
        assert judgment.context == []
        assert judgment.tags["topic"] == topics[conversation]
        assert judgment.options[0].text == texts[conversation, row["comment-id"]]["comment-body"]
        group = people[conversation, row["voter-id"]]["group-id"]
        assert judgment.groups == ({} if group is None else {"community": f"{conversation}/{group}"})
        time = row.get("timestamp")
        assert judgment.time == (None if time is None else datetime.fromtimestamp(time / 1000, UTC))


def test_every_vote_of_ccai(ccai, raw_ccai):
    (account,) = ccai.reading.files
    assert account.format == "ccai"
    assert account.rows == account.judgments == len(raw_ccai["votes"]) == 38252
    assert not account.rejects
    assert not account.notes
    texts = {comment["comment-id"]: comment["comment-body"] for comment in raw_ccai["comments"]}
    groups = {person["participant"]: person["group-id"] for person in raw_ccai["participants"]}
    values = {1: [1.0], -1: [0.0], 0: []}
    for judgment, row in zip(ccai, raw_ccai["votes"], strict=True):
        assert judgment.options[0].text == texts[row["comment-id"]]
        assert [rating.value for rating in judgment.ratings] == values[row["vote"]]
        assert judgment.annotator == str(row["participant"])
        group = groups[row["participant"]]
        assert judgment.groups == ({} if group is None else {"community": str(group)})
        assert judgment.tags["comment-id"] == row["comment-id"]


def test_saving_keeps_everything(ccai, tmp_path):
    assert Preferences.load(ccai.save(tmp_path / "votes.parquet")).table.equals(ccai.table)


@pytest.mark.parametrize("name", ["comments", "participants"])
def test_files_beside_the_votes_hold_no_judgments(real_data, name):
    with pytest.raises(InputError, match="this file holds no judgments"):
        read(real_data / "collective_constitutional_ai" / f"{name}.jsonl.gz")


VOTE = {"conversation": "c", "comment-id": 3, "voter-id": 7, "vote": 1, "timestamp": 1403054214196}


def test_votes_without_the_files_beside_them(read_rows):
    votes = read_rows([VOTE, {**VOTE, "vote": 0}, {**VOTE, "vote": None}, {**VOTE, "voter-id": None}])
    assert votes[0].options[0].source == "c/3"
    assert votes[0].time == datetime(2014, 6, 18, 1, 16, 54, 196000, UTC)
    assert [judgment.verdict for judgment in votes] == ["rated", "cannot_judge"]
    assert [reject.reason for reject in votes.reading.rejects] == [
        "field 'vote' holds no label",
        "it does not say who voted on what",
    ]
    assert votes.reading.files[0].notes["a person votes again on the same statement"] == 2
    assert votes.reading.files[0].notes["a vote on a statement whose text is not beside it"] == 2


def test_an_unknown_vote_stops_the_read(read_rows):
    with pytest.raises(InputError, match=r"line 2: field 'vote' has the unknown label 2"):
        read_rows([VOTE, {**VOTE, "vote": 2}])
