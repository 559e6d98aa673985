"""Whether votes determine finite weights at all.

Without a penalty, the likelihood has a finite maximum only if no direction of the weights puts every
winner at or above its loser, with equality in ties (Albert and Anderson, 1984). For items that are compared with one
another this is a matter of who beat whom: each connected set of items must be one strongly connected component
of the graph of victories (Ford, 1957).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

_NAMED = 5


@dataclass(frozen=True)
class Separation:
    """What stands in the way of a finite optimum without a penalty."""

    kind: Literal["none", "unchecked", "items", "complete", "quasi-complete"] = "unchecked"
    """``items``: some items never lose, never win, or are compared with no others outside their set.
    ``complete``: some direction of features puts each winner above its loser; ``quasi-complete``: or level.
    ``unchecked``: a penalty makes the optimum finite in any case, and the check of all features is slow."""
    reason: str = ""
    undefeated: tuple[str, ...] = ()
    """Items that never lost or tied with any item outside their set."""
    winless: tuple[str, ...] = ()
    """Items that never won or tied with any item outside their set."""
    components: int = 1
    """Sets of items without any comparison between them."""


def find_separation(
    contrasts: np.ndarray, tie: np.ndarray, names: tuple[str, ...] | None, check_all: bool
) -> Separation:
    """Look for separation.

    Args:
        contrasts: float64 [n, p].
        tie: bool [n].
        names: [p] for the message, or None.
        check_all: solve the linear program over features; comparisons of items are checked in any case.
    """
    names = names or tuple(f"weight {j}" for j in range(contrasts.shape[1]))
    if (items := _compared_items(contrasts)) is not None:
        return _check_items(*items, tie, names)
    return _check_features(contrasts, tie, names) if check_all else Separation()


def _compared_items(contrasts: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Winner and loser of each row, if all rows are differences of two indicators."""
    if contrasts.shape[1] < 2 or ((contrasts[:1] != 0).sum() not in (0, 2)):
        return None
    winner, loser = contrasts.argmax(axis=1), contrasts.argmin(axis=1)
    filled = (contrasts != 0).sum(axis=1)
    rows = np.arange(len(contrasts))
    if not ((filled == 0) | ((filled == 2) & (contrasts[rows, winner] > 0) & (contrasts[rows, loser] < 0))).all():
        return None
    # Indicators have one value per column, whatever the scale; measured features differ from row to row.
    top = np.abs(contrasts).max(axis=0)
    same = np.isclose(np.abs(contrasts), top) | (contrasts == 0)
    return (winner[filled == 2], loser[filled == 2]) if same.all() and (filled == 2).any() else None


def _check_items(winner: np.ndarray, loser: np.ndarray, tie: np.ndarray, names: tuple[str, ...]) -> Separation:
    if len(tie) != len(winner):
        return Separation()
    beats = np.concatenate([winner, loser[tie]])
    beaten = np.concatenate([loser, winner[tie]])
    seen = np.unique(beats)
    seen = np.union1d(seen, beaten)
    graph = coo_array((np.ones(len(beats)), (beats, beaten)), shape=(len(names), len(names))).tocsr()
    _, weak = connected_components(graph, connection="weak")
    _, strong = connected_components(graph, connection="strong")
    components = len(np.unique(weak[seen]))
    if len(np.unique(strong[seen])) == components == 1:
        return Separation("none")
    if len(np.unique(strong[seen])) == components:
        reason = f"the items fall into {components} sets with no comparison between them"
        return Separation("items", reason, components=components)
    crossing = strong[beats] != strong[beaten]
    lost, won = np.unique(strong[beaten[crossing]]), np.unique(strong[beats[crossing]])
    in_play = np.unique(np.concatenate([lost, won]))
    undefeated = tuple(names[i] for i in seen if strong[i] in in_play and strong[i] not in lost)
    winless = tuple(names[i] for i in seen if strong[i] in in_play and strong[i] not in won)
    reason = f"nothing outside beats {_list(undefeated)}, and {_list(winless)} beats nothing outside"
    return Separation("items", reason, undefeated, winless, components)


def _check_features(contrasts: np.ndarray, tie: np.ndarray, names: tuple[str, ...]) -> Separation:
    """Maximize the sum of x_i v over v in [-1, 1]^p with x_i v >= 0, and = 0 in ties: positive if separated."""
    decided = contrasts[~tie]
    if len(decided) == 0:
        return Separation("none")
    equal = contrasts[tie]
    found = linprog(
        -decided.sum(axis=0),
        A_ub=-decided,
        b_ub=np.zeros(len(decided)),
        A_eq=equal if len(equal) else None,
        b_eq=np.zeros(len(equal)) if len(equal) else None,
        bounds=(-1, 1),
        method="highs",
    )
    if not found.success or -found.fun <= 1e-7 * np.abs(decided).sum() / len(decided):
        return Separation("none")
    above = decided @ found.x > 1e-9
    kind = "complete" if above.all() and not len(equal) else "quasi-complete"
    leading = tuple(names[j] for j in np.argsort(-np.abs(found.x))[:_NAMED] if abs(found.x[j]) > 1e-9)
    reason = (
        f"a combination of features ({_list(leading)}) puts {int(above.sum())} of {len(decided)} winners above their "
        "losers and none below"
    )
    return Separation(kind, reason)


def _list(names: tuple[str, ...]) -> str:
    shown = ", ".join(repr(name) for name in names[:_NAMED])
    return shown + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
