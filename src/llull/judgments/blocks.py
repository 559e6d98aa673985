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
    A judgment without context, such as a battle of two named models, is in the block of its unordered set of options.
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
    return pc.if_else(empty, option_sets(table), pc.binary_join_element_wise("c", names, ":"))


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
