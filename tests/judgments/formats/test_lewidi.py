from __future__ import annotations

import json

import pytest

from llull.errors import InputError
from llull.judgments import Preferences
from llull.judgments.reading import read

ROWS = {
    "ArMIS": 943,
    "CSC": 1408,
    "ConvAbuse": 4050,
    "HS-Brexit": 1120,
    "MD-Agreement": 10753,
    "MP": 6761,
    "Paraphrase": 500,
    "VariErrNLI": 488,
}


@pytest.fixture(scope="module")
def sets(real_data, read_once):
    return {name: read_once(real_data / "lewidi" / f"{name}.jsonl.gz") for name in ROWS}


def given_labels(row):
    """Annotator and label of each annotation, by the rules of both editions."""
    annotations = row["annotations"]
    if isinstance(annotations, dict):
        return list(annotations.items())
    return list(zip(row["annotators"].split(","), annotations.split(","), strict=True))


@pytest.mark.parametrize("name", ROWS)
def test_every_annotation_becomes_a_judgment(sets, name, real_data, raw_rows, assert_kept):
    raw = raw_rows(real_data / "lewidi" / f"{name}.jsonl.gz")
    (account,) = sets[name].reading.files
    assert account.format == "lewidi"
    assert account.rows == account.rows_judged == len(raw) == ROWS[name]
    assert not account.rejects
    given = [(row, who, label) for row in raw for who, label in given_labels(row)]
    assert account.judgments == len(sets[name]) == len(given)
    for place, (judgment, (row, who, label)) in enumerate(zip(sets[name], given, strict=True)):
        assert judgment.annotator == f"{name}/{who}"
        rated = {rating.aspect: rating.value for rating in judgment.ratings}
        if name == "VariErrNLI":
            assert {aspect for aspect, value in rated.items() if value} == set(label.split(","))
        else:
            assert rated[row["annotation task"]] == float(label)
        said = [turn.content for turn in judgment.context] + [judgment.options[0].text]
        text = json.loads(row["text"]) if name == "ConvAbuse" else row["text"]
        assert said == ([text] if isinstance(text, str) else list(text.values()))
        if place % 500 == 0:
            assert_kept(row, judgment, but=("text", "annotations", "annotators"))


def test_scales(sets):
    scales = {(r.aspect, r.low, r.high) for name in ROWS for r in sets[name][0].ratings}
    assert {("sarcasm detection", 1.0, 6.0), ("paraphrase detection", -5.0, 5.0)} <= scales
    assert {("abusivness detection", -3.0, 1.0), ("entailment", 0.0, 1.0)} <= scales


def test_groups_come_from_all_four_places(sets):
    assert sets["ArMIS"][1].groups == {"community": "Liberal_Female"}
    assert sets["HS-Brexit"][0].groups == {"community": "target group"}
    assert sets["HS-Brexit"][3].groups == {"community": "control group"}

    def groups_of(name, annotator):
        return sets[name][sets[name].table["annotator"].to_pylist().index(annotator)].groups

    assert groups_of("MP", "MP/Ann0") == {
        "Age": "19",
        "Gender": "Female",
        "Country of birth": "United States",
        "Country of residence": "United States",
        "Nationality": "United States",
        "Student status": "Yes",
    }
    assert groups_of("CSC", "CSC/Ann1")["Age"] == "34"


def test_explanations_are_rationales(sets):
    nli = [judgment for judgment in sets["VariErrNLI"] if judgment.tags["item_id"] == "49807"]
    assert [judgment.annotator for judgment in nli] == [f"VariErrNLI/Ann{number}" for number in (1, 2, 3, 4)]
    assert nli[1].rationale is not None
    assert len(nli[1].rationale.split("\n")) == 2
    assert nli[3].rationale == 'It was built "the next year".'


def test_further_labels_of_the_same_annotator(sets):
    third = sets["HS-Brexit"][2]
    offensive = third.tags["other_info"]["other annotations"]["offensive language detection"].split(",")
    assert {r.aspect: r.value for r in third.ratings}["offensive language detection"] == float(offensive[2])


@pytest.mark.parametrize("name", ["ArMIS", "CSC", "VariErrNLI"])
def test_saving_keeps_everything(sets, name, tmp_path):
    assert Preferences.load(sets[name].save(tmp_path / "votes.parquet")).table.equals(sets[name].table)


def test_annotators_hold_no_judgments(real_data):
    with pytest.raises(InputError, match="this file holds no judgments"):
        read(real_data / "lewidi" / "MP_annotators_meta.jsonl.gz")


ITEM = {"item_id": "1", "text": "t", "annotation task": "irony detection", "number of annotations": 2}
ITEM |= {"annotators": "Ann1,Ann2", "soft_label": {}, "split": "dev", "lang": "en", "other_info": {}}


def test_bad_labels(read_rows):
    texts = ["0,1", "0", "7,1", ",1"]
    votes = read_rows(
        [{**ITEM, "annotations": text} for text in texts] + [{**ITEM, "annotation task": "taste", "annotations": "0,1"}]
    )
    assert [judgment.ratings[0].value for judgment in votes] == [0.0, 1.0, 1.0, 1.0]
    assert [reject.reason for reject in votes.reading.rejects] == [
        "its annotations do not match its 2 annotators",
        "the label '7' is outside 0 to 1, the scale of irony detection",
        "'label' is '', not a number",
        "the scale of the task 'taste' is not known",
    ]


def test_an_unknown_inference_is_rejected(read_rows):
    item = {
        **ITEM,
        "annotation task": "natural language inference",
        "annotations": {"Ann1": "neutral", "Ann2": "maybe"},
    }
    votes = read_rows([item])
    assert [rating.value for rating in votes[0].ratings] == [0.0, 1.0, 0.0]
    assert [reject.reason for reject in votes.reading.rejects] == [
        "the label 'maybe' is not one of entailment, neutral, contradiction"
    ]
