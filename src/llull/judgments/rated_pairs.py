"""Pairs out of ratings: what somebody rated higher, they preferred to what they rated lower."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llull.errors import InputError
from llull.judgments import table as layout
from llull.judgments.columns import encode, floats, integers, lists, number
from llull.judgments.viewing import all_pairs, options

# Of a random couple of ratings of one person, at least one in this many is assumed to differ.
_OVERDRAW = 4


def pairs_from_ratings(
    table: pa.Table, aspect: str, most: int = 20, seed: int = 0, keep_ratings: bool = False
) -> pa.Table:
    """Judgments of two options each, the higher rated preferred; ``strength`` is the difference of the ratings.

    Ratings are set against each other where one annotator gave them in one context, in one judgment or in several.
    Where the annotator is unknown, only ratings of one judgment are. Equal ratings give no pair: that two statements
    were both agreed with does not say that neither is preferred.

    Args:
        table: judgments.
        aspect: the aspect that counts.
        most: pairs for each annotator and context. Where more are possible, this many are drawn at random.
        seed: of the draws and of the listed order of the two options.
        keep_ratings: whether each pair holds the two ratings it is made of, for models that read these. A rating is
            then repeated in every pair it is part of.

    Raises:
        InputError: no rating has that aspect, or no two that can be set against each other differ.
    """
    given = lists(table["ratings"])
    aspects = encode(given.field("aspect"))
    if aspect not in aspects.names:
        there = ", ".join(sorted(aspects.names)) or "none at all"
        raise InputError(f"no rating has the aspect {aspect!r}; there is {there}")
    rated = np.flatnonzero(aspects.codes == aspects.names.index(aspect))
    row = given.row[rated]
    option = lists(table["options"]).start[row] + integers(given.field("option"))[rated]
    value = floats(given.field("value"))[rated]

    group = _comparable(table, row)
    order = np.argsort(group, kind="stable")
    row, option, value, group = row[order], option[order], value[order], group[order]
    rated = rated[order]
    rng = np.random.default_rng(seed)
    # Somebody may have rated the same thing twice; that is no pair.
    first, second = _couples(group, value, options(table)[1][option], most, rng)
    if len(first) == 0:
        raise InputError(f"no two ratings of {aspect!r} by one annotator in one context differ")
    higher = np.where(value[first] > value[second], first, second)
    lower = np.where(value[first] > value[second], second, first)
    made = _table(table, row, option, higher, lower, np.abs(value[first] - value[second]), rng)
    return _with_ratings(made, table, rated[higher], rated[lower]) if keep_ratings else made


def _with_ratings(made: pa.Table, table: pa.Table, higher: np.ndarray, lower: np.ndarray) -> pa.Table:
    """The same pairs with the rating of the higher and of the lower option, by their places among all ratings."""
    given = lists(table["ratings"]).values.take(pa.array(np.stack([higher, lower], axis=1).ravel()))
    # The ranking of each pair is its higher option, then its lower one.
    order = lists(lists(made["ranking"]).values).values
    fields = [order if f.name == "option" else pc.struct_field(given, f.name) for f in layout.RATING]
    flat = [one.combine_chunks() if isinstance(one, pa.ChunkedArray) else one for one in fields]
    ratings = pa.StructArray.from_arrays(
        [one.cast(f.type) for one, f in zip(flat, layout.RATING, strict=True)], fields=list(layout.RATING)
    )
    starts = pa.array(np.arange(0, 2 * len(higher) + 1, 2, dtype=np.int32))
    at = made.schema.get_field_index("ratings")
    return made.set_column(at, "ratings", pa.ListArray.from_arrays(starts, ratings)).cast(layout.SCHEMA)


def _comparable(table: pa.Table, row: np.ndarray) -> np.ndarray:
    """A number for each rating: equal for those that one annotator gave in one context."""
    annotator = encode(table["annotator"]).codes[row].astype(np.int64)
    context = encode(table["context_id"])
    by_person = annotator * max(len(context.names), 1) + context.codes[row]
    # Negative keys cannot be those of a person.
    return number(np.where(annotator >= 0, by_person, -1 - row))[0]


def _couples(
    group: np.ndarray, value: np.ndarray, thing: np.ndarray, most: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of ratings of one group that differ, at most ``most`` couples of each group."""
    size = np.bincount(group) if len(group) else np.zeros(0, np.int64)
    start = np.concatenate([[0], np.cumsum(size)])
    many = size * (size - 1) // 2 > _OVERDRAW * most
    few = np.flatnonzero(~many[group]) if len(group) else np.zeros(0, np.int64)
    i, j, _ = all_pairs(group[few], len(size))
    first, second = few[i], few[j]

    large = np.flatnonzero(many)
    draws = rng.random((2, len(large), _OVERDRAW * most))
    picked = (start[large][:, None] + (draws * size[large][:, None]).astype(np.int64)).reshape(2, -1)
    first = np.concatenate([first, picked.min(axis=0)])
    second = np.concatenate([second, picked.max(axis=0)])

    differs = (value[first] != value[second]) & (thing[first] != thing[second])
    first, second = first[differs], second[differs]
    distinct = np.unique(first * np.int64(len(group)) + second)
    first, second = np.divmod(distinct, max(len(group), 1))
    # A random order within each group, then the first few of each.
    order = np.lexsort((rng.random(len(first)), group[first]))
    place = np.arange(len(order)) - np.searchsorted(group[first[order]], group[first[order]])
    kept = np.sort(order[place < most])
    return first[kept], second[kept]


def _table(
    table: pa.Table,
    row: np.ndarray,
    option: np.ndarray,
    higher: np.ndarray,
    lower: np.ndarray,
    strength: np.ndarray,
    rng: np.random.Generator,
) -> pa.Table:
    n = len(higher)
    swapped = rng.random(n) < 0.5
    shown = np.where(swapped, lower, higher), np.where(swapped, higher, lower)
    flat_options = lists(table["options"]).values
    two = flat_options.take(pa.array(np.stack([option[shown[0]], option[shown[1]]], axis=1).ravel()))
    winner = swapped.astype(np.int32)
    pairs = pa.array(np.arange(0, 2 * n + 1, 2, dtype=np.int32))
    tiers = pa.ListArray.from_arrays(
        pa.array(np.arange(2 * n + 1, dtype=np.int32)), pa.array(np.stack([winner, 1 - winner], axis=1).ravel())
    )
    none = pa.array(np.zeros(n + 1, np.int32))
    ids = table["id"]
    columns = {
        "id": pc.binary_join_element_wise(ids.take(pa.array(row[higher])), ids.take(pa.array(row[lower])), "+"),
        "options": pa.ListArray.from_arrays(pairs, two.combine_chunks()),
        "ranking": pa.ListArray.from_arrays(pairs, tiers),
        "verdict": pa.array(["ranked"]).take(pa.array(np.zeros(n, np.int64))),
        "shown": pa.ListArray.from_arrays(none, pa.array([], pa.int32())),
        "strength": pa.array(strength),
        "ratings": pa.ListArray.from_arrays(none, pa.array([], layout.RATING)),
    }
    # A judgment that rates many options is in many pairs: what the pairs replace is not repeated.
    kept = table.drop_columns(list(columns)).take(pa.array(row[higher]))
    return pa.table({name: columns[name] if name in columns else kept[name] for name in layout.SCHEMA.names}).cast(
        layout.SCHEMA
    )
