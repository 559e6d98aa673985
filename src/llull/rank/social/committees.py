"""Committees in which every group of like-minded voters gets its share."""

from __future__ import annotations

import numpy as np

from llull.errors import InputError


def equal_shares(approved: np.ndarray, seats: int, weight: np.ndarray | None = None) -> list[int]:
    """The method of equal shares (Peters and Skowron, 2020), with budgets raised until no more seats can be filled.

    Each voter has an equal part of the seats to pay with; a seat costs 1, shared by its supporters as equally as their
    purses allow, and the item whose supporters pay least each is elected next. What remains empty after budgets were
    raised goes to the items with the most approvals.

    Args:
        approved: bool [voters, n].
        seats: how many items are elected.
        weight: of voters; equal if not given.

    Raises:
        InputError: for more seats than items, or for none.
    """
    voters, size = approved.shape
    if not 0 < seats <= size:
        raise InputError(f"{seats} seats cannot be filled from {size} items")
    weight = np.ones(voters) if weight is None else np.asarray(weight, np.float64)
    found: list[int] = []
    for raised in range(10 * seats):
        trial = _elect(approved, weight, (seats + raised / 4) / weight.sum())
        if len(trial) > seats:
            break
        found = trial
        if len(found) == seats:
            break
    votes = weight @ approved
    rest = [i for i in np.argsort(-votes, kind="stable").tolist() if i not in found]
    return found + rest[: seats - len(found)]


def _elect(approved: np.ndarray, weight: np.ndarray, budget: float) -> list[int]:
    """Items that supporters can pay for, in the order of election."""
    purse = weight * budget
    found: list[int] = []
    while True:
        prices = [
            (price, i)
            for i in range(approved.shape[1])
            if i not in found and (price := _price(purse, weight, approved[:, i])) is not None
        ]
        if not prices:
            return found
        price, item = min(prices)
        found.append(item)
        pay = np.where(approved[:, item], np.minimum(purse, price * weight), 0.0)
        purse = np.maximum(purse - pay, 0.0)


def _price(purse: np.ndarray, weight: np.ndarray, supports: np.ndarray) -> float | None:
    """What each supporter pays for one seat, per weight, if those with less pay all they have."""
    money, heavy = purse[supports], weight[supports]
    if money.sum() < 1.0 - 1e-9:
        return None
    order = np.argsort(money / heavy)
    left, load = 1.0, float(heavy.sum())
    for k in order:
        price = left / load
        if money[k] / heavy[k] >= price - 1e-12:
            return price
        left -= float(money[k])
        load -= float(heavy[k])
    return float((money / heavy).max())
