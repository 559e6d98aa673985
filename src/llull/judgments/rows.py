"""Rows of a file on their way to becoming judgments, and what is said of rows that cannot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llull.errors import InputError

_REQUIRED: Any = object()


class BadRow(ValueError):
    """A row that cannot be read; its message is the reason. It goes to the rejects and the read goes on."""


@dataclass(frozen=True, slots=True)
class Reject:
    """A row, or a judgment within a row, that could not be read."""

    file: str
    line: int
    reason: str


class Row:
    """One row of a file, which remembers what of it was used.

    A converter *takes* fields. What it does not take is copied into the ``tags`` of every judgment made from
    the row, so that nothing read is lost.
    """

    __slots__ = ("_notes", "_taken", "fields", "file", "line", "ordinal")

    def __init__(self, fields: dict[str, Any], file: str, line: int, notes: Counter[str], ordinal: int = 0) -> None:
        self.fields = fields
        self.file = file
        self.line = line
        self.ordinal = ordinal
        self._taken: set[str] = set()
        self._notes = notes

    def __contains__(self, key: str) -> bool:
        return key in self.fields

    def take(self, key: str, default: Any = _REQUIRED) -> Any:
        """The value of a field, which then is not copied to ``tags``. Without a default, it must be there."""
        self._taken.add(key)
        value = self.fields.get(key, default)
        if value is _REQUIRED:
            raise BadRow(f"it has no field {key!r}")
        return value

    def text(self, key: str) -> str:
        """The value of a field that must be text."""
        value = self.take(key)
        if not isinstance(value, str):
            raise BadRow(f"field {key!r} is {_describe(value)}, not text")
        return value

    def number(self, key: str) -> float:
        """The value of a field that must be a number, given as a number or as text."""
        return as_number(self.take(key), key)

    def label(self, key: str, vocabulary: Mapping[Any, Any], default: Any = _REQUIRED) -> Any:
        """What a field's label means. A missing label is a bad row; one outside the vocabulary stops the read.

        Raises:
            InputError: the label is not in the vocabulary, so the file is not what it was taken for.
        """
        value = self.take(key, None)
        if value is None or value == "":
            if default is not _REQUIRED:
                return default
            raise BadRow(f"field {key!r} holds no label")
        try:
            return vocabulary[value]
        except (KeyError, TypeError):
            known = ", ".join(repr(name) for name in vocabulary)
            raise InputError(
                f"{self.file}, line {self.line}: field {key!r} has the unknown label {value!r} (known: {known}); "
                "correct the file, or read it as a plain table and give the meaning of each label"
            ) from None

    def rest(self) -> dict[str, Any]:
        """The fields that were not taken."""
        return {key: value for key, value in self.fields.items() if key not in self._taken}

    def note(self, what: str) -> None:
        """Count something worth telling about the file that does not make the row bad."""
        self._notes[what] += 1

    def reject(self, reason: str) -> Reject:
        """A rejection to yield for one judgment of a row that holds several."""
        return Reject(self.file, self.line, reason)


def as_number(value: Any, name: str) -> float:
    """A number given as a number or as text. Raises BadRow for anything else, NaN included."""
    if type(value) is float or type(value) is int:
        number = float(value)
    elif isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            raise BadRow(f"{name!r} is {value!r}, not a number") from None
    else:
        raise BadRow(f"{name!r} is {_describe(value)}, not a number")
    if number != number:
        raise BadRow(f"{name!r} is not a number (NaN)")
    return number


def _describe(value: Any) -> str:
    names = {type(None): "null", bool: "true or false", int: "a number", float: "a number", str: "text"}
    return names.get(type(value), "a list" if isinstance(value, list) else "an object")
