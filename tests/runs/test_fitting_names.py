"""Options known only by name in the main job."""

from __future__ import annotations

from pathlib import Path

from llull.encoders import OneHot
from llull.judgments import Judgment, Preferences, named_option, prompt, text_option
from llull.runs.fitting import ModelOptions, missing_texts, run
from llull.runs.folder import RunFolder


def vote(winner: str, loser: str, context: str) -> Judgment:
    return Judgment([named_option(winner), named_option(loser)], prompt(context), ranking=[[0], [1]])


def test_a_name_that_is_in_one_context_only_can_be_held_out(tmp_path: Path):
    votes = [vote(*pair, f"q{n}") for n in range(12) for pair in (("a", "b"), ("b", "c"), ("c", "a"))]
    preferences = Preferences.from_judgments([*votes, vote("a", "rare", "q0")])
    folder = RunFolder(tmp_path / "run")
    folder.begin(preferences, 0, {})
    run(preferences, ModelOptions(features=OneHot(), l2=1.0), folder, learning=False)
    assert folder.read_json("metrics.json")


def test_texts_set_against_names_are_told():
    mixed = Judgment([text_option("a text"), named_option("a name")], prompt("q"), ranking=[[0], [1]])
    both = Judgment([text_option("a text"), text_option("another")], prompt("q"), ranking=[[0], [1]])
    assert missing_texts(Preferences.from_judgments([mixed, both])).startswith("1 of 2 pairs")
    assert missing_texts(Preferences.from_judgments([both])) == ""
    assert missing_texts(Preferences.from_judgments([vote("a", "b", "q")])) == ""
