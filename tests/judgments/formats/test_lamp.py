from __future__ import annotations

import json

import pytest

from llull.errors import InputError
from llull.judgments import Preferences
from llull.judgments.reading import read

# Format, rows, judgments of each file.
FILES = {
    "preference_rankings": ("lamp-rankings", 603, 603),
    "edits_preference_batches": ("lamp-edits", 202, 202),
    "edits_reannotated": ("lamp-edits", 150, 150),
    "edit_model_test": ("lamp-edit-messages", 67, 67),
    "pairwise_val": ("lamp-validation", 236, 236),
    "reward_score_train": ("lamp-score-messages", 1996, 1996),
    "ttcw_annotations": ("ttcw", 2016, 2016),
}


@pytest.fixture(scope="module")
def folder(real_data):
    return real_data / "lamp_writing"


@pytest.fixture(scope="module")
def votes(folder, read_once):
    return {name: read_once(folder / f"{name}.jsonl.gz") for name in [*FILES, "wqrm_annotations"]}


@pytest.fixture(scope="module")
def raw(folder, raw_rows):
    names = [*FILES, "wqrm_annotations", "ttcw_stories", "ttcw_tests"]
    return {name: raw_rows(folder / f"{name}.jsonl.gz") for name in names}


@pytest.mark.parametrize("name", FILES)
def test_every_row_becomes_a_judgment(votes, raw, name, assert_kept):
    (account,) = votes[name].reading.files
    assert (account.format, account.rows, account.judgments) == FILES[name]
    assert len(raw[name]) == account.rows
    assert not account.rejects
    # Places, verdicts and the ids within texts are compared one by one below.
    renamed = ("rank_1", "rank_2", "rank_3", "reference_preference", "binary_verdict", "expert_idx", "messages")
    for judgment, row in list(zip(votes[name], raw[name], strict=True))[::40]:
        assert_kept(row, judgment, but=renamed)


@pytest.mark.parametrize("name", FILES)
def test_saving_keeps_everything(votes, name, tmp_path):
    assert Preferences.load(votes[name].save(tmp_path / "votes.parquet")).table.equals(votes[name].table)


def test_rankings(votes, raw):
    for judgment, row in zip(votes["preference_rankings"], raw["preference_rankings"], strict=True):
        assert [option.text for option in judgment.options] == row["responses"]
        ranked = [judgment.options[index].source for (index,) in judgment.ranking]
        assert ranked == [row["mapping"][row[f"rank_{place}"]] for place in (1, 2, 3)]
        assert judgment.annotator == row["rater"]


@pytest.mark.parametrize("name", ["edits_preference_batches", "edits_reannotated"])
def test_edits(votes, raw, name):
    for judgment, row in zip(votes[name], raw[name], strict=True):
        assert [option.text for option in judgment.options[:2]] == [row["preedit"], row["postedit"]]
        assert judgment.options[0].parent is None
        assert {option.parent for option in judgment.options[1:]} == {0}
        assert len(judgment.options) == (3 if "AI-edited" in row else 2)
        assert judgment.ranking == [[1], [0]]
        assert [rating.value for rating in judgment.ratings] == [float(score) for score in row["creativity_scores"]]
        assert judgment.annotator == row.get("writer")
        assert judgment.annotator_kind == "behavior"
        assert judgment.tags["fine_grained_edits"] == row["fine_grained_edits"]


def test_edit_conversations_can_be_put_together_again(votes, raw):
    for judgment, row in zip(votes["edit_model_test"], raw["edit_model_test"], strict=True):
        system, asked, reply = (turn["content"] for turn in row["messages"])
        before, after = judgment.options
        assert judgment.context[0].content == system
        assert judgment.context[1].content + before.text == asked
        assert f"{judgment.rationale}Part 3: Implementing Proposed Edits\n\n{after.text}" == reply
        assert after.parent == 0


def test_score_conversations_can_be_put_together_again(votes, raw):
    for judgment, row in zip(votes["reward_score_train"], raw["reward_score_train"], strict=True):
        system, asked, reply = (turn["content"] for turn in row["messages"])
        assert judgment.context[0].content == system
        text = f"{judgment.context[1].content}\n\nParagraph:\n{judgment.options[0].text}{judgment.tags['answer_form']}"
        assert text == asked
        assert judgment.ratings[0].value == json.loads(reply)["score"]


def test_validation_holds_pairs_and_scores(votes, raw):
    for judgment, row in zip(votes["pairwise_val"], raw["pairwise_val"], strict=True):
        if row["sample_type"] == "pairwise":
            better = judgment.options[judgment.ranking[0][0]].text
            assert better == row[f"paragraph{row['reference_preference']}"]
        else:
            assert judgment.options[0].text == row["paragraph"]
            assert judgment.ratings[0].value == row["zscore_int"]


def test_verdicts_are_joined_with_stories_and_tests(votes, raw):
    stories = {story["story_id"]: story for story in raw["ttcw_stories"]}
    tests = {test["ttcw_idx"]: test for test in raw["ttcw_tests"]}
    for judgment, row in zip(votes["ttcw_annotations"], raw["ttcw_annotations"], strict=True):
        (rating,) = judgment.ratings
        assert (rating.aspect, rating.value) == (row["category"], float(row["binary_verdict"] == "Yes"))
        assert judgment.annotator == f"expert{row['expert_idx']}"
        assert judgment.criterion == tests[row["ttcw_idx"]]["question"]
        (option,) = judgment.options
        held = option.media[0].uri if option.media else option.text
        assert held == stories[row["story_id"]]["content"]
        assert option.source == row["story_id"].split("_")[1]


def test_rankings_of_drafts(votes, raw, assert_kept):
    places = ["Most Preferred Writing Option", "Second Favorite Writing Option", "Least Preferred Writing Option"]
    given = [(row, ranks) for row in raw["wqrm_annotations"] for ranks in row["annotations"]]
    (account,) = votes["wqrm_annotations"].reading.files
    assert (account.format, account.rows, account.judgments) == ("wqrm", 101, len(given))
    assert not account.rejects
    for judgment, (row, ranks) in zip(votes["wqrm_annotations"], given, strict=True):
        order = [judgment.options[index].source for tier in judgment.ranking for index in tier]
        assert order == sorted(ranks, key=lambda draft: places.index(ranks[draft]))
        assert {option.source: option.text for option in judgment.options} == {d: row[d]["candidate"] for d in ranks}
        assert_kept(row, judgment, but=("annotations",))


@pytest.mark.parametrize("name", ["ttcw_stories", "ttcw_tests"])
def test_files_beside_hold_no_judgments(folder, name):
    with pytest.raises(InputError, match="this file holds no judgments"):
        read(folder / f"{name}.jsonl.gz")


def test_bad_rows(read_rows):
    edit = {"id": "1", "instruction": "Q", "type": "t", "source": "m", "preedit": "a", "postedit": "b"}
    edit["fine_grained_edits"] = []
    votes = read_rows([{**edit, "creativity_scores": scores} for scores in (["1", "2"], ["1"], ["1", "x"])])
    assert len(votes) == 1
    assert [reject.reason for reject in votes.reading.rejects] == [
        "it has 1 scores, not one before and one after the edit",
        "'score' is 'x', not a number",
    ]


def test_conversations_of_others_are_not_taken_for_these(read_rows):
    turns = [{"role": role, "content": "Hello"} for role in ("system", "user", "assistant")]
    with pytest.raises(InputError):
        read_rows([{"messages": turns}], format=None)
