"""How far annotators agree where they judged the same thing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from llull.judgments.columns import number


@dataclass(frozen=True)
class Agreement:
    """Agreement between annotators over the items that at least two of them judged."""

    items: int
    """Items judged by at least two annotators."""
    votes: int
    """Votes on those items."""
    percent: float
    """Chance, in [0, 1], that another annotator of the same item says the same; each vote weighs the same."""
    alpha_nominal: float
    """Krippendorff's alpha, answers equal or not: 1 full agreement, 0 as by chance; NaN where nothing varies."""
    alpha_ordinal: float
    """Krippendorff's alpha, answers in order: near misses count less."""


def agreement(item: np.ndarray, value: np.ndarray, *, mirrored: bool = False) -> Agreement | None:
    """Percent agreement and Krippendorff's alpha, nominal and ordinal.

    alpha = 1 - D_o / D_e. D_o is the mean squared difference between two votes on one item, where an item with m votes
    weighs m; D_e is that between any two votes. A difference is 0 or 1 (nominal), or the number of votes that lie
    between two answers, with half of those on each of the two (ordinal), which is the difference of their mid-ranks.
    (Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011.)

    Args:
        item: [n] integer code of what was judged.
        value: [n] the answer; at most one from each annotator on each item (see `one_vote_each`).
        mirrored: the answers say which of two comes first, +1, -1, or 0 for a tie, and which of the two is called the
            first is arbitrary. Each item then counts in both readings, so that the result does not depend on it.

    Returns:
        None where no item has two votes.
    """
    item, value = _shared(np.asarray(item), np.asarray(value, float))
    if not len(item):
        return None
    items, votes = int(item.max()) + 1, len(item)
    if mirrored:
        item, value = np.concatenate([item, item + items]), np.concatenate([value, -value])
    answers, answer, counts = np.unique(value, return_inverse=True, return_counts=True)
    n = len(item)
    m = np.bincount(item)

    _, same = np.unique(item * len(answers) + answer, return_counts=True)
    of_item = item[np.unique(item * len(answers) + answer, return_index=True)[1]]
    agreeing = np.bincount(of_item, same * (same - 1.0))
    observed = 1.0 - np.sum(agreeing / (m - 1)) / n
    expected = 1.0 - np.sum(counts * (counts - 1.0)) / (n * (n - 1.0))

    rank = np.cumsum(counts) - counts / 2
    place = rank[answer]
    spread = np.bincount(item, (place - (np.bincount(item, place) / m)[item]) ** 2)
    observed_rank = 2.0 * np.sum(spread * m / (m - 1)) / n
    expected_rank = 2.0 * np.sum(counts * (rank - place.mean()) ** 2) / (n - 1)
    return Agreement(
        items, votes, float(1.0 - observed), _alpha(observed, expected), _alpha(observed_rank, expected_rank)
    )


def flip_rate(item: np.ndarray, value: np.ndarray) -> float:
    """The rate of label noise that explains how often two votes on one pair differ.

    Model: each pair has one true order, and each vote that is not a tie reverses it with probability e, independently.
    Two votes then agree with probability p = e^2 + (1 - e)^2 = 1 - 2 e (1 - e), so e = (1 - sqrt(2 p - 1)) / 2.
    Real differences of taste count as noise under this model; read it as an upper bound.

    Args:
        item: [n] integer code of the pair.
        value: [n] +1 or -1, and 0 for ties, which are left out; one from each annotator on each pair.

    Returns:
        e in [0, 0.5]; NaN where no pair has two votes that are not ties.
    """
    value = np.asarray(value, float)
    strict = value != 0
    found = agreement(np.asarray(item)[strict], value[strict])
    if found is None:
        return math.nan
    return (1.0 - math.sqrt(max(0.0, 2.0 * found.percent - 1.0))) / 2.0


def one_vote_each(item: np.ndarray, annotator: np.ndarray) -> np.ndarray:
    """Positions of each annotator's first vote on each item: int64. Votes by unknown annotators (-1) all count."""
    item, annotator = np.asarray(item, np.int64), np.asarray(annotator, np.int64)
    known = int(annotator.max(initial=-1)) + 1
    voter = np.where(annotator < 0, known + np.arange(len(annotator)), annotator)
    return number(item * (known + len(annotator)) + voter)[1]


def _shared(item: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The votes on items with at least two votes, items numbered from 0."""
    _, code, count = np.unique(item, return_inverse=True, return_counts=True)
    kept = count[code] >= 2
    return np.unique(code[kept], return_inverse=True)[1], value[kept]


def _alpha(observed: float, expected: float) -> float:
    return float(1.0 - observed / expected) if expected > 0 else math.nan
