"""Which formats there are, and which of them a file is."""

from __future__ import annotations

import difflib
import importlib
import itertools
import pkgutil
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from llull.errors import InputError
from llull.judgments import files, formats
from llull.judgments.format import Format, Sample, Writer
from llull.judgments.rows import BadRow

NumberedRows = Iterator[tuple[int, dict[str, Any] | BadRow]]

_SAMPLE_ROWS = 25
_SEARCHED_ROWS = 1_000
"""How far a file is searched for good rows to recognize it by."""
_COLUMNS_NAMED = 12


class Unrecognized(InputError):
    """No format fits a file. A folder may hold such files; a file that was named may not be one."""

    def __init__(self, message: str, auxiliary: bool = False) -> None:
        super().__init__(message)
        self.auxiliary = auxiliary
        """Whether it is known as a file that is read along with others."""


@cache
def known_formats() -> dict[str, Format]:
    """Every format that `llull.read` knows, by name."""
    return {f.name: f for module in _format_modules() for f in getattr(module, "FORMATS", ())}


@cache
def known_writers() -> dict[str, Writer]:
    """Every format that `llull.write` knows, by name."""
    return {w.name: w for module in _format_modules() for w in getattr(module, "WRITERS", ())}


def _format_modules() -> list[Any]:
    names = sorted(module.name for module in pkgutil.iter_modules(formats.__path__))
    return [importlib.import_module(f"{formats.__name__}.{name}") for name in names]


def format_named(name: str) -> Format:
    """The format of this name. Raises InputError that names the nearest ones."""
    if name not in known_formats():
        raise InputError(f"{name!r} is not a known format; {nearest(name, known_formats())}")
    return known_formats()[name]


def nearest(name: str, known: Iterable[str]) -> str:
    """The names nearest to one that is not known, or all of them, as the end of a sentence."""
    near = difflib.get_close_matches(name, list(known), n=3)
    return f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(sorted(known))}"


def is_readable(path: Path) -> bool:
    """Whether a file's ending is that of a table or of a format with files of its own kind."""
    return files.is_table(path) or any(files.ending(path) in known.endings for known in known_formats().values())


def open_as(path: Path, known: Format) -> NumberedRows:
    """The rows of a file that is said to be of this format.

    Raises:
        InputError: the rows lack the format's columns, so the file is not what it is said to be.
    """
    rows = known.load(path)
    ahead, sample = _look_ahead(rows)
    lacking = known.fields - {key for row in sample for key in row}
    if sample and lacking:
        if path.name.split(".")[0] in known.auxiliary:
            raise _auxiliary(str(path), known)
        raise InputError(
            f"{path}: it lacks the column{_s(lacking)} {_names(lacking)} of {known.name}; it has {_names(sample[0])}"
        )
    return itertools.chain(ahead, rows)


def recognize(path: Path) -> tuple[Format, NumberedRows]:
    """Find the format of a file by its first rows, and open it.

    Raises:
        InputError: no format fits, or the file belongs to one but holds no judgments.
    """
    faults: list[InputError] = []
    sample: list[dict[str, Any]] = []
    for load in _loaders(path):
        try:
            rows = load(path)
            ahead, sample = _look_ahead(rows)
        except InputError as unreadable:
            faults.append(unreadable)
            continue
        if found := fitting(Sample(path, sample), [f for f in known_formats().values() if f.load is load]):
            return found, itertools.chain(ahead, rows)
        if not sample:
            faults.append(_no_rows(path, ahead))
    if sample:
        raise unrecognized(str(path), path.name.split(".")[0], sample)
    # Of a file that is no table, the format whose ending it has knows best what is wrong with it.
    raise faults[-1] if files.is_table(path) else faults[0]


def recognize_rows(name: str, rows: NumberedRows) -> tuple[Format, NumberedRows]:
    """Find the format of rows that come from elsewhere than a file."""
    ahead, sample = _look_ahead(rows)
    if not sample:
        raise _no_rows(name, ahead)
    if found := fitting(Sample(Path(name), sample), known_formats().values()):
        return found, itertools.chain(ahead, rows)
    raise unrecognized(name, "", sample)


def fitting(sample: Sample, among: Iterable[Format]) -> Format | None:
    """The format that fits and knows most fields; a fallback only where nothing else fits."""
    fits = [known for known in among if known.recognises(sample)]
    return max(fits, key=lambda known: (not known.fallback, known.fields_known(sample)), default=None)


def unrecognized(where: str, stem: str, sample: list[dict[str, Any]]) -> Unrecognized:
    """The error that says what the nearest format would have needed."""
    for known in known_formats().values():
        if stem in known.auxiliary:
            return _auxiliary(where, known)
    columns = set(sample[0])
    almost = [known for known in known_formats().values() if 2 * len(known.fields & columns) >= len(known.fields) > 0]
    near = max(almost, key=lambda known: len(known.fields & columns) / len(known.fields), default=None)
    hint = ""
    if near and (lacking := near.fields - columns):
        hint = f" (nearest is {near.name}, which also needs {_names(lacking)})"
    elif near:
        hint = f" (it has the columns of {near.name}, but not its values)"
    return Unrecognized(
        f"{where}: no known format has the columns {_names(sample[0])}{hint}; name a format (FORMAT:path) "
        "or say which column is which (columns=...)"
    )


def _auxiliary(where: str, known: Format) -> Unrecognized:
    message = f"{where}: this file holds no judgments; it is read along with those of {known.title}"
    return Unrecognized(message, auxiliary=True)


def _loaders(path: Path) -> list[Any]:
    own = [f.load for f in known_formats().values() if f.load is not files.rows and files.ending(path) in f.endings]
    return [*dict.fromkeys(own), files.rows]


def _look_ahead(rows: NumberedRows) -> tuple[list[tuple[int, Any]], list[dict[str, Any]]]:
    """The first rows as they came, and the good ones among them."""
    ahead: list[tuple[int, Any]] = []
    sample: list[dict[str, Any]] = []
    for number, row in itertools.islice(rows, _SEARCHED_ROWS):
        ahead.append((number, row))
        if isinstance(row, dict):
            sample.append(row)
            if len(sample) == _SAMPLE_ROWS:
                break
    return ahead, sample


def _no_rows(where: Path | str, ahead: list[tuple[int, Any]]) -> InputError:
    if not ahead:
        return InputError(f"{where}: it has no rows")
    line, reason = ahead[0]
    which = "its only row cannot" if len(ahead) == 1 else f"none of its first {len(ahead):,} rows can"
    return InputError(f"{where}: {which} be read (line {line}: {reason})")


def _names(columns: Iterable[str]) -> str:
    names = sorted(columns) if isinstance(columns, frozenset | set) else list(columns)
    rest = f" and {len(names) - _COLUMNS_NAMED} more" if len(names) > _COLUMNS_NAMED else ""
    return ", ".join(str(name) for name in names[:_COLUMNS_NAMED]) + rest


def _s(several: Iterable[str]) -> str:
    return "s" if len(list(several)) > 1 else ""
