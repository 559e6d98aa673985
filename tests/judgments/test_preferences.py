"""Judgments survive the table, the file, and everything ``datasets`` does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import datasets
import numpy as np
import pytest
from generated_judgments import many
from hypothesis import HealthCheck, given, settings

from llull.judgments import Judgment, Message, Option, Preferences, Rating, named_option, prompt, text_option


def votes(n: int = 30) -> Preferences:
    return Preferences.from_judgments(
        Judgment(
            [text_option(f"a{i}", source="m"), text_option(f"b{i}")],
            prompt(f"q{i % 7}"),
            ranking=[[i % 2], [1 - i % 2]],
            annotator=f"w{i % 3}",
            tags={"row": i, "nested": {"x": [None, 1.5, "ü"]}},
            time=datetime(2024, 5, 1, 12, 30, i, 123456, tzinfo=UTC),
        )
        for i in range(n)
    )


@given(many(max_size=8))
@settings(max_examples=50, deadline=None)
def test_a_judgment_comes_back_from_the_table_as_it_was(judgments):
    preferences = Preferences.from_judgments(judgments)
    assert list(preferences) == judgments
    assert [preferences[i] for i in range(len(judgments))] == judgments
    assert len(preferences) == len(judgments)


@given(judgments=many(max_size=6))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_judgment_comes_back_from_the_file_as_it_was(judgments, tmp_path):
    path = Preferences.from_judgments(judgments).save(tmp_path / "kept" / "judgments.parquet")
    assert list(Preferences.load(path)) == judgments
    assert list(Preferences.load(tmp_path / "kept")) == judgments
    assert not list(path.parent.glob("*.part"))


def test_many_batches_come_back_in_order():
    n = 45_000
    made = Preferences.from_judgments(
        Judgment([named_option("a")], verdict="cannot_judge", id=str(i)) for i in range(n)
    )
    assert made.table["id"].to_pylist() == [str(i) for i in range(n)]
    assert made.table["id"].num_chunks == 3
    assert made[44_999].id == "44999"


def test_an_unsound_judgment_is_refused_with_its_number():
    sound = Judgment([text_option("a")], verdict="cannot_judge")
    with pytest.raises(ValueError, match="judgment 1 is unsound: the ranking"):
        Preferences.from_judgments([sound, Judgment([text_option("a")], ranking=[[1]])])


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"options": []}, "it has no options"),
        ({"verdict": "won"}, "verdict 'won' is not one of"),
        ({"annotator_kind": "robot"}, "annotator kind 'robot' is not one of"),
        ({"ranking": [[0], [0]]}, "ranked twice"),
        ({"ranking": [[0], []]}, "an empty tier"),
        ({"ranking": [[0], [2]]}, "beyond the 2"),
        ({"shown": [0, 0]}, "at most once"),
        ({"ratings": [Rating(5, "x", 1.0)]}, "a rating names an option beyond"),
        ({"ratings": [Rating(0, "x", float("nan"))]}, "not a number"),
        ({"ranking": []}, "ranks nothing"),
        ({"verdict": "both_bad"}, "needs one tier"),
        ({"verdict": "cannot_judge"}, "has a ranking"),
        ({"verdict": "rated", "ranking": []}, "no ratings"),
        ({"weight": float("nan")}, "weight nan"),
    ],
)
def test_what_makes_a_judgment_unsound(changes, problem):
    judgment = Judgment([text_option("a"), text_option("b")], ranking=[[0], [1]])
    assert judgment.problem() is None
    assert problem in (replace(judgment, **changes).problem() or "")


def test_ids_are_hashes_of_content():
    one = Judgment([text_option("a"), text_option("b")], prompt("q"), ranking=[[0], [1]])
    same = Judgment([text_option("a"), text_option("b")], prompt("q"), ranking=[[0], [1]], tags={"row": 9})
    other = Judgment([text_option("a"), text_option("b")], prompt("q"), ranking=[[1], [0]])
    assert one.id == same.id != other.id
    assert text_option("a").id == Option([Message("assistant", "a")]).id != text_option("a", role="user").id
    assert named_option("gpt").id == "gpt"


def test_half_a_character_is_kept_as_the_sign_for_it():
    judgment = Judgment([text_option("\ud83d"), text_option("\ud83d\ude00")], ranking=[[0], [1]], rationale="a\udc00b",
                        tags={"raw": "\ud800"})  # fmt: skip
    (back,) = Preferences.from_judgments([judgment])
    assert [option.text for option in back.options] == ["\ufffd", "😀"]
    assert (back.rationale, back.tags["raw"]) == ("a\ufffdb", "\ufffd")


def test_select_filter_and_concat_agree():
    preferences = votes()
    mask = np.array([j.annotator == "w1" for j in preferences])
    by_rule = preferences.filter(lambda j: j.annotator == "w1")
    assert list(by_rule) == list(preferences.select(mask)) == list(preferences.select(np.flatnonzero(mask)))
    assert list(Preferences.concat([by_rule, preferences])) == [*by_rule, *preferences]
    assert by_rule[-1] == list(by_rule)[-1]
    with pytest.raises(IndexError, match="row 10 is outside these 10"):
        by_rule[10]


def test_what_datasets_does_keeps_the_views_working():
    preferences = votes()
    expected = [j.id for j in preferences if j.annotator == "w1"]

    filtered = Preferences(preferences.dataset.filter(lambda row: row["annotator"] == "w1"))
    assert [j.id for j in filtered] == expected
    assert len(filtered.pairs()) == len(expected)

    mapped = Preferences(preferences.dataset.map(lambda row: {**row, "annotator": row["annotator"].upper()}))
    assert mapped.pairs().annotators == ("W0", "W1", "W2")
    assert [replace(j, annotator=j.annotator.lower()) for j in mapped] == list(preferences)

    more = Preferences(preferences.dataset.add_column("extra", list(range(len(preferences)))))
    assert list(more) == list(preferences)
    assert len(more.shuffle_sides(0)) == len(preferences)

    sharded = Preferences.concat([Preferences(preferences.dataset.shard(3, i, contiguous=True)) for i in range(3)])
    assert list(sharded) == list(preferences)

    shuffled = Preferences(preferences.dataset.shuffle(seed=1))
    assert sorted(shuffled.table["id"].to_pylist()) == sorted(preferences.table["id"].to_pylist())
    assert len(shuffled.pairs().options) == len(preferences.pairs().options)


def test_a_set_saved_by_datasets_comes_back(tmp_path):
    preferences = votes()
    preferences.dataset.save_to_disk(tmp_path / "disk")
    assert list(Preferences(datasets.load_from_disk(tmp_path / "disk"))) == list(preferences)


def test_a_set_that_is_no_judgments_is_refused():
    with pytest.raises(ValueError, match="lacks the columns id, context_id"):
        Preferences(datasets.Dataset.from_dict({"chosen": ["a"], "rejected": ["b"]}))
