from __future__ import annotations

from collections import Counter

import pytest

from llull.judgments import Preferences


@pytest.fixture(scope="module")
def rankings(real_data, read_once):
    return read_once(real_data / "wmt16_rankings" / "kway_rankings.jsonl.gz")


@pytest.fixture(scope="module")
def raw(real_data, raw_rows):
    return raw_rows(real_data / "wmt16_rankings" / "kway_rankings.jsonl.gz")


def test_every_ranking_is_read(rankings, raw):
    (account,) = rankings.reading.files
    assert account.format == "wmt16-rankings"
    assert account.rows == len(raw) == 32505
    empty = [number for number, row in enumerate(raw, 1) if not row["ranks"]]
    assert [reject.line for reject in account.rejects] == empty
    assert len(empty) == 747
    assert {reject.reason for reject in account.rejects} == {"it ranks nothing: the judge skipped it"}
    assert account.judgments == len(raw) - 747


def test_rankings_give_back_the_ranks_and_the_shared_outputs(rankings, raw):
    given = [row for row in raw if row["ranks"]]
    for judgment, row in zip(rankings, given, strict=True):
        tier = {index: place for place, tied in enumerate(judgment.ranking) for index in tied}
        names = [option.source for option in judgment.options]
        assert names == [name for group in row["systems"] for name in group]
        distinct = sorted(set(row["ranks"]))
        ranks = [rank for group, rank in zip(row["systems"], row["ranks"], strict=True) for _ in group]
        assert [distinct[tier[index]] for index in range(len(names))] == ranks
        same = [[names[index] for index in output] for output in judgment.tags.get("same_output", [])]
        assert same == [group for group in row["systems"] if len(group) > 1]


def test_raw_values_survive(rankings, raw, assert_kept):
    given = [row for row in raw if row["ranks"]]
    for place in range(0, len(given), 400):
        assert_kept(given[place], rankings[place], but=("ranks",))


def test_one_ranking_by_hand(rankings):
    judgment = rankings[0]
    assert judgment.context[0].content == "news cze-eng segment 779"
    assert judgment.annotator == "user1"
    assert judgment.tags["duration"] == "00:01:02.722000"
    assert judgment.options[0].source == "newstest2016.uedin-nmt.4361.cs-en"
    assert 0 in judgment.ranking[-1]


def test_saving_keeps_everything(rankings, tmp_path):
    some = rankings.select(range(2000))
    assert list(Preferences.load(some.save(tmp_path / "votes.parquet"))) == list(some)


@pytest.mark.slow
def test_all_pairs(real_data, read_once, raw_rows, assert_kept):
    path = real_data / "wmt16_rankings" / "pairwise_judgments.jsonl.gz"
    votes, raw = read_once(path), raw_rows(path)
    (account,) = votes.reading.files
    assert account.format == "wmt16-pairs"
    assert account.rows == account.judgments == len(raw) == 282490
    assert not account.rejects

    def ranking(row):
        first, second = row["system1rank"], row["system2rank"]
        return [[0, 1]] if first == second else [[0], [1]] if first < second else [[1], [0]]

    assert votes.table["ranking"].to_pylist() == [ranking(row) for row in raw]
    assert votes.pairs().tie.sum() == 78212
    assert Counter(votes.table["annotator"].to_pylist()) == Counter(row["judgeID"] for row in raw)
    for place in range(0, len(raw), 4001):
        assert_kept(raw[place], votes[place])
        assert votes[place].options[0].source == raw[place]["system1Id"]


@pytest.mark.slow
def test_repeated_pairs_are_in_the_source(real_data, read_once, raw_rows):
    path = real_data / "wmt16_rankings" / "pairwise_judgments.jsonl.gz"
    first, met, rankings = {}, set(), set()
    found = Counter()
    for row in raw_rows(path):
        pair = tuple((row[f"system{n}Id"], row[f"system{n}rank"]) for n in (1, 2))
        listed = (pair[0][0], pair[1][0], (pair[0][1] > pair[1][1]) - (pair[0][1] < pair[1][1]))
        names, ranks = zip(*sorted(pair), strict=True)
        asked = (*(row[key] for key in ("task", "srclang", "trglang", "segmentId", "judgeID")), *names)
        outcome = (ranks[0] > ranks[1]) - (ranks[0] < ranks[1])
        if asked in first:
            kind = "again" if outcome == first[asked] else "otherwise"
            found["same order and outcome" if (asked, listed) in met else kind] += 1
        found["same ranking"] += (asked, row["rankingID"]) in rankings
        first.setdefault(asked, outcome)
        met.add((asked, listed))
        rankings.add((asked, row["rankingID"]))
    assert found == {"same order and outcome": 17062, "again": 9318, "otherwise": 8639, "same ranking": 0}
    problems = {problem.kind: problem.count for problem in read_once(path).problems()}
    assert problems["duplicate judgments"] == found["same order and outcome"]
    assert problems["repeat votes"] == found["again"]
    assert problems["contradictory repeat votes"] == found["otherwise"]


def test_ranks_that_do_not_fit_the_systems(read_rows):
    row = {"task": "t", "hit-id": "h", "source-language": "a", "target-language": "b", "segment": 1, "user": "u"}
    row |= {"duration": "0", "systems": [["x"], ["y"]]}
    votes = read_rows([{**row, "ranks": [1]}, {**row, "ranks": [2, 1]}])
    assert [judgment.ranking for judgment in votes] == [[[1], [0]]]
    assert [reject.reason for reject in votes.reading.rejects] == ["it has 2 outputs and 1 ranks"]
