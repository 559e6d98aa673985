from __future__ import annotations

from datetime import UTC, datetime

import pyarrow.compute as pc
import pytest

from llull.errors import InputError
from llull.judgments import Preferences, text_option
from llull.judgments.reading import read


@pytest.fixture(scope="module")
def folder(real_data):
    return real_data / "ukp_convarg"


@pytest.fixture(scope="module")
def pairs(folder, read_once):
    return read_once(folder / "convarg1_pairs.jsonl.gz")


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
    rankings = {"a1": [[0], [1]], "a2": [[1], [0]], "equal": [[0, 1]]}
    held = {name: pairs.table[name].to_pylist() for name in ("ranking", "annotator", "rationale", "time")}
    assert held["ranking"] == [rankings[vote["value"]] for _, vote in votes]
    assert held["annotator"] == [vote["turkID"] for _, vote in votes]
    assert [reason or "" for reason in held["rationale"]] == [vote["reason"] for _, vote in votes]
    times = [time.strftime("%Y-%m-%d %H:%M:%S.0 UTC") for time in held["time"]]
    assert times == [vote["assignmentSubmitTime"] for _, vote in votes]
    ids = {argument["id"]: text_option(argument["text"], role="user").id for argument in raw["convarg1_arguments"]}
    shown = pc.struct_field(pc.list_flatten(pairs.table["options"]), "id").to_pylist()
    assert shown == [ids[row[name]] for row, _ in votes for name in ("arg1", "arg2")]


def test_what_else_is_said_of_a_vote_stays_in_its_tags(pairs, raw):
    votes = [(row, vote) for row in raw["convarg1_pairs"] for vote in row["votes"]]

    def tags(name):
        labels = pairs.labels(name)
        return [labels.names[code] if code >= 0 else None for code in labels.codes]

    for name in ("id", "debate_side", "goldLabel"):
        assert tags(name) == [row[name] for row, _ in votes]
    texts = {argument["id"]: argument["text"] for argument in raw["convarg1_arguments"]}
    for place in range(0, len(votes), 97):
        (row, vote), judgment = votes[place], pairs[place]
        assert [option.text for option in judgment.options] == [texts[row["arg1"]], texts[row["arg2"]]]
        assert judgment.tags["arguments"] == [row["arg1"], row["arg2"]]
        for name in ("workerStance", "turkRank", "turkCompetence", "assignmentAcceptTime"):
            assert judgment.tags[name] == vote[name]


def test_published_counts(pairs):
    assert pairs.pairs().tie.sum() == 19105
    assert len(pairs.labels("annotator").names) == 3815


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
    sides, contexts = pairs.labels("debate_side"), pairs.table["context_id"].to_pylist()
    assert len(set(zip(sides.codes, contexts, strict=True))) == len(sides.names) == len(set(contexts)) == 32


def test_reasons(folder, raw, pairs, assert_kept, read_once):
    reasons = read_once(folder / "convarg2_reasons.jsonl.gz")
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


def test_both_releases_share_their_contexts(pairs, folder, read_once):
    reasons = read_once(folder / "convarg2_reasons.jsonl.gz")
    contexts = set(reasons.table["context_id"].to_pylist())
    assert contexts == set(pairs.table["context_id"].to_pylist())
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
