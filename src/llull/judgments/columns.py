"""Numpy arrays out of nested Arrow columns, without a Python loop over rows."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llull.errors import InputError

LABEL_COLUMNS = ("criterion", "annotator", "annotator_kind", "verdict", "context_id")


@dataclass(frozen=True)
class Lists:
    """A list column: row i holds ``values[start[i] : start[i + 1]]``."""

    start: np.ndarray
    """int64 [n + 1]"""
    values: pa.ChunkedArray

    @cached_property
    def length(self) -> np.ndarray:
        """int64 [n]: how many values each row holds."""
        return np.diff(self.start)

    @cached_property
    def row(self) -> np.ndarray:
        """int64 [number of values]: the row of each value."""
        return np.repeat(np.arange(len(self.start) - 1), self.length)

    def field(self, name: str) -> pa.ChunkedArray:
        """One field of a list of structs, flat."""
        return pc.struct_field(self.values, name)


@dataclass(frozen=True)
class Labels:
    """A column of names as integer codes."""

    codes: np.ndarray
    """int32 [n], indexes into ``names``; -1 where the name is missing."""
    names: tuple[str, ...]


def lists(column: pa.ChunkedArray) -> Lists:
    """Take a list column apart into offsets and flat values. A null list counts as empty."""
    lengths = [pc.fill_null(pc.list_value_length(chunk), 0).to_numpy(zero_copy_only=False) for chunk in column.chunks]
    start = np.zeros(len(column) + 1, np.int64)
    if lengths:
        np.cumsum(np.concatenate(lengths), out=start[1:])
    values = pa.chunked_array([chunk.flatten() for chunk in column.chunks], column.type.value_type)
    return Lists(start, values)


def encode(column: pa.ChunkedArray | pa.Array) -> Labels:
    """Number the distinct values of a string column in order of first appearance."""
    flat = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    encoded = flat.dictionary_encode()
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
    return Labels(codes, tuple(encoded.dictionary.to_pylist()))


def number(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number distinct int64 keys in order of first appearance.

    Returns codes [n] (int32) and, for each code, the position of its first appearance [m] (int64).
    """
    codes = pa.array(keys).dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
    first = np.empty(int(codes.max()) + 1 if len(codes) else 0, np.int64)
    # Of repeated indexes numpy keeps the last assignment, so writing backwards keeps the first.
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    return codes, first


def floats(column: pa.ChunkedArray) -> np.ndarray:
    """A float column as float64 [n], with NaN for null."""
    return pc.fill_null(column, float("nan")).to_numpy().astype(np.float64, copy=False)


def integers(column: pa.ChunkedArray) -> np.ndarray:
    """An integer column as int64 [n], with -1 for null."""
    return pc.fill_null(column, -1).to_numpy().astype(np.int64, copy=False)


def labels(table: pa.Table, key: str) -> Labels:
    """Each judgment's value under a key: a group, a named column, or a tag, looked for in that order.

    Raises:
        InputError: no judgment has the key; the message names the nearest keys there are.
    """
    groups = lists(table["groups"])
    group_keys = encode(groups.field("key"))
    if key in group_keys.names:
        return _entry_labels(groups, group_keys, key, len(table), as_json=False)
    if key in LABEL_COLUMNS:
        return encode(table[key])
    tags = lists(table["tags"])
    tag_keys = encode(tags.field("key"))
    if key in tag_keys.names:
        return _entry_labels(tags, tag_keys, key, len(table), as_json=True)
    known = sorted({*group_keys.names, *LABEL_COLUMNS, *tag_keys.names})
    near = difflib.get_close_matches(key, known, n=3) or known[:12]
    raise InputError(f"no judgment has a group, column or tag named {key!r}; there is {', '.join(near)}")


def _entry_labels(entries: Lists, keys: Labels, key: str, rows: int, as_json: bool) -> Labels:
    chosen = np.flatnonzero(keys.codes == keys.names.index(key))
    found = encode(entries.field("value").take(pa.array(chosen)))
    codes = np.full(rows, -1, np.int32)
    codes[entries.row[chosen]] = found.codes
    if not as_json:
        return Labels(codes, found.names)
    # Two tags can differ as JSON and agree as text ("1" and 1), so names are numbered again.
    texts = [_plain(value) for value in found.names]
    names = tuple(dict.fromkeys(text for text in texts if text is not None))
    place = {name: index for index, name in enumerate(names)}
    lookup = np.array([-1 if text is None else place[text] for text in texts] + [-1], np.int32)
    return Labels(lookup[codes], names)


def _plain(value: str) -> str | None:
    loaded: Any = json.loads(value)
    return loaded if isinstance(loaded, str) or loaded is None else value
