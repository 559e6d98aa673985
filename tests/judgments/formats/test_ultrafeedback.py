from __future__ import annotations

import pytest

from llull.judgments import Preferences, prompt

ASPECTS = ("instruction_following", "honesty", "truthfulness", "helpfulness")


def completion(model, text, ratings, overall, mean):
    plain = {
        aspect: {"Rating": rating, "Rationale": f"{model} {aspect}"}
        for aspect, rating in zip(ASPECTS, ratings, strict=True)
    }
    for aspect in ("truthfulness", "helpfulness"):
        plain[aspect] |= {"Type": ["1", "None"], "Rationale For Rating": f"why {model} {aspect}"}
    return {
        "model": model,
        "principle": "honesty",
        "custom_system_prompt": f"Be {model}.",
        "response": text,
        "annotations": plain,
        "critique": f"{model} could do better",
        "overall_score": overall,
        "fine-grained_score": mean,
    }


def row(completions, source="flan"):
    return {
        "source": source,
        "instruction": " What is it? ",
        "models": [each["model"] for each in completions],
        "completions": completions,
        "correct_answers": ["None"],
        "incorrect_answers": ["None"],
    }


FULL = row(
    [
        completion("alpaca-7b", "One", ["1", "N/A", "2", "3"], 7.5, 2.0),
        completion("gpt-4", "Two\n", ["5", "5", "5", "5"], 10.0, 5.0),
        completion("falcon", "", ["2", "2", "2", "2"], 10, 2.0),
        completion("bard", "Four", ["3", "3", "3", "4"], 10, 3.25),
    ]
)


def test_a_row_is_one_judgment_that_rates_each_completion(read_rows, assert_kept):
    votes = read_rows([FULL])
    (account,) = votes.reading.files
    assert (account.format, account.judgments) == ("ultrafeedback", 1)
    judgment = votes[0]
    assert judgment.verdict == "rated"
    assert judgment.ranking == []
    assert judgment.context == prompt(" What is it? ")
    assert [option.source for option in judgment.options] == ["alpaca-7b", "gpt-4", "falcon", "bard"]
    assert [option.text for option in judgment.options] == ["One", "Two\n", "", "Four"]
    assert (judgment.annotator, judgment.annotator_kind) == ("gpt-4", "model")
    assert judgment.tags["source"] == "flan"
    first = {
        rating.aspect: (rating.value, rating.low, rating.high) for rating in judgment.ratings if rating.option == 0
    }
    assert first == {
        "instruction_following": (1.0, 1.0, 5.0),
        "truthfulness": (2.0, 1.0, 5.0),
        "helpfulness": (3.0, 1.0, 5.0),
        "overall_score": (7.5, 1.0, 10.0),
        "fine-grained_score": (2.0, 1.0, 5.0),
    }
    assert len(judgment.ratings) == 4 * 6 - 1
    assert judgment.tags["completions"][0]["annotations"]["honesty"]["Rating"] == "N/A"
    assert_kept(FULL, judgment)


def test_the_known_fault_of_the_first_release_is_told(read_rows):
    votes = read_rows([FULL])
    assert sorted(votes.reading.files[0].notes.items()) == [
        ("an overall_score of 10 with aspects of at most 2: the first release wrote 10 for 1", 1),
        ("an overall_score of 10 with aspects of at most 4: doubtful, the first release wrote 10 for some 1s", 1),
    ]


def test_a_ten_that_no_aspect_confirms_is_told(read_rows):
    votes = read_rows([row([completion("a", "One", ["N/A"] * 4, "10", None)])])
    assert votes.reading.files[0].notes == {"an overall_score of 10 that no aspect ratings confirm": 1}
    assert [(rating.aspect, rating.value) for rating in votes[0].ratings] == [("overall_score", 10.0)]


def test_bad_rows_are_rejected(read_rows):
    odd = row([completion("a", "One", ["1", "2", "good", "3"], 5, 2.0)])
    unrated = row([completion("a", "One", ["N/A"] * 4, None, None)])
    textless = row([{**completion("a", "One", ["1"] * 4, 5, 1.0), "response": None}])
    votes = read_rows([FULL, row([]), odd, unrated, textless])
    assert [(reject.line, reject.reason) for reject in votes.reading.rejects] == [
        (2, "it has no completions"),
        (3, "'truthfulness rating' is 'good', not a number"),
        (4, "none of its completions is rated"),
        (5, "a completion has no text under 'response'"),
    ]


def test_the_mean_of_aspects_agrees_with_a_count_by_hand(read_rows):
    """The public recipe takes the completion of the highest mean of aspects, without those not rated."""
    votes = read_rows([FULL])
    means = {}
    for aspect in ASPECTS:
        view = votes.ratings(aspect)
        for option, value in zip(view.option, view.value, strict=True):
            means.setdefault(int(option), []).append(float(value))
    texts = votes.ratings().options.texts()
    by_text = {texts[option]: sum(values) / len(values) for option, values in means.items()}
    assert by_text["One"] == pytest.approx((1 + 2 + 3) / 3)
    assert max(by_text, key=by_text.get) == "Two\n"


def test_saving_keeps_everything(read_rows, tmp_path):
    votes = read_rows([FULL])
    assert list(Preferences.load(votes.save(tmp_path / "votes.parquet"))) == list(votes)
