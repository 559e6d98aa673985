from __future__ import annotations

import re
from collections import defaultdict

import pytest

from llull.judgments import prompt, text_option

FILES = {"mqm_ted": "seg_id", "sxs_mqm_generalMT2023": "globalSegId"}


@pytest.fixture(scope="module")
def mqm(real_data, read_once):
    return {name: read_once(real_data / "wmt_mqm" / f"{name}.jsonl.gz") for name in FILES}


@pytest.fixture(scope="module")
def groups(real_data, raw_rows):
    """An independent grouping of the raw rows."""
    found = {}
    for name, number in FILES.items():
        found[name] = defaultdict(list)
        for row in raw_rows(real_data / "wmt_mqm" / f"{name}.jsonl.gz"):
            found[name][row["lp"], row["system"], row["doc"], row[number], row["rater"]].append(row)
    return found


@pytest.mark.parametrize("name", FILES)
def test_every_segment_of_a_system_and_rater_is_a_judgment(mqm, groups, name):
    (account,) = mqm[name].reading.files
    assert account.rows == account.rows_judged == sum(map(len, groups[name].values()))
    assert account.judgments == len(groups[name])
    assert not account.rejects


@pytest.mark.parametrize("name", FILES)
def test_the_rating_is_the_sum_of_the_usual_weights(mqm, groups, name):
    for judgment, rows in zip(mqm[name], groups[name].values(), strict=True):
        cost = 0.0
        for row in rows:
            if row["category"] == "Non-translation!":
                cost += 25
            elif row["severity"] == "Major":
                cost += 5
            elif row["severity"] == "Minor":
                cost += 0.1 if row["category"] == "Fluency/Punctuation" else 1
        assert judgment.ratings[0].value == pytest.approx(-cost)
        assert len(judgment.tags["errors"]) == len(rows)


def test_a_hand_checked_segment(mqm, groups, assert_kept):
    judgment = mqm["mqm_ted"][0]
    rows = next(iter(groups["mqm_ted"].values()))
    plain = re.sub("</?v>", "", rows[0]["target"])
    assert judgment.context == prompt(rows[0]["source"])
    assert judgment.options == [text_option(plain, source="Facebook-AI")]
    assert (judgment.annotator, judgment.verdict, judgment.tags["lp"]) == ("rater1", "rated", "ende")
    assert judgment.tags["errors"][0] == {
        "category": "Terminology/Inappropriate for context",
        "severity": "Minor",
        "source": rows[0]["source"],
        "target": rows[0]["target"],
    }
    for row in rows:
        assert_kept(row, judgment)


def test_attention_checks_do_not_count_against_a_system(read_rows):
    row = {
        "lp": "ende",
        "system": "s",
        "doc": "d",
        "seg_id": "1",
        "rater": "r",
        "source": "Hi",
        "target": "Ho",
        "category": "Found",
        "severity": "HOTW-test",
    }
    error = {**row, "category": "Other", "severity": "Major"}
    votes = read_rows([row, error, {**row, "rater": "r2"}, {**row, "seg_id": "2", "severity": "No-error"}])
    assert [judgment.ratings[0].value for judgment in votes] == [-5.0, 0.0]
    assert [(reject.line, reject.reason) for reject in votes.reading.rejects] == [
        (3, "its rows are attention checks only")
    ]
