"""What is fitted: pairs of rows of standardized features, with who voted, where, and how much it counts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, replace

import numpy as np
import pyarrow as pa

from llull.errors import InputError
from llull.judgments.columns import number
from llull.judgments.views import Options, Pairs

HELD_OUT = 0.2
"""The share of contexts on which strengths are chosen."""


@dataclass(frozen=True)
class Sides:
    """Both options of some pairs, as rows of features, and what they are options for."""

    winner: np.ndarray
    """float64 [n, d]"""
    loser: np.ndarray
    """float64 [n, d]"""
    context: np.ndarray | None = None
    """float64 [n, e]: features of the pairs' contexts, where something reads them."""

    def __len__(self) -> int:
        return len(self.winner)

    def select(self, which: np.ndarray | slice) -> Sides:
        """The pairs at these positions."""
        return Sides(self.winner[which], self.loser[which], None if self.context is None else self.context[which])


@dataclass(frozen=True)
class Votes:
    """Pairs of rows, ready for a head, a link and a population. Arrays have length n but where said."""

    rows: np.ndarray
    """float64 [m, d]: features of the options, standardized."""
    winner: np.ndarray
    """int, index into ``rows``"""
    loser: np.ndarray
    """int, index into ``rows``"""
    tie: np.ndarray
    """bool"""
    weight: np.ndarray
    """float64"""
    context: np.ndarray
    """int"""
    annotator: np.ndarray
    """int; -1 where unknown"""
    judgment: np.ndarray
    """int: the judgment that a pair comes from"""
    member: np.ndarray
    """int, index into ``members``; -1 where unknown"""
    members: tuple[str, ...]
    """The names of the population's members."""
    about: np.ndarray | None = None
    """float64 [c, e]: features of contexts, standardized; None where nothing reads them."""
    place: np.ndarray | None = None
    """int, index into ``about``: each vote's context"""
    strength: np.ndarray | None = None
    """float64, on the source's scale; NaN where unknown. Links read it by `Link.weigh` and `Link.lead`."""
    lead: np.ndarray | None = None
    """float64, in units of margins: by how much each winner must lead; None for nothing. See `Link.lead`."""
    identity: np.ndarray | None = None
    """uint64 [m]: which options they are, the same in every set of judgments; None where nothing reads it."""

    def __len__(self) -> int:
        return len(self.winner)

    def select(self, which: np.ndarray | slice) -> Votes:
        """The votes at these positions, or where this mask is true; ``rows`` stay whole."""
        whole = ("rows", "members", "about", "identity")
        columns = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in whole}
        return replace(self, **{name: value[which] for name, value in columns.items() if value is not None})

    def sides(self) -> Sides:
        """The rows of both options of each vote, and of its context."""
        about = None if self.about is None or self.place is None else self.about[self.place]
        return Sides(self.rows[self.winner], self.rows[self.loser], about)

    def beyond_lead(self, margin: np.ndarray) -> np.ndarray:
        """What losses read: margins [n] less what winners must lead by."""
        return margin if self.lead is None else margin - self.lead

    @property
    def n_effective(self) -> float:
        """How many votes of equal weight carry as much information: (sum w)^2 / sum w^2 (Kish, 1965)."""
        squares = float(self.weight @ self.weight)
        return float(self.weight.sum()) ** 2 / squares if squares else 0.0


@dataclass(frozen=True)
class Scaling:
    """Centers and scales of the features.

    The scale of a feature is the root mean square of its difference within a pair, divided by the square
    root of 2. For two independent options that is the feature's standard deviation; unlike it, it does not
    count what varies only between contexts, which no comparison can see.
    """

    center: np.ndarray
    """float64 [d]"""
    scale: np.ndarray
    """float64 [d], positive; 1 for a feature that never differs within a pair."""

    @classmethod
    def measure(cls, features: np.ndarray, pairs: Pairs, weight: np.ndarray, divide: np.ndarray) -> Scaling:
        """Measure over these pairs of rows of ``features`` [m, d]; the scale is 1 where ``divide`` [d] is False."""
        total = float(weight.sum())
        shown = np.bincount(pairs.winner, weight, len(features)) + np.bincount(pairs.loser, weight, len(features))
        center = (shown @ features.astype(np.float64)) / (2 * total)
        square = np.zeros(features.shape[1])
        for block in blocks(len(pairs), features.shape[1]):
            gap = features[pairs.winner[block]].astype(np.float64) - features[pairs.loser[block]]
            square += weight[block] @ (gap * gap)
        scale = np.sqrt(square / (2 * total))
        return cls(center, np.where((scale > 0) & divide, scale, 1.0))

    @classmethod
    def of_rows(cls, rows: np.ndarray) -> Scaling:
        """Mean and standard deviation of rows [m, d] themselves; the scale of a constant is 1."""
        center, scale = rows.mean(axis=0, dtype=np.float64), rows.std(axis=0, dtype=np.float64)
        return cls(center, np.where(scale > 0, scale, 1.0))

    def apply(self, features: np.ndarray) -> np.ndarray:
        """Features [m, d] as float64 in units of their scales."""
        return (features.astype(np.float64) - self.center) / self.scale


def blocks(rows: int, columns: int, values: int = 4_000_000) -> list[slice]:
    """Slices that cover all rows, each with about this many values: temporaries stay small."""
    size = max(values // max(columns, 1), 1)
    return [slice(start, min(start + size, rows)) for start in range(0, rows, size)]


def only_used(pairs: Pairs) -> Pairs:
    """The same pairs over the options that occur in them, so that no other option is encoded."""
    used, place = np.unique(np.concatenate([pairs.winner, pairs.loser]), return_inverse=True)
    if len(used) == len(pairs.options):
        return pairs
    winner, loser = np.split(place.astype(np.int32), 2)
    return replace(pairs, winner=winner, loser=loser, options=subset(pairs.options, used))


def subset(options: Options, which: np.ndarray) -> Options:
    """These options, with their contexts numbered anew."""
    context, _ = number(options.context[which].astype(np.int64))
    return Options(options.table, options.row[which], options.position[which], context)


def identities(options: Options) -> np.ndarray:
    """A number for each option under its context, from its contents and its source alone: uint64 [m]."""
    contexts = options.table["context_id"].take(pa.array(options.row)).to_pylist()
    said = zip(contexts, options.ids, options.sources, strict=True)
    digests = [hashlib.blake2b(repr(one).encode(), digest_size=8).digest() for one in said]
    return np.frombuffer(b"".join(digests), np.uint64)


def held_out(votes: Votes, seed: int) -> np.ndarray:
    """Which votes choose strengths: those of a fifth of the contexts, bool [n].

    With fewer than five contexts (items compared under one question), a fifth of the judgments.
    """
    units = votes.context if len(np.unique(votes.context)) >= 5 else votes.judgment
    known, codes = np.unique(units, return_inverse=True)
    if len(known) < 5:
        raise InputError(f"{len(known)} judgments are too few to choose a strength by validation; give l2 a value")
    chosen = np.zeros(len(known), bool)
    chosen[np.random.default_rng(seed).permutation(len(known))[: max(round(HELD_OUT * len(known)), 1)]] = True
    return chosen[codes]
