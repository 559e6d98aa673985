"""Listing the options of each judgment in an order that says nothing."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from llull.judgments.columns import Lists, integers, lists
from llull.judgments.table import OPTION, RATING, SCHEMA


def shuffle_sides(table: pa.Table, seed: int) -> pa.Table:
    """Permute the listed order of the options in each judgment; everything that names an option by index follows.

    The order in which an annotator saw the options (``shown``) is kept as a fact, renumbered. Tied options and
    ratings are put in the new listed order, so that they do not give the old one away. Ids stay as they are.
    """
    options = lists(table["options"])
    row = options.row
    lot = np.random.default_rng(seed).random(len(row))
    order = np.lexsort((lot, row))
    place = np.empty(len(row), np.int64)
    place[order] = np.arange(len(row)) - options.start[row]

    def moved(judgment: np.ndarray, index: np.ndarray) -> np.ndarray:
        return place[options.start[judgment] + index]

    parent = integers(options.field("parent"))
    known = parent >= 0
    parent[known] = moved(row[known], parent[known])
    option_fields = {name: options.field(name) for name in OPTION.names}
    option_fields["parent"] = pa.array(np.where(known, parent, 0), pa.int32(), mask=~known)

    tiers = lists(table["ranking"])
    members = lists(tiers.values)
    member = moved(tiers.row[members.row], integers(members.values))
    member = member[np.lexsort((member, members.row))]

    shown = lists(table["shown"])
    ratings = lists(table["ratings"])
    rated = moved(ratings.row, integers(ratings.field("option")))
    rating_order = np.lexsort((rated, ratings.row))
    rating_fields = {name: ratings.field(name) for name in RATING.names}
    rating_fields["option"] = pa.array(rated, pa.int32())

    changed = {
        "options": _wrap(options, _structs(option_fields, OPTION, order)),
        "ranking": _wrap(tiers, _wrap(members, pa.array(member, pa.int32()))),
        "shown": _wrap(shown, pa.array(moved(shown.row, integers(shown.values)), pa.int32())),
        "ratings": _wrap(ratings, _structs(rating_fields, RATING, rating_order)),
    }
    columns = [changed.get(name, table[name]) for name in SCHEMA.names]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _structs(fields: dict[str, pa.ChunkedArray | pa.Array], kind: pa.StructType, order: np.ndarray) -> pa.Array:
    at = pa.array(order)
    return pa.StructArray.from_arrays([_flat(values).take(at) for values in fields.values()], fields=list(kind))


def _wrap(of: Lists, values: pa.Array) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(of.start, pa.int32()), values)


def _flat(values: pa.ChunkedArray | pa.Array) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
