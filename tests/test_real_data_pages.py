"""Every command on the pages about real data is one that Llull takes, and every picture on them is there.

The commands are not run: they need the data sets and minutes. Their options are parsed as the command line would.
"""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from pathlib import Path

import pytest

from llull.cli.main import COMMANDS
from llull.cli.parser import resolved

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted((DOCS / "real-data").glob("*.md"))
_SHELL = re.compile(r"^```sh[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PYTHON = re.compile(r"^```python[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_IMAGE = re.compile(r"!\[[^\]]*\]\(([^)\s]+)")
_MOST_BYTES = 150_000


def commands(text: str) -> list[list[str]]:
    """The words of every ``llull`` command in the shell blocks of a page."""
    lines = "\n".join(_SHELL.findall(text)).replace("\\\n", " ").splitlines()
    found = [shlex.split(line, comments=True) for line in lines]
    return [words for words in found if words[:1] == ["llull"]]


def check(words: list[str]) -> None:
    """Raise AssertionError or SystemExit unless these are a command and options that it has."""
    _, name, *rest = words
    assert name in COMMANDS, f"there is no command {name!r}"
    module, _, function = COMMANDS[name][0].partition(":")
    resolved(getattr(importlib.import_module(module), function), name, rest)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_is_accepted(page: Path, capsys: pytest.CaptureFixture[str]):
    found = commands(page.read_text(encoding="utf-8"))
    assert found, f"{page.name} shows no command"
    for words in found:
        try:
            check(words)
        except SystemExit:
            pytest.fail(f"{page.name}: {shlex.join(words)}\n{capsys.readouterr().err}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_picture_is_there_and_small(page: Path):
    found = _IMAGE.findall(page.read_text(encoding="utf-8"))
    assert found, f"{page.name} shows no picture"
    for name in found:
        picture = page.parent / name
        assert picture.is_file(), f"{page.name} shows {name}, which is not there"
        assert picture.stat().st_size <= _MOST_BYTES, f"{name} has {picture.stat().st_size:,} bytes"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_python_compiles(page: Path):
    blocks = _PYTHON.findall(page.read_text(encoding="utf-8"))
    assert blocks, f"{page.name} shows no Python"
    for code in blocks:
        assert ast.parse(code, str(page)).body, f"{page.name} has an empty Python block"


def test_a_wrong_option_is_not_accepted():
    assert commands("```sh\nllull read x.csv \\\n    --out y\nls\n```\n") == [["llull", "read", "x.csv", "--out", "y"]]
    check(["llull", "read", "x.csv", "--out", "y"])
    with pytest.raises(SystemExit):
        check(["llull", "read", "x.csv", "--ouf", "y"])
    with pytest.raises(AssertionError):
        check(["llull", "reed", "x.csv"])
