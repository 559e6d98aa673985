"""Making the views of judgments: options numbered, and pairs, rankings and ratings of them, from a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from llull.errors import InputError
from llull.judgments.columns import Labels, encode, floats, integers, labels, lists, number
from llull.judgments.record import VERDICTS
from llull.judgments.views import Options, Pairs, Rankings, Ratings


def options(table: pa.Table, by_source: bool = True) -> tuple[Options, np.ndarray]:
    """Number the unique options; returns them and, for each option as shown, its number [total] (int32).

    Options are the same if their context, content and, with ``by_source``, their source are: two models may give the
    same answer.
    """
    shown = lists(table["options"])
    ids = encode(shown.field("id"))
    contexts = encode(table["context_id"])
    row = shown.row
    keys = contexts.codes[row].astype(np.int64) * max(len(ids.names), 1) + ids.codes
    if by_source:
        sources = encode(shown.field("source"))
        keys = keys * (len(sources.names) + 1) + sources.codes
    unit, first = number(keys)
    found = Options(table, row[first], first - shown.start[row[first]], contexts.codes[row[first]])
    return found, unit


def pairs(table: pa.Table, *, rating: str | None = None, group: str | None = None, share_weight: bool = False) -> Pairs:
    """Every pair of options that a judgment sets in order or in a tie.

    Args:
        rating: make the pairs from ratings under this aspect instead of from rankings; ``strength`` is
            then the difference of the two values. Of several ratings of one option, the best counts.
        group: a key for ``group``: one of the judgments' groups, a column or a tag.
        share_weight: divide the weight of a judgment among its pairs, so that a ranking of ten
            options weighs as much as one of two.
    """
    found, unit = options(table)
    option_start = lists(table["options"]).start
    slots = _ranked_slots(table) if rating is None else _rated_slots(table, rating)
    first, second, per_judgment = all_pairs(slots.row, len(table))
    row = slots.row[first]
    at_first = option_start[row] + slots.option[first]
    at_second = option_start[row] + slots.option[second]
    weight = floats(table["weight"])[row]
    if share_weight:
        weight = weight / per_judgment[row]
    if rating is None:
        # A strength says how far apart the two are; in a longer ranking it is not said of which two.
        strength = np.where(per_judgment[row] == 1, floats(table["strength"])[row], np.nan)
    else:
        strength = slots.value[first] - slots.value[second]
    annotators, criteria = encode(table["annotator"]), encode(table["criterion"])
    groups = labels(table, group) if group else Labels(np.full(len(table), -1, np.int32), ())
    place = _shown_place(table, option_start)
    side = np.sign(place[at_second] - place[at_first]).astype(np.int8)
    side[(place[at_first] < 0) | (place[at_second] < 0)] = 0
    return Pairs(
        winner=unit[at_first],
        loser=unit[at_second],
        tie=slots.tier[first] == slots.tier[second],
        verdict=_verdict_codes(table)[row],
        side=side,
        weight=weight,
        strength=strength,
        context=found.context[unit[at_first]],
        annotator=annotators.codes[row],
        group=groups.codes[row],
        criterion=criteria.codes[row],
        judgment=row,
        options=found,
        annotators=annotators.names,
        groups=groups.names,
        criteria=criteria.names,
    )


def winner_listed_first(table: pa.Table) -> np.ndarray:
    """For each pair of `pairs`, whether its judgment lists the winner before the loser: bool [n]."""
    slots = _ranked_slots(table)
    first, second, _ = all_pairs(slots.row, len(table))
    return slots.option[first] < slots.option[second]


def rankings(table: pa.Table) -> Rankings:
    """Every judgment that ranks at least two options, as a whole."""
    found, unit = options(table)
    option_start = lists(table["options"]).start
    slots = _ranked_slots(table)
    count = np.bincount(slots.row, minlength=len(table))
    kept = np.flatnonzero(count >= 2)
    members = count[slots.row] >= 2
    annotators = encode(table["annotator"])
    return Rankings(
        start=np.concatenate([[0], np.cumsum(count[kept])]),
        option=unit[option_start[slots.row[members]] + slots.option[members]],
        tier=slots.tier[members],
        weight=floats(table["weight"])[kept],
        context=encode(table["context_id"]).codes[kept],
        annotator=annotators.codes[kept],
        judgment=kept,
        options=found,
        annotators=annotators.names,
    )


def ratings(table: pa.Table, aspect: str | None = None) -> Ratings:
    """Every rating, or those under one aspect.

    Raises:
        InputError: no rating has that aspect; the message names those there are.
    """
    found, unit = options(table)
    option_start = lists(table["options"]).start
    given = lists(table["ratings"])
    aspects = encode(given.field("aspect"))
    if aspect is None:
        kept = np.arange(len(aspects.codes))
    elif aspect in aspects.names:
        kept = np.flatnonzero(aspects.codes == aspects.names.index(aspect))
    else:
        there = ", ".join(sorted(aspects.names)) or "none at all"
        raise InputError(f"no rating has the aspect {aspect!r}; there is {there}")
    row = given.row[kept]
    annotators = encode(table["annotator"])
    return Ratings(
        option=unit[option_start[row] + integers(given.field("option"))[kept]],
        value=floats(given.field("value"))[kept],
        low=floats(given.field("low"))[kept],
        high=floats(given.field("high"))[kept],
        aspect=aspects.codes[kept],
        weight=floats(table["weight"])[row],
        annotator=annotators.codes[row],
        judgment=row,
        options=found,
        annotators=annotators.names,
        aspects=aspects.names,
    )


@dataclass(frozen=True)
class _Slots:
    """Options that a judgment puts in order: sorted by row, then from best to worst."""

    row: np.ndarray
    option: np.ndarray
    tier: np.ndarray
    value: np.ndarray


def _ranked_slots(table: pa.Table) -> _Slots:
    tiers = lists(table["ranking"])
    members = lists(tiers.values)
    tier_in_row = np.arange(len(tiers.row)) - tiers.start[tiers.row]
    tier = tier_in_row[members.row].astype(np.int32)
    return _Slots(tiers.row[members.row], integers(members.values), tier, np.full(len(tier), np.nan))


def _rated_slots(table: pa.Table, aspect: str) -> _Slots:
    given = lists(table["ratings"])
    aspects = encode(given.field("aspect"))
    if aspect not in aspects.names:
        there = ", ".join(sorted(aspects.names)) or "none at all"
        raise InputError(f"no rating has the aspect {aspect!r}; there is {there}")
    kept = np.flatnonzero(aspects.codes == aspects.names.index(aspect))
    row, value = given.row[kept], floats(given.field("value"))[kept]
    option = integers(given.field("option"))[kept]
    order = np.lexsort((option, -value, row))
    row, value, option = row[order], value[order], option[order]
    # An option rated twice is not to be compared with itself: its best rating counts.
    counted = np.zeros(len(row), bool)
    counted[number(row * (int(option.max(initial=0)) + 1) + option)[1]] = True
    row, value, option = row[counted], value[counted], option[counted]
    starts_tier = np.ones(len(row), bool)
    starts_tier[1:] = (row[1:] != row[:-1]) | (value[1:] != value[:-1])
    tier = np.cumsum(starts_tier).astype(np.int32)
    return _Slots(row, option, tier, value)


def all_pairs(row: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs of slots within a row, and the number of pairs of each row.

    Rows with equally many slots are handled together, so the loop runs over sizes and not over rows.
    """
    count = np.bincount(row, minlength=rows)
    start = np.concatenate([[0], np.cumsum(count)])[:-1]
    firsts, seconds = [], []
    for size in np.unique(count):
        if size < 2:
            continue
        where = start[count == size]
        i, j = np.triu_indices(int(size), 1)
        firsts.append((where[:, None] + i).ravel())
        seconds.append((where[:, None] + j).ravel())
    if not firsts:
        empty = np.empty(0, np.int64)
        return empty, empty, count * 0
    first, second = np.concatenate(firsts), np.concatenate(seconds)
    if len(firsts) > 1:
        order = np.argsort(row[first], kind="stable")
        first, second = first[order], second[order]
    return first, second, count * (count - 1) // 2


def _shown_place(table: pa.Table, option_start: np.ndarray) -> np.ndarray:
    """Where each option as listed was shown: int64 [total], -1 where unknown."""
    shown = lists(table["shown"])
    place = np.full(option_start[-1], -1, np.int64)
    row = shown.row
    place[option_start[row] + integers(shown.values)] = np.arange(len(row)) - shown.start[row]
    return place


def _verdict_codes(table: pa.Table) -> np.ndarray:
    found = encode(table["verdict"])
    return np.array([VERDICTS.index(name) for name in found.names] + [-1], np.int8)[found.codes]
