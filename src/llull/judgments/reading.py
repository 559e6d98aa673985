"""Reading preference files of every known format, with an account of every row."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pyarrow as pa

from llull.errors import InputError
from llull.judgments import table
from llull.judgments.format import Beside, Format
from llull.judgments.formats.plain_table import mapped
from llull.judgments.preferences import Preferences
from llull.judgments.recognition import format_named, known_formats, known_writers
from llull.judgments.record import Judgment
from llull.judgments.rows import BadRow, Reject, Row
from llull.judgments.sources import OWN, Own, Search, Source

__all__ = ["FileReading", "Reading", "known_formats", "known_writers", "read"]

_ROWS_PER_TICK = 1_000


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
    skipped: dict[str, str] = field(default_factory=dict)
    """Files that were passed over because they hold no judgments, with the reason."""

    @property
    def rejects(self) -> list[Reject]:
        """Everything that could not be read."""
        return [reject for file in self.files for reject in file.rejects]

    def write_rejects(self, path: str | Path) -> None:
        """Write the rejects as JSON lines of file, line and reason."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", errors="backslashreplace") as stream:
            for reject in self.rejects:
                stream.write(json.dumps(asdict(reject), ensure_ascii=False) + "\n")


def read(
    *sources: str | Path,
    format: str | None = None,
    strict: bool = False,
    columns: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    groups: Sequence[str] | None = None,
    rejects: str | Path | None = None,
) -> Preferences:
    """Read preference files into one set of judgments, losing nothing.

    A source is a file, a folder (all preference files within, or what `Preferences.save` put there), a pattern, or
    ``hub:org/name[/config][@split]``. It may name its format first: ``hh-rlhf:train.jsonl.gz``. Files of folders and
    patterns that hold no judgments are passed over and named in ``preferences.reading.skipped``; so are files named
    with others that are only read along with them.

    Args:
        sources: what to read.
        format: the format of all that do not name their own, instead of finding it from their first rows.
        strict: raise at the first bad row, instead of collecting it in ``preferences.reading.rejects``.
        columns: for plain tables, which column holds what (``{"prompt": "question", "a": "answer_1"}``);
            the roles are those of `llull.judgments.formats.plain_table.ROLES`.
        labels: for plain tables, what the values of the winner column mean: ``a``, ``b``, ``tie``, ``both_good``,
            ``both_bad`` or ``cannot_judge`` (``{"left": "a", "right": "b"}``).
        groups: for plain tables, the columns that say to which groups the annotator belongs.
        rejects: a file to write the rejects to, as JSON lines of file, line and reason.

    Raises:
        InputError: a file cannot be read at all, or, with ``strict``, a row cannot.
    """
    if not sources:
        raise InputError("there is nothing to read: name files, folders, patterns or hub:org/name")
    search = Search(_format(format, columns, labels, groups), several=len(sources) > 1)
    reading = Reading(skipped=search.skipped)
    with _progress() as tick:
        parts = [
            _own(found, reading) if isinstance(found, Own) else _part(found, strict, reading, tick)
            for source in sources
            for found in search.find(source)
        ]
    if not parts:
        path, reason = next(iter(search.skipped.items()))
        raise InputError(f"none of the {len(sources):,} files named holds judgments ({path}: {reason})")
    preferences = Preferences.concat(parts)
    preferences.reading = reading
    if rejects is not None:
        reading.write_rejects(rejects)
    return preferences


def _format(
    name: str | None,
    columns: Mapping[str, str] | None,
    labels: Mapping[str, str] | None,
    groups: Sequence[str] | None,
) -> Format | None:
    if columns or labels or groups:
        if name not in (None, "table"):
            raise InputError(f"columns, labels and groups are for plain tables; leave them out or leave out {name!r}")
        return mapped(columns or {}, labels or {}, groups or ())
    return None if name in (None, OWN) else format_named(name)


def _own(own: Own, reading: Reading) -> Preferences:
    try:
        preferences = own.load()
    except (pa.ArrowException, OSError, ValueError) as fault:
        reason = str(fault).splitlines()[0]
        raise InputError(f"{own.name}: the judgments in it cannot be loaded ({reason}); write the file again") from None
    rows = len(preferences)
    reading.files.append(FileReading(own.name, OWN, rows, rows_judged=rows, judgments=rows))
    return preferences


def _part(source: Source, strict: bool, reading: Reading, tick: Callable[[str, int], None]) -> Preferences:
    account = FileReading(source.name, source.format.name)
    reading.files.append(account)
    return Preferences.from_table(table.to_table(_judgments(source, strict, account, tick)))


def _judgments(
    source: Source, strict: bool, account: FileReading, tick: Callable[[str, int], None]
) -> Iterator[Judgment]:
    pending: dict[int, int] = {}
    """The line of each row that has given nothing yet."""
    refused: set[int] = set()

    def reject(rejected: Reject, ordinals: Iterable[int]) -> None:
        if strict:
            raise InputError(f"{rejected.file}, line {rejected.line}: {rejected.reason}")
        account.rejects.append(rejected)
        refused.update(ordinal for ordinal in ordinals if pending.pop(ordinal, None) is not None)

    def rows() -> Iterator[Row]:
        for line, fields in source.rows:
            account.rows += 1
            pending[account.rows] = line
            if isinstance(fields, BadRow):
                reject(Reject(source.name, line, str(fields)), [account.rows])
            else:
                yield Row(fields, source.name, line, account.notes, account.rows)
            if account.rows % _ROWS_PER_TICK == 0:
                tick(source.name, account.rows)

    for origins, outcome in source.format.outcomes(rows(), Beside(Path(source.name), account.notes)):
        ordinals = [row.ordinal for row in origins]
        if isinstance(outcome, Reject):
            reject(outcome, ordinals)
            continue
        for ordinal in ordinals:
            if pending.pop(ordinal, None) is not None:
                account.rows_judged += 1
            elif ordinal in refused:
                refused.remove(ordinal)
                account.rows_judged += 1
        account.judgments += 1
        for key, value in source.tags.items():
            outcome.tags.setdefault(key, value)
        yield outcome
    for ordinal, line in list(pending.items()):
        reject(Reject(source.name, line, f"{source.format.name} made nothing of it"), [ordinal])
    account.rows_rejected = len(refused)
    if account.rows == 0:
        raise InputError(f"{source.name}: it has no rows")


@contextmanager
def _progress() -> Iterator[Callable[[str, int], None]]:
    """How far a long read has come, on a terminal only; what it yields takes a file and its rows so far."""
    if not sys.stderr.isatty():
        yield lambda name, rows: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("reading"), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda name, rows: progress.update(task, description=f"{rows:,} rows of {Path(name).name}")
