"""Options that continue one another: dialogues, steps of reasoning, edits of edits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llull.judgments.columns import encode, integers, lists
from llull.judgments.viewing import options
from llull.judgments.views import Options


@dataclass(frozen=True)
class Trees:
    """Options that continue one another: node i continues ``parent[i]``, or its context where that is -1."""

    parent: np.ndarray
    """int32 [m], index into ``options``."""
    depth: np.ndarray
    """int32 [m], 0 for an option whose parent is a context."""
    root: np.ndarray
    """int32 [m], the option of depth 0 that it descends from; itself at depth 0."""
    options: Options

    def __len__(self) -> int:
        return len(self.parent)


def trees(table: pa.Table) -> Trees:
    """Which option continues which: by the ``parent`` a source names first, or because the messages of one
    option after its context are the whole context of another. Where edits undo one another, the first is the root.
    """
    found, unit = options(table)
    flat = lists(table["options"])
    parent = np.full(len(found), -1, np.int64)
    named = integers(flat.field("parent"))
    has_parent = np.flatnonzero(named >= 0)
    child, above = unit[has_parent], unit[flat.start[flat.row[has_parent]] + named[has_parent]]
    # An edit that changes nothing is the same option. Written backwards, the first of several parents stays.
    changed = np.flatnonzero(child != above)[::-1]
    parent[child[changed]] = above[changed]

    before, after = _conversation_hashes(table, found)
    # An option without messages leaves its conversation as it was: nothing continues it.
    said = np.flatnonzero(lists(flat.field("messages")).length[flat.start[found.row] + found.position] > 0)
    place = integers(pc.index_in(pa.array(before), value_set=pa.array(after[said])))
    linked = (parent < 0) & (place >= 0)
    parent[linked] = said[place[linked]]
    return _climb(_without_circles(parent), found)


def _conversation_hashes(table: pa.Table, found: Options) -> tuple[np.ndarray, np.ndarray]:
    """A 64-bit hash of the messages before each option, and of those up to its end: uint64 [m] each."""
    context = lists(table["context"])
    shown = lists(table["options"])
    said = lists(shown.field("messages"))
    with_media = any(len(lists(messages.field("media")).values) for messages in (context, said))
    known = pa.chunked_array([_spoken(messages.values, with_media) for messages in (context, said)], pa.string())
    # Numbered texts, from 1 so that a message never leaves a hash unchanged.
    codes = encode(known).codes.astype(np.uint64) + np.uint64(1)
    of_context, of_option = np.split(codes, [len(context.values)])
    before = _roll(np.full(len(found), 1, np.uint64), of_context, context.start, found.row)
    at = shown.start[found.row] + found.position
    return before, _roll(before, of_option, said.start, at)


def _spoken(messages: pa.ChunkedArray, with_media: bool) -> pa.Array:
    parts = [_flat(pc.struct_field(messages, name)) for name in ("role", "content")]
    if with_media:
        media = lists(pc.struct_field(messages, "media"))
        uris = pa.ListArray.from_arrays(pa.array(media.start, pa.int32()), _flat(media.field("uri")))
        parts.append(pc.binary_join(uris, "\x00"))
    return pc.binary_join_element_wise(*parts, "\x00")


def _flat(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks()


def _roll(state: np.ndarray, codes: np.ndarray, start: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Continue a rolling hash over the lists ``which``; the loop runs over turns, not over rows."""
    state = state.copy()
    first, length = start[which], (start[1:] - start[:-1])[which]
    for turn in range(int(length.max()) if len(length) else 0):
        going = np.flatnonzero(length > turn)
        mixed = state[going] * np.uint64(0x9E3779B97F4A7C15) + codes[first[going] + turn]
        state[going] = mixed ^ (mixed >> np.uint64(29))
    return state


def _without_circles(parent: np.ndarray) -> np.ndarray:
    """Make the first option of each circle of parents a root: one edit may undo another."""
    top = len(parent)
    ancestor = np.append(np.where(parent < 0, top, parent), top)
    # Each doubling jumps twice as far; past the longest chain, only members of circles are still reached.
    for _ in range(top.bit_length()):
        ancestor = ancestor[ancestor]
    parent = parent.copy()
    for member in np.unique(ancestor[ancestor < top]):
        circle = [int(member)]
        while parent[circle[-1]] >= 0 and parent[circle[-1]] != member:
            circle.append(int(parent[circle[-1]]))
        if parent[circle[-1]] == member:
            parent[min(circle)] = -1
    return parent


def _climb(parent: np.ndarray, found: Options) -> Trees:
    depth = np.zeros(len(parent), np.int32)
    root = np.arange(len(parent))
    above = parent.copy()
    while (climbing := np.flatnonzero(above >= 0)).size:
        depth[climbing] += 1
        root[climbing] = above[climbing]
        above[climbing] = parent[above[climbing]]
    return Trees(parent.astype(np.int32), depth, root.astype(np.int32), found)
