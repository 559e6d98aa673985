"""Blocks of judgments that must stay together when a set is cut: those of one context, however it is spelled."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llull.judgments.columns import Labels, encode, lists, number

_UNHEARD = r"[\p{P}\p{Z}\p{C}\s]+"


def normalized(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Texts without what does not change the question: case, whitespace, punctuation, and Unicode variants (NFKC).

    A text that consists only of such characters keeps them, so that ``"?"`` and ``"!"`` stay two texts.
    """
    flat = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    # Upper case first: it is what joins the two forms of the Greek sigma.
    cased = pc.utf8_lower(pc.utf8_upper(pc.utf8_normalize(pc.fill_null(flat, ""), "NFKC")))
    # Arrow maps character to character, and one letter has a capital form of two.
    composed = pc.replace_substring(cased, "ß", "ss")
    heard = pc.replace_substring_regex(composed, _UNHEARD, "")
    return pc.if_else(pc.equal(heard, ""), composed, heard)


def context_blocks(table: pa.Table) -> Labels:
    """The block of each judgment: codes [n], and for each block a name that does not depend on row order.

    Contexts whose normalized texts (all messages, with the addresses of their media) are equal are one block.
    A judgment without context is in the block of its unordered set of options. If, moreover, its options are known by
    name only, as in a battle of two models, it is a block of its own: nothing is known of a name but the votes on it,
    so another vote on the same two gives nothing away.
    """
    names = _block_names(table)
    return encode(names)


def _block_names(table: pa.Table) -> pa.Array:
    contexts = encode(table["context_id"])
    _, first = number(contexts.codes)
    texts = normalized(_spoken(table["context"].take(pa.array(first))))
    # ``number`` and ``encode`` both count in order of first appearance, so the codes are positions in ``texts``.
    names = texts.take(pa.array(contexts.codes))
    empty = pc.equal(pc.list_value_length(table["context"]), 0)
    if not pc.any(empty).as_py():
        return names
    empty = empty.combine_chunks() if isinstance(empty, pa.ChunkedArray) else empty
    without = pc.if_else(_named_only(table), _occurrences(table["id"]), option_sets(table))
    return pc.if_else(empty, without, pc.binary_join_element_wise("c", names, ":"))


def _named_only(table: pa.Table) -> pa.Array:
    """Whether no option of a judgment has any content: bool [n]."""
    options = lists(table["options"])
    content = lists(options.field("messages")).length + lists(options.field("media")).length
    total = np.concatenate([[0], np.cumsum(content)])
    return pa.array(total[options.start[1:]] == total[options.start[:-1]])


def _occurrences(ids: pa.ChunkedArray) -> pa.Array:
    """Each id with how often it stood before: all different, and the same set in any order of rows."""
    codes = encode(ids).codes
    order = np.argsort(codes, kind="stable")
    start = np.searchsorted(codes[order], codes[order])
    before = np.empty(len(codes), np.int64)
    before[order] = np.arange(len(codes)) - start
    return pc.binary_join_element_wise(_flat(ids), pa.array(before).cast(pa.string()), "#")


def option_sets(table: pa.Table) -> pa.Array:
    """The unordered set of each judgment's options, as one text of sorted option ids."""
    options = lists(table["options"])
    ids = encode(options.field("id"))
    spelled = pa.array(ids.names, pa.string())
    rank = np.empty(len(spelled), np.int64)
    rank[pc.sort_indices(spelled).to_numpy()] = np.arange(len(spelled))
    order = np.lexsort((rank[ids.codes], options.row))
    ordered = spelled.take(pa.array(ids.codes[order]))
    sets = pa.ListArray.from_arrays(pa.array(options.start, pa.int32()), ordered)
    return pc.binary_join(sets, "\n")


def _spoken(contexts: pa.ChunkedArray) -> pa.Array:
    messages = lists(contexts)
    media = lists(messages.field("media"))
    uris = pa.ListArray.from_arrays(pa.array(media.start, pa.int32()), _flat(media.field("uri")))
    said = pc.binary_join_element_wise(_flat(messages.field("content")), pc.binary_join(uris, " "), " ")
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(messages.start, pa.int32()), said), " ")


def _flat(column: pa.ChunkedArray) -> pa.Array:
    return pc.fill_null(column, "").combine_chunks()
