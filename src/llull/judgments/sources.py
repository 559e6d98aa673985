"""From what a user names (files, folders, patterns, hub data sets) to the sets of rows to be read."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from llull.errors import InputError
from llull.judgments import files, hub, recognition
from llull.judgments import table as layout
from llull.judgments.format import Format
from llull.judgments.preferences import Preferences
from llull.judgments.recognition import NumberedRows, Unrecognized

OWN = "llull"
"""The name of Llull's own format: Parquet with the columns of `llull.judgments.table.SCHEMA`."""
OWN_FILE = "judgments.parquet"


@dataclass
class Source:
    """One set of rows to be read as one format."""

    name: str
    """A path, or the name of a hub split."""
    format: Format
    rows: NumberedRows
    tags: dict[str, str]
    """What its judgments are tagged with where their rows do not say otherwise."""


@dataclass
class Own:
    """Judgments that Llull wrote, which are loaded as they are."""

    name: str
    load: Callable[[], Preferences]


@dataclass
class Search:
    """How sources are found, and what was passed over on the way."""

    format: Format | None = None
    """The format of everything that does not name its own; None to recognize each."""
    several: bool = False
    """Whether several sources are named, as a shell does for a pattern: those that only go along are passed over."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Files that were found with others and hold no judgments, with the reason."""

    def find(self, source: str | Path) -> Iterator[Source | Own]:
        """Everything that one name stands for.

        Raises:
            InputError: it stands for nothing that can be read.
        """
        known, name = self._split_format(str(source))
        if name.startswith(hub.PREFIX):
            yield from self._hub(name, known)
            return
        path = Path(name).expanduser()
        if path.is_dir():
            yield from self._folder(path, known)
        elif path.exists() or not glob.has_magic(name):
            if not path.exists():
                raise InputError(f"{path}: there is no such file")
            yield from self._named(path, known)
        else:
            yield from self._pattern(name, known)

    def _split_format(self, source: str) -> tuple[Format | None, str]:
        head, colon, tail = source.partition(":")
        if not colon or source.startswith(hub.PREFIX) or Path(source).exists():
            return self.format, source
        if head in recognition.known_formats():
            return recognition.format_named(head), tail
        if head == OWN:
            return None, tail
        # A drive letter or a file name may hold a colon too; a format must be followed by something that is there.
        if Path(tail).exists() or glob.glob(tail):
            recognition.format_named(head)
        return self.format, source

    def _hub(self, name: str, known: Format | None) -> Iterator[Source | Own]:
        for split in hub.splits(name):
            if known is None and set(layout.SCHEMA.names) <= set(split.dataset.column_names):
                yield Own(split.name, lambda split=split: Preferences.from_table(_own_columns(split.table())))
                continue
            rows = split.rows()
            found, rows = (known, rows) if known else recognition.recognize_rows(split.name, rows)
            yield Source(split.name, found, rows, {"source": split.subset, "split": split.split})

    def _folder(self, folder: Path, known: Format | None) -> Iterator[Source | Own]:
        if (folder / OWN_FILE).is_file():
            yield _own_file(folder / OWN_FILE)
            return
        inside = (
            p for p in sorted(folder.rglob("*")) if not any(part[0] == "." for part in p.relative_to(folder).parts)
        )
        paths = [p for p in inside if p.is_file() and recognition.is_readable(p)]
        if not paths:
            raise InputError(f"{folder}: the folder holds no files that Llull reads ({', '.join(files.TABLE_ENDINGS)})")
        yield from self._several(str(folder), paths, known, strangers=True)

    def _named(self, path: Path, known: Format | None) -> Iterator[Source | Own]:
        try:
            yield self._file(path, known)
        except Unrecognized as reason:
            if not (self.several and reason.auxiliary):
                raise
            self._pass_over(path, reason)

    def _pattern(self, pattern: str, known: Format | None) -> Iterator[Source | Own]:
        paths = [Path(p) for p in sorted(glob.glob(pattern, recursive=True)) if Path(p).is_file()]
        if not paths:
            raise InputError(f"{pattern}: no file matches this pattern")
        yield from self._several(pattern, paths, known, strangers=False)

    def _several(self, where: str, paths: list[Path], known: Format | None, strangers: bool) -> Iterator[Source | Own]:
        """Files found together, of which those without judgments are passed over."""
        found = 0
        for path in paths:
            try:
                source = self._file(path, known)
            except Unrecognized as reason:
                if not (strangers or reason.auxiliary):
                    raise
                self._pass_over(path, reason)
                continue
            found += 1
            yield source
        if not found:
            path, reason = next(iter(self.skipped.items()))
            raise InputError(f"{where}: none of its {len(paths):,} files holds judgments ({path}: {reason})")

    def _pass_over(self, path: Path, reason: Unrecognized) -> None:
        self.skipped[str(path)] = str(reason).removeprefix(f"{path}: ")

    def _file(self, path: Path, known: Format | None) -> Source | Own:
        if is_own(path):
            return _own_file(path)
        found, rows = (known, recognition.open_as(path, known)) if known else recognition.recognize(path)
        return Source(str(path), found, rows, {"source": path.name.split(".")[0]})


def is_own(path: Path) -> bool:
    """Whether a file is Parquet with the columns of a judgment."""
    if files.ending(path) != ".parquet":
        return False
    try:
        return set(layout.SCHEMA.names) <= set(pq.read_schema(path).names)
    except (pa.ArrowException, OSError):
        # Whoever reads it as rows will say what is wrong with it.
        return False


def _own_file(path: Path) -> Own:
    return Own(str(path), lambda: Preferences.load(path))


def _own_columns(table: pa.Table) -> pa.Table:
    return table.select(layout.SCHEMA.names).cast(layout.SCHEMA)
