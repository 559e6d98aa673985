"""What each group wants, where a head weighs named features by the context: the mean weight of each feature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from llull.errors import InputError
from llull.judgments import Preferences
from llull.models.model import PreferenceModel

EVERYONE = "all"


@dataclass(frozen=True)
class Profiles:
    """Mean weights of features."""

    groups: tuple[str, ...]
    features: tuple[str, ...]
    weight: np.ndarray
    """float64 [groups, features]: the change of log-odds for one scale of each feature."""
    contribution: np.ndarray
    """float64 [groups, features]: by how much, on average, each moved the margin to what was preferred."""
    pairs: np.ndarray
    """int [groups]: pairs that are averaged."""


def profiles(model: PreferenceModel, preferences: Preferences, by: str | None = None) -> Profiles:
    """Weights averaged over the judgments of each group (community profiles, PrefPalette, Li et al., 2025).

    Args:
        model: fitted, for everyone, with the head `Gated` or `Attention` on features with names.
        preferences: whose contexts and options are averaged over.
        by: what tells groups apart: one of the judgments' groups, a column or a tag; all together if not given.

    Raises:
        InputError: if the head weighs nothing by the context, or no judgment says its group.
    """
    head: Any = model.head
    if not hasattr(head, "shares") or not hasattr(head, "weighed") or model.parts_.shared is None:
        raise InputError(
            f"the head {type(head).__name__} does not weigh features by the context; use Gated or Attention"
        )
    pairs = preferences.pairs(group=by)
    sides, _ = model.sides(pairs)
    part = model.parts_.shared
    places = cast(np.ndarray, head.weighed(len(model.names_)))
    value = part.weights[-len(places) :]
    shares = [head.shares(part.hidden, rows, sides.context) for rows in (sides.winner, sides.loser)]
    weight = sum(shares) / 2 * value
    moved = (shares[0] * sides.winner[:, places] - shares[1] * sides.loser[:, places]) * value
    codes = pairs.group if by is not None else np.zeros(len(pairs), np.int32)
    groups = pairs.groups if by is not None else (EVERYONE,)
    known = [code for code in range(len(groups)) if (codes == code).any()]
    if not known:
        raise InputError(f"no judgment says its {by!r}")
    return Profiles(
        tuple(groups[code] for code in known),
        tuple(model.names_[place] for place in places),
        np.stack([weight[codes == code].mean(axis=0) for code in known]),
        np.stack([moved[codes == code].mean(axis=0) for code in known]),
        np.array([int((codes == code).sum()) for code in known]),
    )
