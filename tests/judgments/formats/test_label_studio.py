from __future__ import annotations

import json

from llull.judgments import Preferences, prompt
from llull.judgments.reading import read

DATA = {"prompt": "Q", "answer1": "A", "answer2": "B", "items": [{"id": "x", "body": "X"}, {"id": "y", "title": "Y"}]}


def result(kind, value, to_name="answer1,answer2"):
    return {"id": "r", "from_name": kind[:4], "to_name": to_name, "type": kind, "value": value}


def task(*results, **given):
    annotation = {
        "id": 5,
        "completed_by": {"id": 3, "email": "a@example.org"},
        "created_at": "2024-01-02T03:04:05Z",
        "lead_time": 12.5,
        "was_cancelled": False,
        "ground_truth": False,
        "result": list(results),
    }
    return {"id": 1, "data": DATA, "project": 2, "annotations": [annotation | given], "predictions": []}


TASKS = [
    task(result("pairwise", {"selected": "right"}), result("textarea", {"text": ["Kinder."]})),
    task(result("ranker", {"ranker": {"rank": ["y", "x"]}}, "items")),
    task(result("rating", {"rating": 4}, "answer2")),
    task(result("choices", {"choices": ["answer1"]}), result("choices", {"choices": ["tie"]})),
    task(was_cancelled=True),
    task(result("labels", {"start": 1})),
    {
        **task(result("pairwise", {"selected": "left"})),
        "predictions": [{"model_version": "v1", "score": 0.5, "result": [result("pairwise", {"selected": "left"})]}],
    },
    task(result("pairwise", {"selected": "middle"})),
    task(result("ranker", {"ranker": {"good": ["x"], "bad": ["y"]}}, "items")),
    task(),
]


def test_results_and_predictions(tmp_path, assert_kept):
    path = tmp_path / "export.json"
    path.write_text(json.dumps(TASKS))
    votes = read(path)
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments) == ("label-studio", 10, 8)
    assert [(reject.line, reject.reason) for reject in account.rejects] == [
        (6, "a result of type 'labels' neither compares nor rates"),
        (8, "a pair's selected side is 'middle', neither 'left' nor 'right'"),
        (9, "it sorts items into 2 lists, which ranks none above another"),
        (10, "an annotation holds no result that compares or rates"),
    ]
    pair, ranked, rated, label, tie, cancelled, left, predicted = votes
    assert pair.context == prompt("Q")
    assert [option.text for option in pair.options] == ["A", "B"]
    assert (pair.ranking, pair.rationale, pair.criterion) == ([[1], [0]], "Kinder.", "pair")
    assert (pair.annotator, pair.annotator_kind) == ("3", "human")
    assert pair.time.isoformat() == "2024-01-02T03:04:05+00:00"
    assert pair.tags["annotation"]["lead_time"] == 12.5
    assert ([option.text for option in ranked.options], ranked.ranking) == (["Y", "X"], [[0], [1]])
    assert (rated.options[0].text, rated.ratings[0].value, rated.verdict) == ("B", 4.0, "rated")
    assert (label.ranking, tie.ranking) == ([[0], [1]], [[0, 1]])
    assert (cancelled.verdict, len(cancelled.options)) == ("cannot_judge", 2)
    assert left.ranking == [[0], [1]]
    assert (predicted.annotator, predicted.annotator_kind, predicted.ranking) == ("v1", "model", [[0], [1]])
    assert_kept({key: TASKS[0][key] for key in ("id", "data", "project")}, pair)
    assert list(Preferences.load(votes.save(tmp_path / "votes.parquet"))) == list(votes)


def test_a_choice_of_one_among_three_is_two_pairs(read_rows):
    chosen = task(result("choices", {"choices": ["answer3"]}))
    chosen["data"] = {**DATA, "answer3": "C"}
    votes = read_rows([chosen])
    assert [judgment.ranking for judgment in votes] == [[[2], [0]], [[2], [1]]]
    assert [judgment.weight for judgment in votes] == [0.5, 0.5]
