from __future__ import annotations

import pytest

from llull.errors import InputError
from llull.judgments import prompt, read


@pytest.fixture(scope="module")
def choices(real_data, read_once):
    return read_once(real_data / "prefeval" / "mcq_options.jsonl.gz")


@pytest.fixture(scope="module")
def implicit(real_data, read_once):
    return read_once(real_data / "prefeval" / "implicit_preference_choice-based.jsonl.gz")


def test_the_first_option_follows_the_preference(choices, real_data, raw_rows, assert_kept):
    raw = raw_rows(real_data / "prefeval" / "mcq_options.jsonl.gz")
    (account,) = choices.reading.files
    assert (account.format, account.rows, account.judgments, account.rejects) == ("prefeval", 1052, 3156, [])
    assert [judgment.ranking for judgment in choices] == [[[0], [1]], [[0], [2]], [[0], [3]]] * 1052
    assert {len(judgment.options) for judgment in choices} == {4}
    first = choices[0]
    assert first.context == prompt(
        "I'm considering taking a course in data analytics. What would you recommend for me?"
    )
    assert first.criterion is not None
    assert first.criterion.startswith("I have a strong aversion to digital")
    assert first.options[0].text == "Enroll in a traditional classroom program at a local university."
    assert first.tags["violation_probability"] == 1.0
    for place in (0, 1051):
        assert_kept(raw[place], choices[3 * place])


def test_a_choice_implies_the_preference(implicit, real_data, raw_rows, assert_kept):
    raw = raw_rows(real_data / "prefeval" / "implicit_preference_choice-based.jsonl.gz")
    (account,) = implicit.reading.files
    assert (account.format, account.rows, account.judgments, account.rejects) == ("prefeval-implicit", 1000, 3000, [])
    for judgment, row in zip(implicit, [row for row in raw for _ in range(3)], strict=True):
        assert judgment.options[judgment.ranking[0][0]].text == row["aligned_op"]
        assert judgment.options[judgment.ranking[1][0]].text != row["aligned_op"]
        assert judgment.rationale == row["conversation"]["user_selection"]
    assert_kept(raw[0], implicit[0])


@pytest.mark.parametrize("name", ["explicit_preference", "implicit_preference_persona-driven"])
def test_files_without_options_hold_no_judgments(real_data, name):
    with pytest.raises(InputError, match="this file holds no judgments; it is read along with those of PrefEval"):
        read(real_data / "prefeval" / f"{name}.jsonl.gz")


def test_bad_options(read_rows):
    row = {"topic": "t", "preference": "p", "question": "q", "classification_task_options": ["x", "y"]}
    votes = read_rows(
        [row, {**row, "classification_task_options": ["x"]}, {**row, "classification_task_options": None}]
    )
    assert votes[0].ranking == [[0], [1]]
    assert [reject.line for reject in votes.reading.rejects] == [2, 3]
