"""Lists and objects inside a row, which tables of text hold as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from llull.errors import InputError
from llull.judgments.rows import BadRow, Row


def is_missing(value: Any) -> bool:
    """Whether a field says nothing: null, empty text or NaN."""
    return value is None or value == "" or value != value


def unpacked(value: Any, name: str) -> Any:
    """A list or object, given as it is or as JSON text.

    Raises:
        BadRow: it is text but not JSON.
    """
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise BadRow(f"field {name!r} is text that is not JSON") from None


def take_list(row: Row, key: str) -> list[Any]:
    """The value of a field that must be a list, or JSON text of one."""
    value = unpacked(row.take(key), key)
    if not isinstance(value, list):
        raise BadRow(f"field {key!r} is not a list")
    return value


def nested_label(row: Row, held: dict[str, Any], key: str, vocabulary: Mapping[Any, Any]) -> Any:
    """What a label of an object inside a row means.

    Raises:
        BadRow: there is no label.
        InputError: it is not in the vocabulary.
    """
    value = held.get(key)
    if is_missing(value):
        raise BadRow(f"{key!r} holds no label")
    try:
        return vocabulary[value]
    except (KeyError, TypeError):
        known = ", ".join(repr(name) for name in vocabulary)
        raise InputError(
            f"{row.file}, line {row.line}: {key!r} has the unknown label {value!r} (known: {known}); correct the file"
        ) from None


def without(held: dict[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """The entries of an object but those of these keys."""
    left_out = set(keys)
    return {key: value for key, value in held.items() if key not in left_out}


def tiers_by_rank(ranks: Iterable[tuple[int, float]]) -> list[list[int]]:
    """Tiers of option indexes from (option, rank) pairs, smallest rank first; equal ranks share a tier.

    >>> tiers_by_rank([(0, 2), (1, 1), (2, 2)])
    [[1], [0, 2]]
    """
    tiers: dict[float, list[int]] = {}
    for option, rank in ranks:
        tiers.setdefault(rank, []).append(option)
    return [tiers[rank] for rank in sorted(tiers)]
