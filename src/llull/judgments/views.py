"""Views of judgments: the same facts as flat arrays, ready to be fitted, ranked or scored.

Every view numbers *options*: what is shown under a context, and who made it. The same text answered to two prompts,
or by two models, is two options; the same text of one model in a thousand votes on one prompt is one.
`llull.judgments.viewing` makes them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llull.judgments.columns import Lists, lists


@dataclass(frozen=True)
class Options:
    """The unique options of a set of judgments, each under its context."""

    table: pa.Table
    """The judgments they come from."""
    row: np.ndarray
    """int64 [m]: the first judgment that shows each option."""
    position: np.ndarray
    """int64 [m]: its index within that judgment."""
    context: np.ndarray
    """int32 [m]: its context, numbered in order of first appearance."""

    def __len__(self) -> int:
        return len(self.row)

    @cached_property
    def _flat(self) -> Lists:
        return lists(self.table["options"])

    def _take(self, name: str) -> pa.Array:
        at = self._flat.start[self.row] + self.position
        return _combine(self._flat.field(name).take(pa.array(at)))

    @property
    def ids(self) -> list[str]:
        """[m] content hashes."""
        return self._take("id").to_pylist()

    @property
    def sources(self) -> list[str | None]:
        """[m] models or authors."""
        return self._take("source").to_pylist()

    @property
    def with_text(self) -> np.ndarray:
        """bool [m]: whether an option has a message, empty or not; otherwise it is known by name or by media only."""
        return lists(pa.chunked_array([self._take("messages")])).length > 0

    @property
    def have_text(self) -> bool:
        """Whether any option has a message; if none has, options are known by name or by media only."""
        return bool(self.with_text.any())

    def texts(self) -> list[str]:
        """[m] each option as plain text; the source's name where an option has no message."""
        texts = _join_messages(self._take("messages"), with_roles=False)
        rows = zip(texts, self.sources, self.with_text.tolist(), strict=True)
        return [text if written else source or "" for text, source, written in rows]

    def contexts(self) -> list[str]:
        """[number of contexts] each context as plain text, in the numbering of ``context``."""
        first = np.empty(int(self.context.max()) + 1 if len(self.context) else 0, np.int64)
        first[self.context[::-1]] = self.row[::-1]
        return _join_messages(_combine(self.table["context"].take(pa.array(first))), with_roles=True)

    def media(self) -> list[list[dict[str, str]]]:
        """[m] lists of {type, uri}."""
        return self._take("media").to_pylist()


@dataclass(frozen=True)
class Pairs:
    """Pairs of options of which one was preferred, or neither.

    All arrays have length n, the number of pairs, but ``options``, ``annotators``, ``groups`` and ``criteria``.
    """

    winner: np.ndarray
    """int32, index into ``options``. In a tie, the one that the source lists first."""
    loser: np.ndarray
    """int32, index into ``options``."""
    tie: np.ndarray
    """bool: neither was preferred; ``verdict`` says whether both were good or both bad."""
    verdict: np.ndarray
    """int8, index into `llull.judgments.record.VERDICTS`."""
    side: np.ndarray
    """int8: 1 the winner was shown before the loser, -1 after it, 0 unknown."""
    weight: np.ndarray
    """float64"""
    strength: np.ndarray
    """float64, on the source's scale; NaN where unknown."""
    context: np.ndarray
    """int32, in the numbering of ``options.context``."""
    annotator: np.ndarray
    """int32, index into ``annotators``; -1 where unknown."""
    group: np.ndarray
    """int32, index into ``groups``; -1 where unknown or no group was asked for."""
    criterion: np.ndarray
    """int32, index into ``criteria``; -1 where there is none."""
    judgment: np.ndarray
    """int64, the row of the judgment."""
    options: Options
    annotators: tuple[str, ...]
    groups: tuple[str, ...]
    criteria: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.winner)

    def select(self, which: np.ndarray) -> Pairs:
        """The pairs at these positions, or where this mask is true."""
        columns = {f.name: getattr(self, f.name) for f in fields(self)}
        chosen = {k: v[which] for k, v in columns.items() if isinstance(v, np.ndarray)}
        return replace(self, **chosen)

    def texts(self, pair: int) -> tuple[str, str, str]:
        """Context, winner and loser of one pair as plain text."""
        at = np.array([self.winner[pair], self.loser[pair]])
        # Slices of the two judgments: the columns of a whole table would all be taken apart for one pair.
        shown = [self.options.table.slice(row, 1) for row in self.options.row[at]]
        one = Options(pa.concat_tables(shown), np.arange(2), self.options.position[at], np.zeros(2, np.int32))
        winner, loser = one.texts()
        return one.contexts()[0], winner, loser


@dataclass(frozen=True)
class Rankings:
    """Options in order of preference; ranking i is slice ``start[i] : start[i + 1]`` of ``option`` and ``tier``."""

    start: np.ndarray
    """int64 [r + 1]"""
    option: np.ndarray
    """int32 [total], index into ``options``, best first."""
    tier: np.ndarray
    """int32 [total], 0 best; options with the same tier are tied."""
    weight: np.ndarray
    """float64 [r]"""
    context: np.ndarray
    """int32 [r]"""
    annotator: np.ndarray
    """int32 [r], index into ``annotators``; -1 where unknown."""
    judgment: np.ndarray
    """int64 [r]"""
    options: Options
    annotators: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.weight)


@dataclass(frozen=True)
class Ratings:
    """Absolute feedback; all arrays have length n but ``options``, ``annotators`` and ``aspects``."""

    option: np.ndarray
    """int32, index into ``options``."""
    value: np.ndarray
    """float64"""
    low: np.ndarray
    """float64, worst value of the scale; NaN where unknown."""
    high: np.ndarray
    """float64, best value of the scale; NaN where unknown."""
    aspect: np.ndarray
    """int32, index into ``aspects``."""
    weight: np.ndarray
    """float64"""
    annotator: np.ndarray
    """int32, index into ``annotators``; -1 where unknown."""
    judgment: np.ndarray
    """int64"""
    options: Options
    annotators: tuple[str, ...]
    aspects: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.option)


def _join_messages(messages: pa.Array, with_roles: bool) -> list[str]:
    flat = lists(pa.chunked_array([messages]))
    contents = pc.struct_field(flat.values, "content")
    if with_roles:
        spoken = pc.binary_join_element_wise(pc.struct_field(flat.values, "role"), contents, ": ")
        single = flat.length[flat.row] == 1
        contents = pc.if_else(pa.array(single), contents, spoken) if len(single) else contents
    values = contents.combine_chunks() if isinstance(contents, pa.ChunkedArray) else contents
    if len(values) == 0:
        return [""] * (len(flat.start) - 1)
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(flat.start, pa.int32()), values), "\n\n")
    return joined.to_pylist()


def _combine(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
