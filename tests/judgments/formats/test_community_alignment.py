from __future__ import annotations

import csv

import pytest

from llull.errors import InputError
from llull.judgments import Preferences
from llull.judgments.reading import read

TURNS = ("first", "second", "third", "fourth")


def conversation(**given):
    row = {"conversation_id": "1", "assigned_lang": "it", "annotator_id": "7"}
    for turn in TURNS:
        for part in (
            "prompt",
            "response_a",
            "response_b",
            "response_c",
            "response_d",
            "preferred_response",
            "feedback",
        ):
            row[f"{turn}_turn_{part}"] = None
    row |= {
        "annotator_age": "18-34",
        "annotator_country": "Italy",
        "annotator_gender": None,
        "in_balanced_subset": True,
    }
    return row | given


def turn(name, preferred, feedback=None):
    answers = {f"{name}_turn_response_{letter}": f"{name} {letter}" for letter in "abcd"}
    return {
        **answers,
        f"{name}_turn_prompt": f"{name}?",
        f"{name}_turn_preferred_response": preferred,
        f"{name}_turn_feedback": feedback,
    }


ROWS = [
    conversation(**turn("first", "response_c", "Kinder."), **turn("second", "response_a")),
    conversation(**turn("first", None), **turn("second", "d")),
    conversation(),
    conversation(**turn("first", "response_b") | {"first_turn_response_b": None}),
]


def test_each_turn_is_a_choice_of_one_reply(read_rows, assert_kept, tmp_path):
    votes = read_rows(ROWS)
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments) == ("community-alignment", 4, 9)
    assert [(reject.line, reject.reason) for reject in account.rejects] == [
        (2, "the first turn has no preferred reply"),
        (3, "it holds no judgment"),
        (4, "the first turn prefers reply 'b', which is not there"),
    ]
    first, second, after_unknown = votes[0], votes[3], votes[6]
    assert [judgment.ranking for judgment in votes] == [
        *([[2], [0]], [[2], [1]], [[2], [3]]),
        *([[0], [1]], [[0], [2]], [[0], [3]]),
        *([[3], [0]], [[3], [1]], [[3], [2]]),
    ]
    assert [judgment.rationale for judgment in votes] == ["Kinder."] * 3 + [None] * 6
    assert [judgment.weight for judgment in votes] == [1 / 3] * 9
    assert len({judgment.tags["choice"] for judgment in votes}) == 3
    assert [option.text for option in first.options] == ["first a", "first b", "first c", "first d"]
    assert first.groups == {"age": "18-34", "country": "Italy"}
    assert first.annotator == "7"
    assert [message.content for message in second.context] == ["first?", "first c", "second?"]
    assert [message.content for message in after_unknown.context] == ["first?", "second?"]
    assert_kept(ROWS[0], [first, second], but=["first_turn_preferred_response", "second_turn_preferred_response"])
    assert list(Preferences.load(votes.save(tmp_path / "votes.parquet"))) == list(votes)


def test_empty_cells_of_a_table_are_missing_turns(tmp_path):
    with (tmp_path / "table.csv").open("w", newline="") as stream:
        table = csv.DictWriter(stream, ROWS[0])
        table.writeheader()
        table.writerow({key: "" if value is None else value for key, value in ROWS[0].items()})
    votes = read(tmp_path / "table.csv")
    assert [judgment.ranking[0] for judgment in votes] == [[2]] * 3 + [[0]] * 3


def test_an_unknown_choice_stops_the_read(read_rows):
    with pytest.raises(InputError, match="response_e"):
        read_rows([conversation(**turn("first", "response_e"))])
