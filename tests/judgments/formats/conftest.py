"""What the tests of the formats share: small files written by a test, and the check that nothing read is lost."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from llull.judgments import Judgment, Preferences
from llull.judgments.reading import read


@pytest.fixture
def write_json_lines(tmp_path: Path) -> Callable[..., Path]:
    """Write rows (objects, or lines of text as they are) to a file of JSON lines."""

    def write(rows: Iterable[Any], name: str = "sample.jsonl") -> Path:
        path = tmp_path / name
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture
def read_rows(write_json_lines: Callable[..., Path]) -> Callable[..., Preferences]:
    """Write rows to a file and read it, in a named format or the one that is recognised."""

    def read_written(rows: Iterable[Any], format: str | None = None, name: str = "sample.jsonl") -> Preferences:
        return read(write_json_lines(rows, name), format=format)

    return read_written


@pytest.fixture(scope="session")
def raw_rows() -> Callable[[Path], list[dict[str, Any]]]:
    """The rows of a file of JSON lines, read without Llull."""

    def load(path: Path) -> list[dict[str, Any]]:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as stream:
            return [json.loads(line) for line in stream if line.strip()]

    return load


@pytest.fixture(scope="session")
def assert_kept() -> Callable[..., None]:
    """Check that each value of a raw row is found in the judgments made from it, or in their tags."""

    def check(row: dict[str, Any], judgments: Judgment | list[Judgment], but: Iterable[str] = ()) -> None:
        made = judgments if isinstance(judgments, list) else [judgments]
        held = [leaf for judgment in made for leaf in _leaves(asdict(judgment))]
        texts = [leaf for leaf in held if isinstance(leaf, str)]
        numbers = {float(leaf) for leaf in held if isinstance(leaf, int | float)}
        skipped = set(but)
        lost = [leaf for key in row.keys() - skipped for leaf in _leaves(row[key]) if not _held(leaf, texts, numbers)]
        assert not lost, f"lost: {lost}"

    return check


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    elif value is not None and value != "":
        yield value


def _held(leaf: Any, texts: list[str], numbers: set[float]) -> bool:
    if isinstance(leaf, int | float):
        return float(leaf) in numbers
    if any(leaf in text for text in texts):
        return True
    try:
        return float(leaf) in numbers
    except ValueError:
        return False
