"""From judgments to units: what an objective reads, over options numbered once."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from llull.errors import InputError
from llull.judgments import Preferences
from llull.judgments.views import Options, Pairs, Ratings
from llull.objectives import ListUnits, PairUnits, SingleUnits
from llull.objectives.axes import Kind
from llull.objectives.batch import Units


def units_of(
    preferences: Preferences, kind: Kind, *, rating: str | None = None, group: str | None = None
) -> tuple[Options, Units]:
    """The judgments as units of one kind.

    Pairs that were judged equal are kept as ties. Where nothing was accepted or rejected by itself, the two sides of
    each pair that is no tie are taken as one accepted and one rejected option.

    Args:
        preferences: the judgments.
        kind: pairs, lists or singles.
        rating: make the order from ratings under this aspect; for lists it becomes the gain.
        group: a key for the units' group: one of the judgments' groups, a column or a tag.

    Returns:
        The options that the units count, and the units.

    Raises:
        InputError: if the judgments hold none.
    """
    if kind == "lists":
        return _lists(preferences, rating)
    if kind == "singles" and rating is None and "accept" in preferences.ratings().aspects:
        accepts = preferences.accepts()
        return accepts.options, _accepted(accepts)
    pairs = preferences.pairs(rating=rating, group=group)
    if not len(pairs):
        raise InputError(
            f"these {len(preferences):,} judgments put no two options in order; "
            "if they rate options, say which aspect counts with --rating"
        )
    return pairs.options, _apart(pairs) if kind == "singles" else _pairs(pairs)


def _pairs(pairs: Pairs) -> PairUnits:
    return PairUnits.of(
        _indexes(pairs.winner),
        _indexes(pairs.loser),
        weight=_numbers(pairs.weight),
        tie=torch.from_numpy(pairs.tie),
        strength=_numbers(pairs.strength),
        annotator=_indexes(pairs.annotator),
        group=_indexes(pairs.group),
    )


def _apart(pairs: Pairs) -> SingleUnits:
    decided = pairs.select(~pairs.tie)
    # Chosen and rejected of a pair stand side by side, so that they share their context's tokens.
    option = np.stack([decided.winner, decided.loser], axis=1).reshape(-1)
    return SingleUnits.of(
        _indexes(option),
        torch.tensor([1.0, 0.0]).repeat(len(decided)),
        weight=_numbers(np.repeat(decided.weight, 2)),
        group=_indexes(np.repeat(decided.group, 2)),
    )


def _accepted(accepts: Ratings) -> SingleUnits:
    low = np.where(np.isnan(accepts.low), 0.0, accepts.low)
    high = np.where(np.isnan(accepts.high), 1.0, accepts.high)
    share = (accepts.value - low) / np.maximum(high - low, 1e-12)
    return SingleUnits.of(_indexes(accepts.option), _numbers(share), weight=_numbers(accepts.weight))


def _lists(preferences: Preferences, rating: str | None) -> tuple[Options, ListUnits]:
    if rating is not None:
        return _rated_lists(preferences.ratings(rating), rating)
    rankings = preferences.rankings()
    if not len(rankings):
        raise InputError(
            f"these {len(preferences):,} judgments rank no options; if they rate them, say which aspect with --rating"
        )
    padded = _Padding(rankings.start)
    units = ListUnits.of(
        _indexes(padded(rankings.option, -1)), _indexes(padded(rankings.tier, -1)), weight=_numbers(rankings.weight)
    )
    return rankings.options, units


def _rated_lists(ratings: Ratings, aspect: str) -> tuple[Options, ListUnits]:
    """Each judgment's rated options in falling order of their ratings, equal ones tied."""
    order = np.lexsort((-ratings.value, ratings.judgment))
    judgment, value = ratings.judgment[order], ratings.value[order]
    new = np.diff(judgment, prepend=-1) != 0
    start = np.append(np.flatnonzero(new), len(order))
    if len(order) == 0 or np.diff(start).max() < 2:
        raise InputError(f"no judgment rates two options for {aspect!r}, so there is nothing to rank")
    lower = np.cumsum(~new & (np.diff(value, prepend=np.nan) != 0))
    tier = lower - np.repeat(lower[start[:-1]], np.diff(start))
    padded = _Padding(start)
    units = ListUnits.of(
        _indexes(padded(ratings.option[order], -1)),
        _indexes(padded(tier, -1)),
        weight=_numbers(ratings.weight[order][start[:-1]]),
        gain=_numbers(padded(value, np.nan)),
    )
    return ratings.options, units.select(torch.from_numpy(np.diff(start) > 1))


class _Padding:
    """Turns runs of a flat array into rows of one length."""

    def __init__(self, start: np.ndarray) -> None:
        lengths = np.diff(start)
        self.row = np.repeat(np.arange(len(lengths)), lengths)
        self.place = np.arange(start[-1]) - np.repeat(start[:-1], lengths)
        self.shape = (len(lengths), int(lengths.max()))

    def __call__(self, flat: np.ndarray, filler: float) -> np.ndarray:
        rows = np.full(self.shape, filler, np.result_type(flat, type(filler)))
        rows[self.row, self.place] = flat
        return rows


def _indexes(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.int64))


def _numbers(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
