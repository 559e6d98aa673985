from __future__ import annotations

import json

import pytest

from llull.errors import InputError
from llull.judgments import Judgment, Preferences, prompt, text_option, write
from llull.judgments.reading import read

DOCUMENT = {
    "metadata": {"version": "2.0", "default_annotator": "d1", "dataset_name": "demo"},
    "annotators": {
        "d1": {"name": "preferred_text", "description": "Default", "type": "unknown"},
        "h1": {"name": "anna", "description": "A person", "type": "human"},
        "p1": {"description": "Select the shorter response", "type": "principle"},
    },
    "comparisons": [
        {
            "id": "c1",
            "prompt": "Q",
            "response_a": {"text": "A", "model": "m", "rating": 3},
            "response_b": {"text": "B", "model": "n"},
            "annotations": {
                "d1": {"pref": "b"},
                "h1": {"pref": "text_a"},
                "p1": {"pref": None, "no_pref_reason": "not_applicable"},
            },
            "metadata": {"topic": "art"},
        },
        {
            "id": "c2",
            "prompt": None,
            "response_a": {"text": "A"},
            "response_b": {"text": "B"},
            "annotations": {"d1": {"pref": "a"}, "p1": {"pref": None, "no_pref_reason": "invalid"}},
        },
        {"id": "c3", "prompt": "Q", "response_a": {"text": "A"}, "response_b": {"text": "B"}, "annotations": {}},
    ],
}


@pytest.fixture
def document(tmp_path):
    path = tmp_path / "pairs.json"
    path.write_text(json.dumps(DOCUMENT))
    return path


def test_each_annotator_of_each_comparison(document, assert_kept):
    votes = read(document)
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments) == ("icai", 1, 4)
    assert [reject.reason for reject in account.rejects] == [
        "the annotation of 'p1' on comparison 'c2' is invalid",
        "nobody annotated comparison 'c3'",
    ]
    default, person, principle, bare = votes
    assert default.context == prompt("Q")
    assert [(option.text, option.source) for option in default.options] == [("A", "m"), ("B", "n")]
    assert (default.ranking, default.annotator, default.annotator_kind) == ([[1], [0]], "d1", None)
    assert (person.ranking, person.annotator_kind) == ([[0], [1]], "human")
    assert (principle.verdict, principle.criterion) == ("cannot_judge", "Select the shorter response")
    assert principle.annotator_kind == "model"
    assert (bare.context, bare.ranking) == ([], [[0], [1]])
    assert default.tags["topic"] == "art"
    assert_kept(DOCUMENT["comparisons"][0], list(votes)[:3], but=["annotations"])
    assert_kept({"annotators": DOCUMENT["annotators"], "metadata": DOCUMENT["metadata"]}, list(votes))


def test_written_pairs_are_read_again(document, tmp_path):
    votes = read(document)
    write(votes, tmp_path / "new" / "pairs.json", "icai")
    written = json.loads((tmp_path / "new" / "pairs.json").read_text())
    assert [len(entry["annotations"]) for entry in written["comparisons"]] == [3, 1]
    assert list(read(tmp_path / "new" / "pairs.json")) == list(votes)
    assert list(Preferences.load(votes.save(tmp_path / "votes.parquet"))) == list(votes)


def test_ties_reasons_and_repeats_survive(tmp_path):
    options = [text_option("A", "m"), text_option("B", "n")]
    made = [
        Judgment(options, prompt("Q"), [[0, 1]], annotator="w", annotator_kind="human"),
        Judgment(options, prompt("Q"), [[0, 1]], "both_bad", annotator="w", annotator_kind="human"),
        Judgment(options, prompt("Q"), [[1], [0]], strength=2.0, criterion="tone", rationale="Warm."),
        Judgment(options, prompt("Q"), [], "cannot_judge", annotator="x", annotator_kind="model"),
        Judgment([*options, text_option("C")], prompt("Q"), [[0], [1], [2]]),
    ]
    with pytest.warns(UserWarning, match="1 left out"):
        write(Preferences.from_judgments(made), tmp_path / "pairs.json", "icai")

    def facts(judgment):
        return (
            judgment.ranking,
            judgment.verdict,
            judgment.strength,
            judgment.criterion,
            judgment.rationale,
            judgment.annotator,
            judgment.annotator_kind,
        )

    again = read(tmp_path / "pairs.json")
    assert sorted(map(repr, map(facts, again))) == sorted(map(repr, map(facts, made[:4])))
    with pytest.raises(InputError, match=r"ends in \.json"):
        write(Preferences.from_judgments(made), tmp_path / "pairs.jsonl", "icai")


def test_the_input_table(tmp_path):
    path = tmp_path / "input.csv"
    path.write_text(
        "text_a,text_b,preferred_text,input,anna,topic\nA,B,text_a,Q,text_b,art\nA,B,text_b,,,art\nA,B,,Q,,art\n"
    )
    votes = read(path)
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments, len(account.rejects)) == ("icai-table", 3, 3, 1)
    assert [(judgment.ranking, judgment.annotator) for judgment in votes] == [
        ([[0], [1]], None),
        ([[1], [0]], "anna"),
        ([[1], [0]], None),
    ]
    assert [judgment.context for judgment in votes] == [prompt("Q"), prompt("Q"), []]
    assert votes[0].tags["topic"] == "art"
