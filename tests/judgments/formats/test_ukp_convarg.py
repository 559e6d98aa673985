from __future__ import annotations

from datetime import UTC, datetime

import pytest

from llull.errors import InputError
from llull.judgments import Preferences
from llull.judgments.reading import read


@pytest.fixture(scope="module")
def folder(real_data):
    return real_data / "ukp_convarg"


@pytest.fixture(scope="module")
def pairs(folder):
    return read(folder / "convarg1_pairs.jsonl.gz")


@pytest.fixture(scope="module")
def raw(folder, raw_rows):
    names = ("convarg1_pairs", "convarg1_arguments", "convarg1_debates", "convarg2_reasons")
    return {name: raw_rows(folder / f"{name}.jsonl.gz") for name in names}


def test_every_vote_becomes_a_judgment(pairs, raw):
    (account,) = pairs.reading.files
    votes = [(row, vote) for row in raw["convarg1_pairs"] for vote in row["votes"]]
    assert account.format == "ukp-convarg1"
    assert account.rows == account.rows_judged == 16927
    assert account.judgments == len(pairs) == len(votes) == 84445
    assert not account.rejects
    texts = {argument["id"]: argument["text"] for argument in raw["convarg1_arguments"]}
    rankings = {"a1": [[0], [1]], "a2": [[1], [0]], "equal": [[0, 1]]}
    kept = ("workerStance", "turkRank", "turkCompetence", "assignmentAcceptTime")
    for judgment, (row, vote) in zip(pairs, votes, strict=True):
        assert [option.text for option in judgment.options] == [texts[row["arg1"]], texts[row["arg2"]]]
        assert judgment.ranking == rankings[vote["value"]]
        assert judgment.annotator == vote["turkID"]
        assert (judgment.rationale or "") == vote["reason"]
        assert {name: judgment.tags[name] for name in kept} == {name: vote[name] for name in kept}
        assert judgment.time is not None
        assert judgment.time.strftime("%Y-%m-%d %H:%M:%S.0 UTC") == vote["assignmentSubmitTime"]
        assert judgment.tags["goldLabel"] == row["goldLabel"]
        assert judgment.tags["arguments"] == [row["arg1"], row["arg2"]]
        assert (judgment.tags["id"], judgment.tags["debate_side"]) == (row["id"], row["debate_side"])


def test_published_counts(pairs):
    assert sum(judgment.ranking == [[0, 1]] for judgment in pairs) == 19105
    assert len({judgment.annotator for judgment in pairs}) == 3815


def test_one_vote_by_hand(pairs):
    judgment = pairs[0]
    assert judgment.ranking == [[1], [0]]
    assert judgment.annotator == "w1"
    assert judgment.annotator_kind == "human"
    assert judgment.criterion == "more convincing"
    assert judgment.time == datetime(2016, 1, 31, 16, 59, 52, tzinfo=UTC)
    assert judgment.context[0].content.startswith("Ban Plastic Water Bottles\n\nSome people think that bottled water")
    assert judgment.context[0].content.endswith("\n\nNo Bad For the Economy")


def test_each_side_of_a_debate_is_one_context(pairs, raw):
    contexts = {judgment.tags["debate_side"]: judgment.context[0].content for judgment in pairs}
    assert len(contexts) == len(set(contexts.values())) == 32


def test_reasons(folder, raw, pairs, assert_kept):
    reasons = read(folder / "convarg2_reasons.jsonl.gz")
    (account,) = reasons.reading.files
    assert account.format == "ukp-convarg2"
    assert account.rows == account.judgments == len(raw["convarg2_reasons"]) == 9111
    assert not account.rejects
    for judgment, row in zip(reasons, raw["convarg2_reasons"], strict=True):
        assert judgment.ranking == [[0], [1]]
        assert [option.text for option in judgment.options] == [row["a1"], row["a2"]]
        assert judgment.tags["label"] == row["label"]
    for place in range(0, len(reasons), 300):
        assert_kept(raw["convarg2_reasons"][place], reasons[place])


def test_both_releases_share_their_contexts(pairs, folder):
    reasons = read(folder / "convarg2_reasons.jsonl.gz")
    contexts = {judgment.context[0].content for judgment in reasons}
    assert contexts == {judgment.context[0].content for judgment in pairs}
    assert len(contexts) == 32


def test_saving_keeps_everything(pairs, tmp_path):
    some = pairs.select(range(3000))
    assert list(Preferences.load(some.save(tmp_path / "votes.parquet"))) == list(some)


def test_arguments_hold_no_judgments(folder):
    with pytest.raises(InputError, match="this file holds no judgments"):
        read(folder / "convarg1_arguments.jsonl.gz")


PAIR = {"id": "p", "debate_side": "side", "arg1": "x", "arg2": "y", "goldLabel": "a1"}


def test_a_bad_vote_spoils_no_other(read_rows):
    votes = [{"value": None}, {"turkID": "w1", "value": "equal"}, {"value": "a1", "assignmentSubmitTime": "today"}]
    found = read_rows([{**PAIR, "votes": votes}, {**PAIR, "votes": []}])
    assert [judgment.ranking for judgment in found] == [[[0, 1]]]
    assert [option.source for option in found[0].options] == ["x", "y"]
    assert found[0].context[0].content == "side"
    assert [reject.reason for reject in found.reading.rejects] == [
        "field 'value' holds no label",
        "the time 'today' of a vote is not like 2016-01-31 16:59:52.0 UTC",
        "it has no votes",
    ]


def test_an_unknown_vote_stops_the_read(read_rows):
    with pytest.raises(InputError, match="unknown label 'a3'"):
        read_rows([{**PAIR, "votes": [{"value": "a3"}]}])
