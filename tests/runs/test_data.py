"""The commands that only look at data, as functions."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from llull.errors import InputError
from llull.judgments import Judgment, Preferences, named_option
from llull.runs.data import matching, read

ROWS = [("deu", "news"), ("deu", "it"), ("ron", "news"), (None, "news")]


@pytest.fixture
def votes() -> Preferences:
    return Preferences.from_judgments(
        Judgment([named_option("a"), named_option("b")], ranking=[[0], [1]], groups={"task": task}, tags={"lang": lang})
        for lang, task in ROWS
    )


@pytest.mark.parametrize("where", [{"lang": "deu"}, {"task": "news"}, {"lang": "deu", "task": "news"}])
def test_matching_keeps_what_has_all_the_values(votes: Preferences, where: dict[str, str]):
    expected = [row for row in ROWS if all(dict(zip(("lang", "task"), row, strict=True))[k] == where[k] for k in where)]
    kept = matching(votes, where)
    assert [(judgment.tags.get("lang"), judgment.groups["task"]) for judgment in kept] == expected


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"country": "x"}, "no judgment has a group, column or tag named 'country'"),
        ({"lang": "fra"}, "no judgment has lang fra; there are deu, ron$"),
        ({"lang": "ron", "task": "it"}, "no judgment has lang ron and task it at once"),
    ],
)
def test_matching_nothing_is_an_error(votes: Preferences, where: dict[str, str], said: str):
    with pytest.raises(InputError, match=said):
        matching(votes, where)


def test_read_writes_what_is_selected(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with (tmp_path / "votes.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(
            [["prompt", "response_a", "response_b", "winner", "country"]]
            + [[f"q{i}", "x", "y", "a", country] for i, country in enumerate(["ca", "es", "ca"])]
        )
    read([str(tmp_path / "votes.csv")], out=str(tmp_path / "out"), groups=["country"], where={"country": "ca"})
    assert [judgment.context[0].content for judgment in Preferences.load(tmp_path / "out")] == ["q0", "q2"]
    assert "2 judgments" in capsys.readouterr().out
