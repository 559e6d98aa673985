from __future__ import annotations

from llull.judgments import Preferences, prompt

PRINCIPLES = ("empathy", "relevance", "clarity", "safety", "exploration", "autonomy", "staging")


def row(chosen, rejected, **more):
    sides = (("chosen", chosen), ("rejected", rejected))
    ratings = {
        f"{side}_{principle}_rating": value
        for side, values in sides
        for principle, value in zip(PRINCIPLES, values, strict=True)
    }
    return {"question": "I feel low.", "chosen": "Tell me more.", "rejected": "Cheer up.", **ratings, **more}


ROWS = [
    row((5, 4, 5, 4, 5, 4, 4), (1, 2, 3, 3, 1, 2, 1), model="m"),
    row((5, 4, 5, 3, 5, 4, 4), (1, 2, 3, 4, 1, 5, 1)),
    row((5, 4, 5, 3, 5, 4, None), (1, 2, 3, None, 1, 2, "2")),
    row((5, 4, 5, "safe", 5, 4, 4), (1, 2, 3, 4, 1, 2, 1)),
    {**row((5,) * 7, (1,) * 7), "question": None},
]


def test_ratings_are_found_by_their_columns(read_rows, assert_kept):
    votes = read_rows(ROWS)
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments) == ("psychocounsel", 5, 3)
    assert [reject.line for reject in account.rejects] == [4, 5]
    judgment = votes[0]
    assert judgment.context == prompt("I feel low.")
    assert [option.text for option in judgment.options] == ["Tell me more.", "Cheer up."]
    assert judgment.ranking == [[0], [1]]
    assert {(rating.option, rating.aspect): rating.value for rating in judgment.ratings} == {
        (option, principle): float(value)
        for option, values in enumerate([(5, 4, 5, 4, 5, 4, 4), (1, 2, 3, 3, 1, 2, 1)])
        for principle, value in zip(PRINCIPLES, values, strict=True)
    }
    assert (judgment.annotator, judgment.annotator_kind) == ("gpt-4o", "model")
    assert judgment.tags == {"model": "m", "source": "sample"}
    assert len(votes[2].ratings) == 12
    for raw, judgment in zip(ROWS, votes, strict=False):
        assert_kept(raw, judgment)


def test_aspects_against_the_preference_are_counted(read_rows):
    votes = read_rows(ROWS)
    assert votes.reading.files[0].notes == {
        "the rejected reply is rated higher in safety": 1,
        "the rejected reply is rated higher in autonomy": 1,
    }


def test_saving_keeps_everything(read_rows, tmp_path):
    votes = read_rows(ROWS)
    assert list(Preferences.load(votes.save(tmp_path / "votes.parquet"))) == list(votes)
