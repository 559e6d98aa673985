"""Weights of contrasts by maximum penalized likelihood.

The objective, over weights w [p] and the parameters theta of the link:

    sum_i weight_i * loss(x_i w - lead_i, tie_i, theta)  +  l2 / 2 * sum_j (w_j - center_j)^2

It is a sum over votes, not a mean, so l2 is the precision of a Gaussian prior on w and means the same
whatever the number of votes. ``theta`` is not penalized.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, eigh

from llull.models.fitting.newton import Solution, minimize
from llull.models.links.link import Likelihood
from llull.models.votes import blocks

# Largest entry of the gradient at the optimum, per unit of total weight.
TOLERANCE = 1e-10
# Directions with less than this share of the largest curvature are not determined by the votes.
_FLAT = 1e-11
_MANY = 4_000_000


class NotConverged(RuntimeError):
    """A fit stopped before its optimum; no number from it is given."""


class WeightObjective:
    """The objective above, for `minimize`; x is w followed by theta."""

    def __init__(
        self,
        contrasts: np.ndarray,
        tie: np.ndarray,
        weight: np.ndarray,
        link: Likelihood,
        l2: float,
        center: np.ndarray | None = None,
        lead: np.ndarray | None = None,
    ) -> None:
        """Take contrasts [n, p] (winner minus loser), ties [n], weights [n], the prior's center [p] and leads [n]."""
        self.contrasts, self.tie, self.weight, self.link = contrasts, tie, weight, link
        self.columns = contrasts.shape[1]
        self.center = np.zeros(self.columns) if center is None else center
        self.ridge = np.zeros(self.columns + len(link.parameter_names))
        self.ridge[: self.columns] = l2
        self._lead = lead
        self._factorized: tuple[np.ndarray, Factor] | None = None

    def value_and_gradient(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Its value, and its gradient [p + k]."""
        w, theta = x[: self.columns], x[self.columns :]
        loss, slope = self.link.loss(self._margin(w), self.tie, theta)
        slope = slope * self.weight[:, None]
        gap = w - self.center
        value = float(self.weight @ loss + 0.5 * self.ridge[: self.columns] @ (gap * gap))
        gradient = np.concatenate([slope[:, 0] @ self.contrasts, slope[:, 1:].sum(axis=0)])
        gradient[: self.columns] += self.ridge[: self.columns] * gap
        return value, gradient

    def curvature(self, x: np.ndarray) -> np.ndarray:
        """What steps are measured by: `hessian`, in float32 where there are many votes."""
        return self._curvature(x, self._rough)

    def hessian(self, x: np.ndarray) -> np.ndarray:
        """Second derivatives without the penalty [p + k, p + k], or the information where they are not convex."""
        return self._curvature(x, self.contrasts)

    @cached_property
    def _rough(self) -> np.ndarray:
        # Steps need a curvature of a few digits; the optimum is told by the gradient, which is exact.
        return self.contrasts if self.contrasts.size < _MANY else self.contrasts.astype(np.float32, copy=False)

    def _curvature(self, x: np.ndarray, rows: np.ndarray) -> np.ndarray:
        w, theta = x[: self.columns], x[self.columns :]
        margin = self._margin(w)
        exact = self._assemble(self.link.hessian(margin, self.tie, theta), rows)
        if self.link.convex or _is_positive(exact + np.diag(self.ridge)):
            return exact
        return self._assemble(self.link.information(margin, self.tie, theta), rows)

    def direction(self, curvature: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Solve (curvature + penalty) direction = gradient."""
        # A curvature serves several steps; it is factorized once.
        if self._factorized is None or self._factorized[0] is not curvature:
            self._factorized = (curvature, Factor(curvature + np.diag(self.ridge)))
        return self._factorized[1].solve(gradient)

    def slope(self, x: np.ndarray) -> np.ndarray:
        """Each vote's gradient in its margin and theta [n, 1 + k], times its weight."""
        loss_slope = self.link.loss(self._margin(x[: self.columns]), self.tie, x[self.columns :])[1]
        return loss_slope * self.weight[:, None]

    def _margin(self, w: np.ndarray) -> np.ndarray:
        margin = self.contrasts @ w
        return margin if self._lead is None else margin - self._lead

    def _assemble(self, second: np.ndarray, rows: np.ndarray) -> np.ndarray:
        second = second * self.weight[:, None, None]
        p, size = self.columns, len(self.ridge)
        total = np.zeros((size, size))
        total[:p, :p] = weighted_gram(rows, second[:, 0, 0])
        total[:p, p:] = self.contrasts.T @ second[:, 0, 1:]
        total[p:, :p] = total[:p, p:].T
        total[p:, p:] = second[:, 1:, 1:].sum(axis=0)
        return total

    def fit(
        self, start: np.ndarray | None = None, curvature: np.ndarray | None = None, tolerance: float = TOLERANCE
    ) -> Solution[np.ndarray]:
        """Minimize from ``start`` [p + k], or from the prior's center."""
        if start is None:
            start = np.concatenate([self.center, self.link.start()])
        scale = float(self.weight.sum())
        return minimize(self, start, tolerance=tolerance * scale, curvature=curvature)


def weighted_gram(rows: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Sum of weight_i rows_i rows_i^T: [p, p]."""
    total = np.zeros((rows.shape[1], rows.shape[1]))
    if weight.min(initial=0.0) >= 0:
        for block in blocks(len(rows), rows.shape[1]):
            scaled = rows[block] * np.sqrt(weight[block]).astype(rows.dtype)[:, None]
            # One array times its own transpose takes half the operations of two.
            total += scaled.T @ scaled
        return total
    for block in blocks(len(rows), rows.shape[1]):
        total += (rows[block] * weight[block][:, None]).T @ rows[block]
    return total


class Factor:
    """A symmetric positive semidefinite matrix, ready to be solved for; the shortest solution where it is singular."""

    def __init__(self, matrix: np.ndarray) -> None:
        self._inverse: np.ndarray | None = None
        try:
            self._factor = cho_factor(matrix)
        except LinAlgError:
            self._inverse = inverse(matrix)
            return
        diagonal = np.diag(self._factor[0])
        if len(diagonal) and float(diagonal.min()) ** 2 <= _FLAT * float(diagonal.max()) ** 2:
            self._inverse = inverse(matrix)

    def solve(self, right: np.ndarray) -> np.ndarray:
        """The solution for a right-hand side [p] or [p, q]."""
        return cho_solve(self._factor, right) if self._inverse is None else self._inverse @ right


def inverse(matrix: np.ndarray) -> np.ndarray:
    """Inverse of a symmetric positive semidefinite matrix; zero in the directions in which it is flat."""
    values, vectors = eigh(matrix)
    top = float(values.max(initial=0.0))
    kept = values > _FLAT * top if top > 0 else np.zeros(len(values), bool)
    return (vectors[:, kept] / values[kept]) @ vectors[:, kept].T


def _is_positive(matrix: np.ndarray) -> bool:
    try:
        cho_factor(matrix)
    except LinAlgError:
        return False
    return True
