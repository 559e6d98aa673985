"""Writing: whole files or none, and an account of what a format cannot hold."""

from __future__ import annotations

import json
import warnings
from collections import Counter

import pytest

from llull.errors import InputError
from llull.judgments import Judgment, Preferences, prompt, read, text_option, write
from llull.judgments.format import Writer


def judgment(question: str, ranking: list[list[int]]) -> Judgment:
    return Judgment([text_option("good"), text_option("bad")], prompt(question), ranking=ranking, annotator="ann")


@pytest.fixture
def votes() -> Preferences:
    return Preferences.from_judgments(
        [judgment("one", [[0], [1]]), judgment("two", [[0, 1]]), judgment("three", [[1], [0]])]
    )


def test_parquet_loses_nothing(votes, tmp_path):
    done = write(votes, tmp_path / "deep" / "votes.parquet")
    assert (done.judgments, done.format, done.left_out) == (3, "llull", Counter())
    assert list(read(tmp_path / "deep" / "votes.parquet")) == list(votes)


def test_ties_that_a_format_cannot_hold_are_counted_and_named(votes, tmp_path):
    with pytest.warns(UserWarning, match="1 left out, which it cannot hold: 1 that name no winner"):
        done = write(votes, tmp_path / "votes.jsonl", format="trl")
    assert done.judgments == 2
    assert done.left_out == Counter({"that name no winner": 1})
    assert done.loses
    assert done.judgments + done.left_out.total() == len(votes)
    assert [row["chosen"] for row in map(json.loads, (tmp_path / "votes.jsonl").open())] == ["good", "bad"]


def test_nothing_is_said_where_nothing_is_lost(votes, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        done = write(votes.filter(lambda j: len(j.ranking) == 2), tmp_path / "votes.jsonl", format="trl")
    assert done.summary() == f"{tmp_path / 'votes.jsonl'}: 2 judgments written as trl"


def test_a_set_of_which_nothing_fits_writes_no_file(votes, tmp_path):
    ties = votes.filter(lambda j: len(j.ranking) == 1)
    path = tmp_path / "votes.jsonl"
    with pytest.raises(InputError, match=r"can hold none of the 1 judgments") as caught:
        write(ties, path, format="trl")
    assert str(caught.value).startswith(f"{path}: ")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_write_leaves_the_old_file_and_nothing_beside_it(votes, tmp_path, monkeypatch):
    def stop(preferences, path):
        path.write_text("half of")
        raise KeyboardInterrupt

    monkeypatch.setattr("llull.judgments.writing.known_writers", lambda: {"half": Writer("half", "", stop, "")})
    path = tmp_path / "votes.jsonl"
    path.write_text("the old file")
    with pytest.raises(KeyboardInterrupt):
        write(votes, path, format="half")
    assert path.read_text() == "the old file"
    assert list(tmp_path.iterdir()) == [path]


def test_unknown_formats_get_the_nearest_known_name(votes, tmp_path):
    with pytest.raises(InputError, match=r"'trll' is not a format that Llull writes; did you mean trl"):
        write(votes, tmp_path / "votes.jsonl", format="trll")


def test_places_that_cannot_be_written_to(votes, tmp_path):
    with pytest.raises(InputError, match="this is a folder; name a file in it"):
        write(votes, tmp_path)
    (tmp_path / "file").write_text("")
    for name, format in (("votes.parquet", "llull"), ("votes.jsonl", "trl")):
        with pytest.raises(InputError, match="it cannot be written"):
            write(votes, tmp_path / "file" / name, format=format)


def test_push_to_hub_pushes_the_whole_data_set(votes, monkeypatch):
    pushed = []
    monkeypatch.setattr(
        type(votes.dataset), "push_to_hub", lambda self, repo, **options: pushed.append((self, repo, options))
    )
    votes.push_to_hub("org/votes", private=True)
    assert pushed == [(votes.dataset, "org/votes", {"private": True})]
