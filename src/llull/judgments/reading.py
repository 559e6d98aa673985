"""Reading preference files of every known format, with an account of every row."""

from __future__ import annotations

import glob
import importlib
import itertools
import json
import pkgutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from llull.errors import InputError
from llull.judgments import files, formats, table
from llull.judgments.format import Beside, Format, Sample, Writer
from llull.judgments.preferences import Preferences
from llull.judgments.record import Judgment
from llull.judgments.rows import BadRow, Reject, Row

_SAMPLE_ROWS = 25


@dataclass
class FileReading:
    """What became of one file's rows. ``rows == rows_judged + rows_rejected`` always holds."""

    path: str
    format: str
    rows: int = 0
    rows_judged: int = 0
    """Rows that gave at least one judgment or part of one."""
    rows_rejected: int = 0
    judgments: int = 0
    rejects: list[Reject] = field(default_factory=list)
    """Rows, and judgments within rows, that could not be read."""
    notes: Counter[str] = field(default_factory=Counter)
    """Things worth knowing that make no row bad, with how often they were seen."""

    def summary(self) -> str:
        """One line: rows in, judgments out, rejects."""
        counts = f"{self.rows:,} rows -> {self.judgments:,} judgments, {len(self.rejects):,} rejects"
        return f"{self.path}: {self.format}, {counts}"


@dataclass
class Reading:
    """What a call of `read` found in each file."""

    files: list[FileReading] = field(default_factory=list)

    @property
    def rejects(self) -> list[Reject]:
        """Everything that could not be read."""
        return [reject for file in self.files for reject in file.rejects]

    def write_rejects(self, path: Path) -> None:
        """Write the rejects as JSON lines of file, line and reason."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as stream:
            for reject in self.rejects:
                stream.write(json.dumps(asdict(reject), ensure_ascii=False) + "\n")


@cache
def known_formats() -> dict[str, Format]:
    """Every format that `read` knows, by name."""
    return {f.name: f for module in _format_modules() for f in getattr(module, "FORMATS", ())}


@cache
def known_writers() -> dict[str, Writer]:
    """Every format that `write` knows, by name."""
    return {w.name: w for module in _format_modules() for w in getattr(module, "WRITERS", ())}


def _format_modules() -> list[Any]:
    names = sorted(module.name for module in pkgutil.iter_modules(formats.__path__))
    return [importlib.import_module(f"{formats.__name__}.{name}") for name in names]


def recognize(path: Path) -> Format:
    """Find the format of a file by its first rows.

    Raises:
        InputError: no format fits, or the file belongs to one but holds no judgments.
    """
    sample = Sample(
        path, [row for _, row in itertools.islice(_sample_rows(path), _SAMPLE_ROWS) if isinstance(row, dict)]
    )
    fitting = [f for f in known_formats().values() if f.recognises(sample)]
    if fitting:
        return max(fitting, key=lambda f: len(f.fields))
    for known in known_formats().values():
        if Beside(path).split_name in known.auxiliary:
            raise InputError(f"{path}: this file holds no judgments; it is read along with those of {known.title}")
    if not sample.rows:
        raise InputError(f"{path}: it has no rows that could be read")
    columns = ", ".join(list(sample.rows[0])[:12])
    raise InputError(
        f"{path}: no known format has the columns {columns}; name one (FORMAT:path) "
        "or say which column is which (columns=...)"
    )


def _sample_rows(path: Path) -> Iterator[tuple[int, Any]]:
    # Formats that are not tables of rows load themselves; the first whose ending fits is asked.
    for known in known_formats().values():
        if known.load is not files.rows and files.ending(path) in known.endings:
            return known.load(path)
    return files.rows(path)


def read(
    *sources: str | Path,
    format: str | None = None,
    strict: bool = False,
) -> Preferences:
    """Read preference files into one set of judgments, losing nothing.

    Args:
        sources: files, folders or patterns; each may name its format first (``hh-rlhf:train.jsonl.gz``).
        format: the format of all of them, instead of finding it from their first rows.
        strict: raise at the first bad row, instead of collecting it in ``preferences.reading.rejects``.

    Raises:
        InputError: a file cannot be read at all, or, with ``strict``, a row cannot.
    """
    reading = Reading()
    tables = [table.to_table(_judgments(file, known, strict, reading)) for file, known in _resolve(sources, format)]
    preferences = Preferences.concat([Preferences.from_table(t) for t in tables])
    preferences.reading = reading
    return preferences


def _resolve(sources: Sequence[str | Path], format: str | None) -> Iterator[tuple[Path, Format]]:
    for source in sources:
        name, pattern = format, str(source)
        head, colon, tail = pattern.partition(":")
        if colon and head in known_formats():
            name, pattern = head, tail
        if name is not None and name not in known_formats():
            raise InputError(f"{name!r} is not a known format; known are {', '.join(sorted(known_formats()))}")
        paths = [Path(p) for p in sorted(glob.glob(pattern))] or [Path(pattern)]
        for path in paths:
            if not path.exists():
                raise InputError(f"{path}: there is no such file")
            yield path, known_formats()[name] if name else recognize(path)


def _judgments(path: Path, known: Format, strict: bool, reading: Reading) -> Iterator[Judgment]:
    account = FileReading(str(path), known.name)
    reading.files.append(account)
    judged: set[int] = set()
    refused: set[int] = set()

    def reject(rejected: Reject, lines: set[int]) -> None:
        if strict:
            raise InputError(f"{rejected.file}, line {rejected.line}: {rejected.reason}")
        account.rejects.append(rejected)
        refused.update(lines)

    def rows() -> Iterator[Row]:
        for line, fields in known.load(path):
            account.rows += 1
            if isinstance(fields, BadRow):
                reject(Reject(str(path), line, str(fields)), {line})
            else:
                yield Row(fields, str(path), line, account.notes)

    beside = Beside(path)
    for sources, outcome in known.outcomes(rows(), beside):
        lines = {row.line for row in sources}
        if isinstance(outcome, Reject):
            reject(outcome, lines)
        else:
            judged |= lines
            account.judgments += 1
            outcome.tags.setdefault("source", beside.split_name)
            yield outcome
    account.rows_judged = len(judged)
    account.rows_rejected = len(refused - judged)
    if account.rows == 0:
        raise InputError(f"{path}: it has no rows")
