"""Choice by majorities between two at a time.

All functions take ``preferred`` [n, n]: the weight of voters who put item i above item j, from `Profile.preferred` or
`preferred_in`. Orders are lists of items, best first; scores [n] say how equal places come about.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llull.errors import InputError

EXACT = 12
"""Items up to which Kemeny's order is found exactly."""


def copeland(preferred: np.ndarray) -> np.ndarray:
    """Items beaten minus items lost to, by majority: int [n].

    This is Ramon Llull's own count, of about 1283 and 1299: each candidate is set against each other one, and the one
    with the most victories is elected. It was found again by Copeland (1951), whose name it bears.
    """
    margin = np.sign(preferred - preferred.T)
    return margin.sum(axis=1).astype(int)


def condorcet_winner(preferred: np.ndarray) -> int | None:
    """The item that beats every other one by majority; None if there is none."""
    beats = (preferred > preferred.T).sum(axis=1)
    found = np.flatnonzero(beats == len(preferred) - 1)
    return int(found[0]) if len(found) else None


def smith_set(preferred: np.ndarray) -> list[int]:
    """The least set of items of which each beats every item outside it."""
    order = np.argsort(-copeland(preferred), kind="stable")
    lost_or_level = preferred <= preferred.T
    for size in range(1, len(order) + 1):
        inside, outside = order[:size], order[size:]
        if not lost_or_level[np.ix_(inside, outside)].any():
            return sorted(inside.tolist())
    return sorted(order.tolist())


def majority_cycles(preferred: np.ndarray) -> list[tuple[int, int, int]]:
    """Rounds of three: a beats b, b beats c and c beats a, each once, with its least item first."""
    beats = preferred > preferred.T
    return [
        (a, int(b), int(c))
        for a in range(len(beats))
        for b in np.flatnonzero(beats[a])
        for c in np.flatnonzero(beats[b] & beats[:, a])
        if b > a and c > a
    ]


def minimax(preferred: np.ndarray) -> np.ndarray:
    """Minus the widest margin by which each item is beaten: float64 [n] (Simpson, 1969; Kramer, 1977)."""
    margin = preferred.T - preferred
    np.fill_diagonal(margin, -np.inf)
    return -np.maximum(margin.max(axis=1, initial=-np.inf), 0.0)


def schulze(preferred: np.ndarray) -> np.ndarray:
    """For how many items the path from an item is stronger than the way back: int [n] (Schulze, 2011).

    A path is as strong as its weakest victory, by winning votes.
    """
    strength = np.where(preferred > preferred.T, preferred, 0.0)
    for k in range(len(strength)):
        strength = np.maximum(strength, np.minimum(strength[:, k, None], strength[None, k]))
    np.fill_diagonal(strength, 0.0)
    return (strength > strength.T).sum(axis=1)


def ranked_pairs(preferred: np.ndarray) -> list[int]:
    """Lock in victories from the widest margin, leaving out those that would close a circle (Tideman, 1987).

    Victories of equal margin are taken in the order of their items, so that the result is one order.
    """
    size = len(preferred)
    margin = preferred - preferred.T
    victories = sorted(
        ((-margin[i, j], i, j) for i in range(size) for j in range(size) if margin[i, j] > 0),
    )
    reaches = np.eye(size, dtype=bool)
    for _, i, j in victories:
        if not reaches[j, i]:
            reaches |= reaches[:, i, None] & reaches[None, j]
    # Of items that no victory tells apart, the one listed first comes first.
    left, found = list(range(size)), []
    while left:
        first = next(i for i in left if not any(reaches[j, i] for j in left if j != i))
        found.append(first)
        left.remove(first)
    return found


@dataclass(frozen=True)
class KemenyOrder:
    """An order and how far voters disagree with it."""

    order: list[int]
    disagreement: float
    """Weight of pairs put the other way, summed over voters."""
    exact: bool
    """Whether no order has less."""


def kemeny(preferred: np.ndarray) -> KemenyOrder:
    """The order that the fewest judgments of pairs contradict (Kemeny, 1959).

    Up to 12 items it is found exactly, by dynamic programming over sets of items; beyond, by moving single items of the
    order by Borda's count for as long as that helps, which need not end at the best.
    """
    if len(preferred) <= EXACT:
        return KemenyOrder(*_by_sets(preferred), exact=True)
    order = np.argsort(-(preferred - preferred.T).sum(axis=1), kind="stable").tolist()
    best = disagreement(preferred, order)
    moved = True
    while moved:
        moved = False
        for item in list(order):
            rest = [other for other in order if other != item]
            # Moving an item down by one place exchanges one pair.
            above = np.concatenate([[0.0], np.cumsum(preferred[rest, item] - preferred[item, rest])])
            costs = -above
            place = int(np.argmin(costs))
            trial = [*rest[:place], item, *rest[place:]]
            if (cost := disagreement(preferred, trial)) < best - 1e-9:
                order, best, moved = trial, cost, True
    return KemenyOrder(order, best, exact=False)


def disagreement(preferred: np.ndarray, order: list[int]) -> float:
    """Weight of judgments of pairs that an order contradicts."""
    if sorted(order) != list(range(len(preferred))):
        raise InputError("an order must name each item once")
    sorted_preferred = preferred[np.ix_(order, order)]
    return float(np.tril(sorted_preferred, -1).sum())


def _by_sets(preferred: np.ndarray) -> tuple[list[int], float]:
    """Best orders of all sets of items, from small to large: the last item of a set is below all others of it."""
    size = len(preferred)
    # Cost of item i below all items of set s: judgments that put i above one of them.
    cost, last = np.full(1 << size, np.inf), np.zeros(1 << size, int)
    cost[0] = 0.0
    below = np.zeros((size, 1 << size))
    for j in range(size):
        bit = 1 << j
        below[:, bit : 2 * bit] = below[:, :bit] + preferred[:, j, None]
    for members in range(1, 1 << size):
        for i in range(size):
            if members >> i & 1:
                rest = members ^ (1 << i)
                total = cost[rest] + below[i, rest]
                if total < cost[members] - 1e-12:
                    cost[members], last[members] = total, i
    order, members = [], (1 << size) - 1
    while members:
        order.append(int(last[members]))
        members ^= 1 << int(last[members])
    return order[::-1], float(cost[-1])
