from __future__ import annotations

import json
from collections import Counter

import pytest

from llull.judgments import read


@pytest.fixture(scope="module")
def votes(real_data, read_once):
    return read_once(real_data / "pandalm_testset" / "testset-v1.jsonl.gz")


@pytest.fixture(scope="module")
def labels(real_data, read_once):
    return read_once(real_data / "pandalm_testset" / "judge-labels.jsonl.gz")


@pytest.fixture(scope="module")
def raw(real_data, raw_rows):
    folder = real_data / "pandalm_testset"
    return raw_rows(folder / "testset-v1.jsonl.gz"), raw_rows(folder / "judge-labels.jsonl.gz")


def test_every_vote_is_a_judgment(votes, raw):
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments, account.rejects) == ("pandalm", 999, 3 * 999, [])
    given = Counter(row[f"annotator{k}"] for row in raw[0] for k in (1, 2, 3))
    rankings = Counter(str(judgment.ranking) for judgment in votes)
    assert rankings == {"[[0, 1]]": given[0], "[[0], [1]]": given[1], "[[1], [0]]": given[2]}


def test_a_hand_checked_row(votes, raw, assert_kept):
    row = raw[0][0]
    first = votes[0]
    assert first.context[0].content == f"{row['instruction']}\n\n{row['input']}"
    assert [(option.source, option.text) for option in first.options] == [
        ("bloom-7b", row["response1"]),
        ("llama-7b", row["response2"]),
    ]
    assert (first.annotator, first.ranking, first.tags["motivation_app"]) == ("annotator1", [[1], [0]], "Grammarly")
    for place in (0, 157, 998):
        but = ["annotator1", "annotator2", "annotator3", "response1", "response2"]
        assert_kept(raw[0][place], [votes[3 * place + k] for k in range(3)], but=but if place == 157 else but[:3])


def test_an_answer_released_as_a_truth_value_is_text_again(votes, raw):
    assert raw[0][157]["response1"] is True
    assert votes[3 * 157].options[0].text == "True"


def test_every_label_of_a_judge_is_a_judgment(labels, raw, assert_kept):
    (account,) = labels.reading.files
    assert (account.format, account.rows, account.judgments, account.rejects) == ("pandalm-judges", 1998, 1998, [])
    results = Counter(str(row.get("gpt_result", row.get("pandalm_result"))) for row in raw[1])
    rankings = Counter(str(judgment.ranking) for judgment in labels)
    assert rankings == {
        "[[0], [1]]": results["1"],
        "[[1], [0]]": results["2"],
        "[[0, 1]]": results["Tie"] + results["0"],
        "[]": results["garbage"],
    }
    assert Counter(judgment.annotator for judgment in labels) == {"gpt-3.5-turbo": 999, "pandalm-7b": 999}
    first = labels[0]
    assert (first.ranking, first.annotator_kind) == ([[0], [1]], "model")
    assert first.rationale == raw[1][0]["gpt_reason"]
    for place in (0, 1500):
        assert_kept(raw[1][place], labels[place], but=["file"])


def test_labels_without_their_pairs(tmp_path):
    path = tmp_path / "judge-labels.jsonl"
    path.write_text(json.dumps({"file": "gpt", "idx": 7, "gpt_result": "1", "gpt_reason": "r"}) + "\n")
    reading = read(path).reading
    assert reading is not None
    assert reading.rejects[0].reason == "pair 7 is not in the file testset-v1 beside it"


def test_a_missing_vote_is_a_reject_and_the_others_count(read_rows):
    row = {"idx": 1, "cmp_key": "m1_m2", "instruction": "i", "input": "", "response1": "x", "response2": "y"}
    made = read_rows([{**row, "annotator1": 1, "annotator2": None, "annotator3": 0}])
    assert [(j.annotator, j.ranking) for j in made] == [("annotator1", [[0], [1]]), ("annotator3", [[0, 1]])]
    assert [reject.reason for reject in made.reading.rejects] == ["annotator2 gave no vote"]
