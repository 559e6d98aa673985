"""Every command of the README runs, in order, on a file of one's own."""

from __future__ import annotations

import csv
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from llull.judgments import Preferences
from llull.judgments.simulate import demo

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"```(sh|python)\n(.*?)```", re.DOTALL)


def commands() -> list[str]:
    """The shell lines of the README, without their comments."""
    lines = [
        line
        for kind, body in BLOCK.findall((ROOT / "README.md").read_text())
        if kind == "sh"
        for line in body.splitlines()
    ]
    return [line for line in (line.split("#")[0].strip() for line in lines) if line]


def write_votes(votes: Preferences, path: Path) -> None:
    """A plain table, as somebody's own file would be."""
    labels = {(0,): "a", (1,): "b"}
    with path.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(["prompt", "response_a", "response_b", "winner", "annotator", "community"])
        for vote in votes:
            winner = labels.get(tuple(vote.ranking[0]) if vote.ranking else (), "tie")
            first, second = vote.options
            table.writerow(
                [vote.context[-1].content, first.text, second.text, winner, vote.annotator, vote.groups["community"]]
            )


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readme")
    votes = demo(seed=0)
    write_votes(votes.select([row for row, vote in enumerate(votes) if len(vote.options) == 2]), folder / "votes.csv")
    return folder


def run(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.slow
def test_every_llull_command_runs(workplace: Path):
    ours = [command for command in commands() if command.startswith("llull ")]
    assert len(ours) >= 5
    for command in ours:
        done = run([sys.executable, "-m", "llull", *shlex.split(command)[1:]], workplace)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    assert (workplace / "runs" / "votes" / "report.html").stat().st_size > 10_000


@pytest.mark.slow
def test_the_python_example_runs(workplace: Path):
    (example,) = [body for kind, body in BLOCK.findall((ROOT / "README.md").read_text()) if kind == "python"]
    done = run([sys.executable, "-c", example], workplace)
    assert done.returncode == 0, done.stderr
    assert "one" in done.stdout


def test_make_targets_exist():
    targets = [command.split()[1] for command in commands() if command.startswith("make ")]
    assert targets == ["demo", "test"]
    for target in targets:
        assert run(["make", "--dry-run", target], ROOT).returncode == 0


def test_extras_that_are_named_exist():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [extra for command in commands() for extra in re.findall(r"llull\[(\w+)\]", command)]
    assert named
    assert set(named) <= set(project["optional-dependencies"])


def test_every_command_is_one_of_these_kinds():
    assert all(command.split()[0] in ("llull", "make", "pip") for command in commands())
