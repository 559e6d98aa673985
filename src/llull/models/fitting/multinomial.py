"""Multinomial logistic regression on shares: how likely each of a few kinds is in a context."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from llull.models.votes import HELD_OUT

_STRENGTHS = np.logspace(1, -4, 6)
"""Of the penalty, per unit of weight."""
_FEWEST = 5
"""Rows held out, at least, to choose a strength on; with fewer the strongest is taken."""


def multinomial(rows: np.ndarray, counts: np.ndarray, seed: int, unit: np.ndarray | None = None) -> np.ndarray:
    """The weights W with the least  -sum_ck counts_ck log softmax(rows_c W)_k  +  strength / 2 |W|^2.

    The strength is the one under which the counts of a fifth of the units are likeliest.

    Args:
        rows: float64 [c, e]: features of contexts, standardized.
        counts: float64 [c, k]: of each kind; also shares.
        seed: of the split.
        unit: int [c]: rows of one unit are on one side of the split; each row is its own unit if not given.

    Returns:
        float64 [e + 1, k]; the last row is for a constant, which is not penalized.
    """
    known, codes = np.unique(np.arange(len(rows)) if unit is None else unit, return_inverse=True)
    chosen = np.zeros(len(known), bool)
    chosen[np.random.default_rng(seed).permutation(len(known))[: round(HELD_OUT * len(known))]] = True
    out = chosen[codes]
    strengths = _STRENGTHS * counts.sum()
    if chosen.sum() < _FEWEST:
        return _fit(rows, counts, float(strengths[0]))
    tried = [_fit(rows[~out], counts[~out], float(strength)) for strength in strengths]
    losses = [-(counts[out] * log_softmax(with_constant(rows[out]) @ found, axis=1)).sum() for found in tried]
    return _fit(rows, counts, float(strengths[int(np.argmin(losses))]))


def with_constant(rows: np.ndarray) -> np.ndarray:
    """Rows with a one behind them: [c, e + 1]."""
    return np.hstack([rows, np.ones((len(rows), 1))])


def _fit(rows: np.ndarray, counts: np.ndarray, strength: float) -> np.ndarray:
    wide, shape = with_constant(rows), (rows.shape[1] + 1, counts.shape[1])
    penalty = np.full((shape[0], 1), strength)
    penalty[-1] = 1e-6
    total = counts.sum(axis=1, keepdims=True)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(shape)
        scores = wide @ weights
        value = -(counts * log_softmax(scores, axis=1)).sum() + 0.5 * (penalty * weights**2).sum()
        slope = wide.T @ (total * softmax(scores, axis=1) - counts) + penalty * weights
        return float(value), slope.ravel()

    return minimize(loss, np.zeros(shape[0] * shape[1]), jac=True, method="L-BFGS-B").x.reshape(shape)
