"""What a run folder records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from llull.errors import InputError
from llull.judgments import Judgment, Preferences, prompt, text_option
from llull.runs.folder import RunFolder, environment, fingerprint, invoked_as


def votes(n: int = 7, **changes: object) -> Preferences:
    return Preferences.from_judgments(
        Judgment(
            [text_option(f"a{i}"), text_option(f"b{i}")], prompt(f"q{i}"), ranking=[[i % 2], [1 - i % 2]], **changes
        )  # pyright: ignore
        for i in range(n)
    )


def test_fingerprint_does_not_depend_on_how_the_table_is_cut():
    whole = votes()
    halves = Preferences.concat([whole.select(range(3)), whole.select(range(3, 7))])
    assert halves.table["id"].num_chunks != whole.table["id"].num_chunks
    assert fingerprint(halves) == fingerprint(whole)


@pytest.mark.parametrize("changes", [{"tags": {"x": 1}}, {"groups": {"g": "1"}}, {"weight": 2.0}, {"annotator": "w"}])
def test_fingerprint_depends_on_every_part_of_a_judgment(changes: dict[str, object]):
    assert fingerprint(votes(**changes)) != fingerprint(votes())


def test_fingerprint_depends_on_the_order():
    assert fingerprint(votes().select([1, 0, 2, 3, 4, 5, 6])) != fingerprint(votes())


def test_fingerprint_survives_saving(tmp_path: Path):
    assert fingerprint(Preferences.load(votes().save(tmp_path / "x.parquet"))) == fingerprint(votes())


def test_a_run_records_how_to_do_it_again(tmp_path: Path):
    folder = RunFolder(tmp_path / "run")
    with invoked_as(["fit", "my votes.csv", "--seed", "3"], "data: [my votes.csv]\nseed: 3\n"):
        folder.begin(votes(), seed=3, arguments={})
    record = folder.read_json("environment.json")
    assert record["command"] == "llull fit 'my votes.csv' --seed 3"
    assert record["data_fingerprint"] == fingerprint(votes())
    assert record["packages"]["numpy"] == environment()["packages"]["numpy"]
    assert yaml.safe_load(folder.config) == {"data": ["my votes.csv"], "seed": 3}


def test_a_run_from_python_records_its_arguments(tmp_path: Path):
    folder = RunFolder(tmp_path)
    folder.begin(votes(), seed=0, arguments={"folds": 5})
    assert yaml.safe_load(folder.config) == {"folds": 5}


def test_numbers_that_json_cannot_hold_are_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="JSON"):
        RunFolder(tmp_path).write_json("metrics.json", {"x": float("nan")})
    assert not (tmp_path / "metrics.json").exists()


def test_errors_name_the_folder(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="this is a file"):
        RunFolder(tmp_path / "file")
    with pytest.raises(InputError, match="there is no such file"):
        RunFolder(tmp_path).read_json("metrics.json")
    assert json.loads(RunFolder(tmp_path).write_json("x.json", [1]).read_text()) == [1]
