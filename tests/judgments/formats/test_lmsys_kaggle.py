from __future__ import annotations

import csv
import json

import pytest

from llull.errors import InputError
from llull.judgments import Message, Preferences, read


def battle(outcome, prompts=("Q",), a=("A",), b=("B",), number=1):
    return {
        "id": number,
        "model_a": "m",
        "model_b": "n",
        "prompt": json.dumps(prompts),
        "response_a": json.dumps(a),
        "response_b": json.dumps(b),
        **{f"winner_{name}": int(name == outcome) for name in ("model_a", "model_b", "tie")},
    }


ROWS = [
    battle("model_a"),
    battle("model_b", ("Q", "And?"), ("A", "A2"), ("B", None), number=2),
    battle("tie", ("Q", "And?"), ("Same", "A2"), ("Same", "B2"), number=3),
    battle(None, number=4),
    battle("tie", ("Q", "And?"), ("A", "A2"), ("B",), number=5),
    battle("tie", (), (), (), number=6),
]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "train.csv"
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ROWS[0])
        writer.writeheader()
        writer.writerows(ROWS)
    return path


def test_battles(table, assert_kept, tmp_path):
    votes = read(table)
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments) == ("lmsys-kaggle", 6, 3)
    assert [reject.reason for reject in account.rejects] == [
        "it marks 0 of the three outcomes, not one",
        "it has 2 prompts and 1 answers of model b",
        "it has 0 prompts and 0 answers of model a",
    ]
    assert account.notes["an answer that is null, read as empty"] == 1
    first, second, tie = votes
    assert first.context == [Message("user", "Q")]
    assert [(option.text, option.source) for option in first.options] == [("A", "m"), ("B", "n")]
    assert [judgment.ranking for judgment in votes] == [[[0], [1]], [[1], [0]], [[0, 1]]]
    assert [message.content for message in second.options[0].messages] == ["A", "And?", "A2"]
    assert [message.content for message in second.options[1].messages] == ["B", "And?", ""]
    assert [message.content for message in tie.context] == ["Q", "Same", "And?"]
    assert tie.verdict == "ranked"
    assert (first.shown, first.tags["id"], first.annotator_kind) == ([], "1", "human")
    assert_kept({"id": 1, "model_a": "m", "model_b": "n", "prompt": ["Q"], "response_a": ["A"]}, first)
    assert list(Preferences.load(votes.save(tmp_path / "votes.parquet"))) == list(votes)


def test_numbers_and_lists_read_as_text_does(read_rows, table):
    rows = [
        {**row, **{key: json.loads(row[key]) for key in ("prompt", "response_a", "response_b")}} for row in ROWS[:3]
    ]
    assert [(judgment.context, judgment.options, judgment.ranking) for judgment in read_rows(rows)] == [
        (judgment.context, judgment.options, judgment.ranking) for judgment in read(table)
    ]


def test_an_unknown_mark_stops_the_read(read_rows):
    with pytest.raises(InputError, match="winner_tie"):
        read_rows([{**ROWS[0], "winner_tie": 2}])
