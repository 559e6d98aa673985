"""Utilities made into rewards: how likely an option is to beat what a reference policy gives in the same context.

A utility of the Bradley-Terry kind has no origin and no bound: an optimizer gains as much from an option that is
already good as from one that is bad, and most from where the model errs. Both transforms here are centered by
references of the same context, and flat above them. Neither changes the order of a context's options.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import expit, log_expit

from llull.errors import InputError

QUANTILE = 0.85
"""Of the references' utilities, above which an option counts as good (Wang et al., 2024, section 3)."""


def reference_level(
    reference: np.ndarray, reference_context: np.ndarray, context: np.ndarray, quantile: float = QUANTILE
) -> np.ndarray:
    """The utility to beat in each context: a quantile of its references' utilities.

    One level for all contexts would lose most of the effect: utilities of different contexts are not comparable.

    Args:
        reference: float [m], utilities of samples of the reference policy.
        reference_context: integer [m], the context of each.
        context: integer [n], the contexts asked for.
        quantile: in [0, 1], with linear interpolation.

    Returns:
        float64 [n].

    Raises:
        InputError: a context has no reference.
    """
    if not 0 <= quantile <= 1:
        raise InputError(f"quantile={quantile} is not between 0 and 1")
    place, start, ordered = _by_context(reference, reference_context, context)
    at = quantile * (start[place + 1] - start[place] - 1)
    below = np.floor(at).astype(np.int64)
    low = ordered[start[place] + below]
    high = ordered[start[place] + np.ceil(at).astype(np.int64)]
    return low + (at - below) * (high - low)


def log_sigmoid_centered(utility: np.ndarray, level: np.ndarray | float) -> np.ndarray:
    """log sigmoid(u - level), the log-probability of beating an option at that level (Wang et al., 2024, equation 4).

    Steep below the level, flat above it.

    Args:
        utility: float [n], log-odds.
        level: float [n], see `reference_level`.

    Returns:
        float64 [n], at most 0. Its scale is not that of the utility, so a weight of KL has to be chosen anew.

    Examples:
        >>> log_sigmoid_centered(np.array([-10.0, 0.0, 10.0]), 0.0).round(3).tolist()
        [-10.0, -0.693, -0.0]
    """
    return np.asarray(log_expit(np.asarray(utility, np.float64) - level))


def good_in_all(utilities: Sequence[np.ndarray], levels: Sequence[np.ndarray | float]) -> np.ndarray:
    """sum_p log sigmoid(u_p - level_p): the log-probability of being good under every property, a logical AND.

    It takes the properties for independent (Wang et al., 2024, section 4). An option that is bad under one property is
    not saved by being excellent under another, as it is by a sum of utilities. Utilities of different models should
    be calibrated first (see `llull.models.calibrating`).

    Args:
        utilities: for each property, float [n].
        levels: for each property, float [n] or one number.

    Returns:
        float64 [n], at most 0.
    """
    if len(utilities) == 0 or len(utilities) != len(levels):
        raise InputError(f"{len(utilities)} utilities and {len(levels)} levels; give one level for each, at least one")
    return np.sum([log_sigmoid_centered(u, level) for u, level in zip(utilities, levels, strict=True)], axis=0)


def chance_to_beat(
    utility: np.ndarray,
    context: np.ndarray,
    reference: np.ndarray,
    reference_context: np.ndarray,
    steepness: float = 1.0,
) -> np.ndarray:
    """mean_m sigmoid(k (u - u_m)) over the context's references m (preference as reward, Fu et al., 2025).

    Bounded, steepest where an option is as good as a reference, flat far above: the model's own probability of
    beating a reference. It delays the climb to where the model errs, and does not abolish it. Where all samples beat
    all references it teaches nothing; take new references then.

    Of one person's utilities it makes rewards on a scale that all people share, however decided their judgments are
    (reward scaling of VPL, Poddar et al., 2024): a person is not heard more for being surer.

    Args:
        utility: float [n], log-odds.
        context: integer [n].
        reference: float [m], of the same model. One for each context does nearly as well as ten.
        reference_context: integer [m].
        steepness: k, above 0.

    Returns:
        float64 [n] in [0, 1].

    Raises:
        InputError: a context has no reference.
    """
    if not steepness > 0:
        raise InputError(f"steepness={steepness} is not above 0, and would turn the order of options round")
    place, start, ordered = _by_context(reference, reference_context, context)
    size = start[place + 1] - start[place]
    total = np.zeros(len(place))
    # One round for each rank among a context's references, of which there are few.
    for rank in range(int(size.max(initial=0))):
        has = rank < size
        total[has] += expit(steepness * (np.asarray(utility, np.float64)[has] - ordered[start[place[has]] + rank]))
    return total / size


def _by_context(
    reference: np.ndarray, reference_context: np.ndarray, context: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where each context's references are, [n], starts [c + 1], and the references by context and size."""
    reference, owner = np.asarray(reference, np.float64), np.asarray(reference_context)
    if not np.isfinite(reference).all():
        raise InputError(f"{int((~np.isfinite(reference)).sum())} references have a utility that is no finite number")
    order = np.lexsort((reference, owner))
    known, first = np.unique(owner[order], return_index=True)
    place = np.searchsorted(known, context)
    missing = np.ones(len(place), bool) if len(known) == 0 else known[np.minimum(place, len(known) - 1)] != context
    if missing.any():
        raise InputError(f"{int(missing.sum())} of {len(place)} options are of contexts without references")
    return place, np.append(first, len(owner)), reference[order]
