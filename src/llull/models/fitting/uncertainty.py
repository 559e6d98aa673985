"""How far the votes leave a margin undetermined."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from llull.models.fitting.part import Part


def margin_variance(contrasts: np.ndarray, part: Part, shared: Part | None) -> np.ndarray:
    """Variance of ``contrasts @ weights`` [n] under the Laplace approximation.

    For a member drawn to a shared part, with v = w + u, evidence E and shrinkage t, the posterior of v given w has
    precision E^T E + t and moves with w by t (E^T E + t)^-1, so for a contrast x and y = t (E^T E + t)^-1 x

        var(x v) = x (E^T E + t)^-1 x + y cov(w) y.

    It is computed in the r votes of the member instead of the p weights, by
    t (E^T E + t)^-1 = 1 - E^T (E E^T + t)^-1 E.
    """
    if part.covariance.size or shared is None:
        return _quadratic(contrasts, part.covariance)
    evidence, strength = part.evidence.astype(np.float64), part.shrinkage
    inner = cho_factor(evidence @ evidence.T + strength * np.eye(len(evidence)))
    moved = contrasts - cho_solve(inner, evidence @ contrasts.T).T @ evidence
    own = np.einsum("nd,nd->n", contrasts, moved) / strength
    return np.maximum(own, 0) + _quadratic(moved, shared.covariance)


def _quadratic(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return np.maximum(np.einsum("nd,nd->n", rows @ matrix, rows), 0)
