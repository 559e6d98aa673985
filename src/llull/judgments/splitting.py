"""Cutting a set of judgments into parts that share no context.

One rule holds for every cut: judgments of one block of contexts (`llull.judgments.blocks`) never stand in two parts
of one split. Where the cut is by something else than context, that costs judgments, and they are set aside and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from llull.errors import InputError
from llull.judgments.blocks import context_blocks
from llull.judgments.columns import Labels, encode, integers, labels

if TYPE_CHECKING:
    from llull.judgments.preferences import Preferences

By = Literal["context", "annotator", "group", "time"]

LEAKING = "its context went to another part"
UNKNOWN = "what the split is by is unknown of it"


@dataclass(frozen=True)
class Split:
    """Three parts that share no context, and what belongs to none."""

    train: Preferences
    validation: Preferences
    test: Preferences
    set_aside: Preferences
    """Judgments in no part; ``reasons`` says why."""
    reasons: dict[str, int]
    """How many were set aside for which reason."""

    def __str__(self) -> str:
        parts = f"{len(self.train):,} train, {len(self.validation):,} validation, {len(self.test):,} test"
        return parts + _aside(self.reasons)


@dataclass(frozen=True)
class Fold:
    """One turn of a cross-validation: two parts that share no context, and what belongs to none."""

    train: Preferences
    test: Preferences
    set_aside: Preferences
    """Judgments in no part; ``reasons`` says why."""
    reasons: dict[str, int]
    """How many were set aside for which reason."""

    def __str__(self) -> str:
        return f"{len(self.train):,} train, {len(self.test):,} test" + _aside(self.reasons)


def split(
    preferences: Preferences,
    by: By = "context",
    *,
    sizes: Sequence[float] = (0.8, 0.1, 0.1),
    seed: int = 0,
    group: str | None = None,
) -> Split:
    """Cut judgments into train, validation and test, so that no context is in two of them.

    Contexts that differ only by case, whitespace, punctuation or Unicode form count as one; a judgment without
    context counts under its unordered set of options. The result depends on the seed and on which judgments there
    are, not on their order.

    Args:
        by: what no two parts may share besides contexts. ``context``: nothing else, and nothing is set aside.
            ``annotator`` and ``group``: each annotator, or each value of the key ``group``, goes to one part; a context
            met in several parts is given to one of them by lot, all with the same chance (so that parts keep their
            proportions), and its judgments in the others are set aside. ``time``: the earliest judgments train and the
            latest test; a context stays in the part that met it first, and later judgments of it are set aside.
            Judgments whose annotator, group or time is unknown are set aside.
        sizes: shares of train, validation and test, or of train and test; they need not sum to 1.
            Sizes count judgments, before any are set aside.
        seed: of the lots.
        group: the key of groups, a column or a tag, for ``by="group"``.

    Raises:
        InputError: there are fewer contexts (annotators, ...) than parts, or a part came out empty.
    """
    shares = _shares(sizes)
    wanted = np.flatnonzero(shares > 0)
    generator = np.random.default_rng(seed)
    blocks = context_blocks(preferences.table)
    block_part, row_part = _parts(preferences, blocks, by, group, shares[wanted], generator)
    part = np.append(wanted, -1)[np.where(block_part[blocks.codes] == row_part, row_part, -1)]
    for index in wanted:
        if not np.any(part == index):
            name = ("train", "validation", "test")[index]
            raise InputError(
                f"the split by {by} leaves no judgment for {name}: the contexts judged there are judged in other "
                "parts too; give it a larger size, try another seed, or split by context"
            )
    train, validation, test, aside = (preferences.select(part == index) for index in (0, 1, 2, -1))
    return Split(train, validation, test, aside, _reasons(part < 0, row_part))


def folds(
    preferences: Preferences, k: int = 5, by: By = "context", *, seed: int = 0, group: str | None = None
) -> list[Fold]:
    """Cut judgments for a k-fold cross-validation, so that no context is in both parts of a fold.

    By context, every judgment is tested exactly once. By annotator or group, annotators (or groups) and contexts are
    both dealt to k piles; fold i tests the judgments of which both are in pile i, trains on those of which neither is,
    and sets the others aside. By time, judgments are cut into k + 1 spans; fold i trains on the first i + 1 spans and
    tests on new contexts of the next span; later spans are in neither part.

    Args:
        k: number of folds, at least 2 (by time, at least 1).
        by: as in `split`.
        seed: of the lots.
        group: the key of groups, a column or a tag, for ``by="group"``.

    Raises:
        InputError: there are fewer contexts (annotators, ...) than folds, or a fold came out empty.
    """
    if k < (1 if by == "time" else 2):
        raise InputError(f"a cross-validation needs at least 2 folds, not {k}")
    piles = k + 1 if by == "time" else k
    blocks = context_blocks(preferences.table)
    shares = np.full(piles, 1.0 / piles)
    block_part, row_part = _parts(preferences, blocks, by, group, shares, np.random.default_rng(seed))
    of_context = block_part[blocks.codes]
    made = []
    for index in range(k):
        if by == "time":
            train = (row_part >= 0) & (row_part <= index)
            test = (row_part == index + 1) & (of_context == index + 1)
            later = row_part > index + 1
        else:
            train = (row_part >= 0) & (row_part != index) & (of_context != index)
            test = (row_part == index) & (of_context == index)
            later = np.zeros(len(row_part), bool)
        if not train.any() or not test.any():
            purpose = "test" if train.any() else "train"
            raise InputError(
                f"fold {index} of {k} by {by} has no judgment to {purpose} on: too many contexts are judged "
                "in several parts; use fewer folds, try another seed, or cut by context"
            )
        aside = ~(train | test)
        reasons = _reasons(aside & ~later, row_part)
        if later.any():
            reasons["it is later than the tested span"] = int(later.sum())
        made.append(Fold(preferences.select(train), preferences.select(test), preferences.select(aside), reasons))
    return made


def _shares(sizes: Sequence[float]) -> np.ndarray:
    shares = np.asarray(sizes, float)
    if shares.shape == (2,):
        shares = np.array([shares[0], 0.0, shares[1]])
    if shares.shape != (3,) or not np.all(shares >= 0) or shares[0] <= 0 or shares[2] <= 0:
        raise InputError(
            f"sizes {tuple(sizes)} are not the shares of train, validation and test (or of train and test); "
            "train and test must be above 0, as in sizes=(0.8, 0.1, 0.1)"
        )
    return shares / shares.sum()


def _parts(
    preferences: Preferences,
    blocks: Labels,
    by: By,
    group: str | None,
    shares: np.ndarray,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """The part of each block, and of each judgment by its unit (-1 where unknown)."""
    if by == "context":
        of_block = _deal(blocks, shares, generator, "context")
        return of_block, of_block[blocks.codes]
    units = _units(preferences, by, group)
    if by == "time":
        row_part = _deal_in_order(units, shares)
        block_part = np.full(len(blocks.names), len(shares))
        known = row_part >= 0
        np.minimum.at(block_part, blocks.codes[known], row_part[known])
        return block_part, row_part
    row_part = np.append(_deal(units, shares, generator, by), -1)[units.codes]
    return _lots(blocks, row_part, len(shares), generator), row_part


def _units(preferences: Preferences, by: By, group: str | None) -> Labels:
    if by == "annotator":
        return encode(preferences.table["annotator"])
    if by == "group":
        if group is None:
            raise InputError('a split by group needs the key of the group, as in split(by="group", group="country")')
        return labels(preferences.table, group)
    if by == "time":
        microseconds = preferences.table["time"].cast("int64")
        known = microseconds.is_valid().to_numpy()
        distinct, codes = np.unique(integers(microseconds), return_inverse=True)
        return Labels(np.where(known, codes, -1), tuple(map(str, distinct)))
    raise InputError(f"cannot split by {by!r}; there is context, annotator, group and time")


def _deal(units: Labels, shares: np.ndarray, generator: np.random.Generator, by: str) -> np.ndarray:
    """Deal units to parts in an order drawn by lot, so that each part has its share of the judgments."""
    # The lot is drawn over sorted names: the order of the rows must not matter.
    order = np.argsort(np.array(units.names, object))[generator.permutation(len(units.names))]
    counts = np.bincount(units.codes[units.codes >= 0], minlength=len(units.names))
    part = np.empty(len(units.names), np.int64)
    part[order] = _cut(counts[order], shares, by)
    return part


def _deal_in_order(units: Labels, shares: np.ndarray) -> np.ndarray:
    present, codes = np.unique(units.codes[units.codes >= 0], return_inverse=True)
    part = np.full(len(units.codes), -1)
    part[units.codes >= 0] = _cut(np.bincount(codes, minlength=len(present)), shares, "time")[codes]
    return part


def _cut(counts: np.ndarray, shares: np.ndarray, by: str) -> np.ndarray:
    """Cut a row of units into consecutive parts with the given shares of all counts, none of them empty."""
    if len(counts) < len(shares):
        raise InputError(
            f"there is {len(counts)} {by} to deal to {len(shares)} parts that must not share any; "
            "ask for fewer parts, or split by something else"
        )
    middle = np.cumsum(counts) - counts / 2
    part = np.searchsorted(np.cumsum(shares)[:-1] * counts.sum(), middle, side="right")
    # Large units can swallow a small part: each part keeps at least one unit.
    ends = np.searchsorted(part, np.arange(len(shares)), side="right")
    for index in range(len(shares)):
        before = ends[index - 1] if index else 0
        ends[index] = min(max(ends[index], before + 1), len(counts) - (len(shares) - 1 - index))
    return np.searchsorted(ends, np.arange(len(counts)), side="right")


def _lots(blocks: Labels, row_part: np.ndarray, parts: int, generator: np.random.Generator) -> np.ndarray:
    """Give each block to one of the parts that met it, by lot."""
    met = np.zeros((len(blocks.names), parts), bool)
    known = row_part >= 0
    met[blocks.codes[known], row_part[known]] = True
    lot = np.empty(met.shape)
    lot[np.argsort(np.array(blocks.names, object))] = generator.random(met.shape)
    return np.where(met, lot, -1.0).argmax(axis=1)


def _reasons(aside: np.ndarray, row_part: np.ndarray) -> dict[str, int]:
    counts = {UNKNOWN: int((aside & (row_part < 0)).sum()), LEAKING: int((aside & (row_part >= 0)).sum())}
    return {reason: count for reason, count in counts.items() if count}


def _aside(reasons: dict[str, int]) -> str:
    return "".join(f"; {count:,} set aside because {reason}" for reason, count in reasons.items())
