from __future__ import annotations

import pytest

from llull.judgments import Rating


@pytest.fixture(scope="module")
def squality(real_data, read_once):
    return read_once(real_data / "squality_human_eval" / "all_responses.jsonl.gz")


@pytest.fixture(scope="module")
def raw(real_data, raw_rows):
    return raw_rows(real_data / "squality_human_eval" / "all_responses.jsonl.gz")


def test_every_round_of_reviews_is_three_judgments(squality, raw):
    rounds = sum(len(systems["human"]["reviews"]) for row in raw for systems in row["questions"].values())
    (account,) = squality.reading.files
    assert (account.rows, account.rows_judged, account.judgments) == (20, 20, 3 * rounds)
    assert set(squality.pairs().criteria) == {"correctness", "coverage", "overall"}
    assert len(squality.ratings("coverage")) == 3 * rounds


def test_a_hand_checked_review(squality, raw):
    systems = raw[0]["questions"]["0"]
    judgment = squality[0]
    assert judgment.criterion == "correctness"
    assert judgment.annotator == systems["bart"]["reviews"][0]["worker_id"] == "3"
    assert [option.source for option in judgment.options] == ["bart", "bart-dpr", "human"]
    assert [option.text for option in judgment.options] == [said["response"] for said in systems.values()]
    ranks = [said["reviews"][0]["correctness-rank"] for said in systems.values()]
    assert judgment.ranking == [[ranks.index(place)] for place in (1, 2, 3)]
    assert judgment.ratings[0] == Rating(0, "correctness", 10.0, 0.0, 100.0)


def test_nothing_is_lost(squality, raw, assert_kept):
    of_first = [judgment for judgment in squality if judgment.tags["passage-id"] == raw[0]["passage-id"]]
    assert_kept(raw[0], of_first)


def test_reviews_that_do_not_fit_together(read_rows):
    def review(worker):
        ranks = {f"{name}-{kind}": 1 for name in ("correctness", "selection", "overall") for kind in ("rank", "rating")}
        return {"worker_id": worker, "system": "s", "annotations": [], **ranks}

    def systems(*reviewers):
        return {
            name: {"response": name, "reviews": [review(w) for w in who]}
            for name, who in zip("ab", reviewers, strict=True)
        }

    row = {"passage-id": "1", "questions": {"0": systems("1", "2"), "1": systems("12", "1"), "2": systems("1", "1")}}
    votes = read_rows([row])
    assert [judgment.ranking for judgment in votes] == [[[0, 1]]] * 3
    assert [reject.reason for reject in votes.reading.rejects] == [
        "question 0: one round of reviews has several reviewers",
        "question 1: its summaries have different numbers of reviews",
    ]
