"""What it takes to know a file format: how to recognise it and how to turn its rows into judgments.

One file in `llull.judgments.formats` holds one released format. It defines ``FORMATS``, a tuple of `RowFormat`
and `GroupFormat`, and, where Llull writes the format too, ``WRITERS``, a tuple of `Writer`.
"""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llull.errors import InputError
from llull.judgments import files
from llull.judgments.record import Judgment
from llull.judgments.rows import BadRow, Reject, Row

if TYPE_CHECKING:
    from llull.judgments.preferences import Preferences


@dataclass
class Beside:
    """The files beside the one being read, for formats that spread over several."""

    path: Path
    notes: Counter[str] = field(default_factory=Counter)
    """What is worth telling about these files, counted."""
    _tables: dict[tuple[str, str], dict[Any, dict[str, Any]]] = field(default_factory=dict)

    def table(self, name: str, key: str | Callable[[dict[str, Any]], Hashable]) -> dict[Any, dict[str, Any]]:
        """Rows of the file called ``name`` (any of the endings `files.rows` reads), by a key.

        An absent file gives an empty table: the judgments are then read without what it would have added. Rows that
        cannot be read, or lack the key, are passed over and counted in ``notes``.
        """
        slot = (name, key if isinstance(key, str) else str(id(key)))
        if slot not in self._tables:
            found = [p for p in sorted(self.path.parent.glob(f"{name}.*")) if p.is_file() and files.is_table(p)]
            of = operator.itemgetter(key) if isinstance(key, str) else key
            table = self._tables[slot] = {}
            for _, fields in files.rows(found[0]) if found else ():
                try:
                    table[of(fields)] = fields
                except (LookupError, TypeError, ValueError):
                    self.notes[f"a row of {found[0].name} that cannot be read, passed over"] += 1
        return self._tables[slot]

    @cached_property
    def split_name(self) -> str:
        """The file's name without its endings: ``helpful-base`` for ``helpful-base.test.jsonl.gz``."""
        return self.path.name.split(".")[0]


@dataclass(frozen=True)
class Sample:
    """The first rows of a file, by which its format is recognised."""

    path: Path
    rows: list[dict[str, Any]]

    def has(self, names: Iterable[str]) -> bool:
        """Whether every row has all these fields."""
        wanted = set(names)
        return bool(self.rows) and all(wanted <= row.keys() for row in self.rows)


@dataclass(frozen=True, kw_only=True)
class Format(ABC):
    """A file format: how to know it, and how its rows become judgments."""

    name: str
    """Short name, as in ``read("hh-rlhf:train.jsonl.gz")``."""
    title: str
    """Full name and origin, for people."""
    fields: frozenset[str]
    """Fields that every row has. Of the formats that fit a file, the one that knows most fields wins."""
    check: Callable[[Sample], bool] = lambda sample: True
    """A further test, for formats that share field names."""
    more_fields: Callable[[Sample], int] = lambda sample: 0
    """How many fields beyond those it knows in a file, for formats whose users name fields themselves."""
    load: Callable[[Path], Iterator[tuple[int, dict[str, Any] | BadRow]]] = files.rows
    """How to get numbered rows out of a file, for formats that are not tables of rows."""
    endings: frozenset[str] = frozenset()
    """Endings of the files that a ``load`` of its own reads."""
    auxiliary: frozenset[str] = frozenset()
    """Names (without endings) of files that belong to the format but hold no judgments."""
    fallback: bool = False
    """Whether it is chosen only where no format that is not a fallback fits."""

    def recognises(self, sample: Sample) -> bool:
        """Whether a file with these first rows is of this format."""
        return sample.has(self.fields) and self.check(sample)

    def fields_known(self, sample: Sample) -> int:
        """How many fields of a file that it recognises it knows by name."""
        return len(self.fields) + self.more_fields(sample)

    @abstractmethod
    def outcomes(self, rows: Iterable[Row], beside: Beside) -> Iterator[tuple[list[Row], Judgment | Reject]]:
        """Each judgment, or rejected row, with the rows it comes from. No row may vanish."""


Converted = Iterable[Judgment | Reject]


@dataclass(frozen=True, kw_only=True)
class RowFormat(Format):
    """A format in which each row holds whole judgments: one, or several."""

    convert: Callable[[Row, Beside], Converted]

    def outcomes(self, rows: Iterable[Row], beside: Beside) -> Iterator[tuple[list[Row], Judgment | Reject]]:
        """Each row's judgments, in the order of the file."""
        for row in rows:
            yield from _convert([row], lambda row=row: self.convert(row, beside))


@dataclass(frozen=True, kw_only=True)
class GroupFormat(Format):
    """A format in which a judgment is spread over several rows."""

    together: Callable[[dict[str, Any]], Hashable]
    """Rows with the same value of this belong to the same judgments, wherever they stand in the file."""
    convert: Callable[[list[Row], Beside], Converted]

    def outcomes(self, rows: Iterable[Row], beside: Beside) -> Iterator[tuple[list[Row], Judgment | Reject]]:
        """Each group's judgments, once the whole file is read."""
        groups: dict[Hashable, list[Row]] = {}
        for row in rows:
            try:
                groups.setdefault(self.together(row.fields), []).append(row)
            except KeyError as missing:
                yield [row], row.reject(f"it has no field {missing}")
            except _FAULTS as fault:
                yield [row], row.reject(_unforeseen(fault))
        for group in groups.values():
            yield from _convert(group, lambda group=group: self.convert(group, beside))


@dataclass(frozen=True)
class Writer:
    """How to write judgments in a format, and what the format cannot hold."""

    name: str
    title: str
    write: Callable[[Preferences, Path], Mapping[str, int]]
    """Write one file and return how many judgments were left out because the format cannot hold them, by reason
    (``{"that name no winner": 3}``; empty if all were written). It warns of nothing: `llull.write` tells the user,
    renames the finished file into place, and so never leaves half a file."""
    loses: str
    """What of a judgment the format has no place for, in words."""


_FAULTS = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What a converter trips over when a row has an unforeseen shape: the row is bad, not the program."""


def _unforeseen(fault: Exception) -> str:
    return f"it is not shaped as expected ({type(fault).__name__}: {fault})"


def _convert(rows: list[Row], convert: Callable[[], Converted]) -> Iterator[tuple[list[Row], Judgment | Reject]]:
    made = 0
    try:
        for outcome in convert():
            made += 1
            if isinstance(outcome, Judgment):
                if problem := outcome.problem() or _mistyped(outcome):
                    outcome = rows[0].reject(problem)
                else:
                    _keep_rest(outcome, rows)
            elif not isinstance(outcome, Reject):
                raise TypeError(f"a converter gave {type(outcome).__name__}")
            yield rows, outcome
    except BadRow as bad:
        yield rows, rows[0].reject(str(bad))
        return
    except InputError:
        raise
    except _FAULTS as fault:
        yield rows, rows[0].reject(_unforeseen(fault))
        return
    if not made:
        yield rows, rows[0].reject("it holds no judgment")


def _mistyped(judgment: Judgment) -> str | None:
    """Say what is not of the type of the record's columns; one such value would fail a whole batch of them."""
    # Plain loops: generator expressions would take twice as long, for every judgment that is read.
    for message in judgment.context:
        if type(message.content) is not str or type(message.role) is not str:
            return "its context is not text"
    for option in judgment.options:
        if type(option.id) is not str or type(option.source) not in _TEXT_OR_NONE:
            return "the name of an option is not text"
        for message in option.messages:
            if type(message.content) is not str or type(message.role) is not str:
                return "an option is not text"
    for name in ("id", "criterion", "rationale", "annotator"):
        if type(value := getattr(judgment, name)) not in _TEXT_OR_NONE:
            return f"its {name} is {value!r}, not text"
    for value in judgment.groups.values():
        if type(value) is not str:
            return f"its groups {judgment.groups} are not all text"
    return None


_TEXT_OR_NONE = (str, type(None))


def _keep_rest(judgment: Judgment, rows: list[Row]) -> None:
    tags = judgment.tags
    if len(rows) == 1:
        for key, value in rows[0].rest().items():
            tags.setdefault(key, value)
        return
    rests = [row.rest() for row in rows]
    for key in dict.fromkeys(key for rest in rests for key in rest):
        values = [rest.get(key) for rest in rests]
        tags.setdefault(key, values[0] if all(value == values[0] for value in values) else values)
