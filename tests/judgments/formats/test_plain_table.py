"""Plain tables: with a column map, with obvious names, and those of evalica, choix and crowd-kit."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llull.errors import InputError
from llull.judgments import Judgment, Rating, named_option, prompt, read, text_option

VOTES = [
    {"q": "Why?", "x1": "Because.", "x2": "So.", "vote": "left", "who": "w1", "land": "ES", "note": "n1"},
    {"q": "Why?", "x1": "Because.", "x2": "So.", "vote": "same", "who": "w2", "land": "", "note": "n2"},
    {"q": "How?", "x1": "Thus.", "x2": "Like so.", "vote": "right", "who": "w1", "land": "ES", "note": "n3"},
]
COLUMNS = {"prompt": "q", "a": "x1", "b": "x2", "winner": "vote", "annotator": "who"}
LABELS = {"left": "a", "right": "b", "same": "both_good"}


def table(tmp_path: Path, text: str, name: str = "votes.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def as_file(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / f"votes.{kind}"
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(VOTES), path)
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in VOTES))
    else:
        mark = "\t" if kind == "tsv" else ","
        lines = [mark.join(VOTES[0]), *(mark.join(row.values()) for row in VOTES)]
        path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_a_column_map(tmp_path, kind):
    votes = list(read(as_file(tmp_path, kind), columns=COLUMNS, labels=LABELS, groups=["land"]))
    assert [(j.ranking, j.verdict) for j in votes] == [
        ([[0], [1]], "ranked"),
        ([[0, 1]], "both_good"),
        ([[1], [0]], "ranked"),
    ]
    first = votes[0]
    assert first.context == prompt("Why?")
    assert first.options == [text_option("Because."), text_option("So.")]
    assert (first.annotator, first.groups) == ("w1", {"land": "ES"})
    assert first.tags == {"note": "n1", "source": "votes"}
    assert votes[1].groups == {}


def test_a_column_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"it lacks the column wote of table; it has q, x1, x2, vote"):
        read(as_file(tmp_path, "csv"), columns={**COLUMNS, "winner": "wote"})


def test_a_map_that_names_too_little(tmp_path):
    with pytest.raises(InputError, match="no column holds the winner of a table with a, b, winner"):
        read(
            as_file(tmp_path, "csv"), columns={"prompt": "q", "a": "x1", "b": "x2", "criterion": "vote"}, labels=LABELS
        )


def test_roles_and_meanings_that_do_not_exist(tmp_path):
    path = as_file(tmp_path, "csv")
    with pytest.raises(InputError, match="'promt' is not what a column can be; known are prompt"):
        read(path, columns={"promt": "q"})
    with pytest.raises(InputError, match="'left' is not what a label can mean; known are a, b, tie"):
        read(path, columns=COLUMNS, labels={"left": "left"})
    with pytest.raises(InputError, match="are for plain tables"):
        read(path, format="trl", columns=COLUMNS)


def test_labels_outside_the_given_vocabulary_stop_the_read(tmp_path):
    with pytest.raises(InputError, match="field 'vote' has the unknown label 'same'"):
        read(as_file(tmp_path, "csv"), columns=COLUMNS, labels={"left": "a", "right": "b"})


def test_numbers_as_labels_need_their_meaning(tmp_path):
    path = table(tmp_path, "question,response_a,response_b,winner\nq,x,y,0\nq,x,y,1\n")
    with pytest.raises(InputError, match="unknown label '0'"):
        read(path)
    assert [j.ranking for j in read(path, labels={"0": "a", "1": "b"})] == [[[0], [1]], [[1], [0]]]
    rows = [{"question": "q", "response_a": "x", "response_b": "y", "winner": value} for value in (0, 1.0)]
    lines = table(tmp_path, "".join(json.dumps(row) + "\n" for row in rows), "votes.jsonl")
    assert [j.ranking for j in read(lines, labels={"0": "a", "1": "b"})] == [[[0], [1]], [[1], [0]]]


def test_obvious_names(tmp_path):
    path = table(
        tmp_path,
        "Question,response_a,response_b,model_a,model_b,preferred,worker_id,criterion,strength,reason,timestamp,weight\n"
        "q,x,y,m1,m2,model_b,7,style,2.5,nicer,1700000000,0.5\n"
        "q,x,y,m1,m2,Tie,8,,,,yesterday,\n",
    )
    first, second = read(path)
    assert first == Judgment(
        id=first.id,
        context=prompt("q"),
        options=[text_option("x", "m1"), text_option("y", "m2")],
        ranking=[[1], [0]],
        annotator="7",
        criterion="style",
        strength=2.5,
        rationale="nicer",
        time=datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
        weight=0.5,
        tags={"source": "votes"},
    )
    assert (second.ranking, second.weight, second.time, second.tags["timestamp"]) == ([[0, 1]], 1.0, None, "yesterday")


@pytest.mark.parametrize(
    ("given", "read_as"),
    [
        (1_700_000_000_000, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ("2023-11-14T22:13:20Z", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ("2023-11-14 23:13:20+01:00", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ("2023-11-14 22:13:20", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        (None, None),
    ],
)
def test_times(tmp_path, given, read_as):
    row = {"question": "q", "response_a": "x", "response_b": "y", "winner": "a", "time": given}
    (judgment,) = read(table(tmp_path, json.dumps(row) + "\n", "votes.jsonl"))
    assert judgment.time == read_as


def test_chosen_and_rejected_with_people(tmp_path):
    path = table(tmp_path, "instruction,chosen,rejected,annotator\nq,x,y,ann\n")
    (judgment,) = read(f"table:{path}")
    assert (judgment.context, judgment.ranking, judgment.annotator) == (prompt("q"), [[0], [1]], "ann")


def test_evalica(tmp_path):
    path = table(tmp_path, "left,right,winner\npizza,burger,left\nburger,sushi,right\nsushi,pizza,tie\n", "food.csv")
    votes = read(path)
    assert votes.reading is not None
    assert votes.reading.files[0].format == "table"
    assert [([o.source for o in j.options], j.ranking) for j in votes] == [
        (["pizza", "burger"], [[0], [1]]),
        (["burger", "sushi"], [[1], [0]]),
        (["sushi", "pizza"], [[0, 1]]),
    ]


def test_left_and_right_are_texts_beside_a_prompt(tmp_path):
    (judgment,) = read(table(tmp_path, "prompt,left,right,winner\nq,x,y,right\n"))
    assert judgment.options == [text_option("x"), text_option("y")]
    assert judgment.ranking == [[1], [0]]


def test_choix_pairs_and_rankings(tmp_path):
    (pair,) = read(table(tmp_path, "winner,loser\n3,1\n", "pairs.csv"))
    assert (pair.options, pair.ranking) == ([named_option("3"), named_option("1")], [[0], [1]])
    (ranking,) = read(table(tmp_path, '{"ranking": [2, 0, 1]}\n', "rankings.jsonl"))
    assert ([o.source for o in ranking.options], ranking.ranking) == (["2", "0", "1"], [[0], [1], [2]])


def test_crowd_kit_pairs_name_the_winner_itself(tmp_path):
    votes = read(table(tmp_path, "worker,left,right,label\nw1,a1,b7,b7\nw2,a1,b7,a1\n"))
    assert [(j.annotator, j.ranking) for j in votes] == [("w1", [[1], [0]]), ("w2", [[0], [1]])]
    with pytest.raises(InputError, match="field 'label' has the unknown label 'c9'"):
        read(table(tmp_path, "worker,left,right,label\nw1,a1,b7,c9\n"))


def test_crowd_kit_answers_to_tasks(tmp_path):
    (judgment,) = read(table(tmp_path, "task,worker,label\nt1,w1,cat\n"))
    assert (judgment.context, judgment.options, judgment.ranking) == (prompt("t1"), [named_option("cat")], [[0]])
    assert judgment.annotator == "w1"


def test_single_texts_with_thumbs_or_ratings(tmp_path):
    path = table(tmp_path, "prompt,text,ok,stars\nq,x,true,4\nq,y,0,2.5\nq,z,maybe,1\n")
    thumbs = read(path, columns={"option": "text", "accept": "ok"})
    assert [j.ratings for j in thumbs] == [[Rating(0, "accept", 1.0, 0, 1)], [Rating(0, "accept", 0.0, 0, 1)]]
    assert thumbs.reading is not None
    assert [r.reason for r in thumbs.reading.rejects] == ["'maybe' is neither accepted nor not"]
    stars = read(path, columns={"option": "text", "rating": "stars"})
    assert [j.ratings[0].value for j in stars] == [4.0, 2.5, 1.0]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"winner": None}, "field 'winner' holds no label"),
        ({"response_a": 5}, "field 'response_a' is not a text"),
        ({"strength": "much"}, "'strength' is 'much', not a number"),
        ({"weight": -1}, "its weight -1.0 is not a number of at least 0"),
        ({"annotator_kind": "dog"}, "annotator kind 'dog' is not one of human"),
    ],
)
def test_bad_rows(tmp_path, row, reason):
    good = {"question": "q", "response_a": "x", "response_b": "y", "winner": "a"}
    votes = read(table(tmp_path, json.dumps(good) + "\n" + json.dumps({**good, **row}) + "\n", "votes.jsonl"))
    assert votes.reading is not None
    assert len(votes) == 1
    assert [(reject.line, reason in reject.reason) for reject in votes.reading.rejects] == [(2, True)]


def test_conversations_as_prompts_and_answers(tmp_path):
    row = {
        "prompt": [{"role": "user", "content": "Hi"}],
        "response_a": [{"role": "assistant", "content": "Hello."}],
        "response_b": "Ho.",
        "winner": "a",
    }
    (judgment,) = read(table(tmp_path, json.dumps(row) + "\n", "votes.jsonl"), format="table")
    assert judgment.context == prompt("Hi")
    assert judgment.options == [text_option("Hello."), text_option("Ho.")]
