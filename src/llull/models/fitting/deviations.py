"""Shared weights and each member's deviation from them, fitted together.

The objective, over shared weights w [p], parameters theta of the link and deviations u_a [p]:

    sum_i weight_i * loss(x_i (w + u_a(i)) - lead_i, tie_i, theta)  +  l2 / 2 * |w|^2  +  shrinkage / 2 * sum_a |u_a|^2

Its Hessian is an arrow: each member's block meets only its own deviation and the shared block. Newton's step
therefore needs one solve for each member, of the size of its votes or of p, whichever is less, and one of size p + k.
With M = D^(1/2) X_a (D the curvature of the member's votes), K = M M^T and t the shrinkage, what is left of
the shared block is

    M^T M - M^T M (M^T M + t)^-1 M^T M = M^T T M,      T = t (K + t)^-1 = 1 - M (M^T M + t)^-1 M^T.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from llull.models.fitting.newton import Solution, minimize
from llull.models.fitting.weights import TOLERANCE, Factor, weighted_gram
from llull.models.links.link import Likelihood
from llull.models.votes import Votes

_TINY = 1e-150


@dataclass
class _Arrow:
    """The Hessian at one point, ready to be solved for."""

    root: np.ndarray
    """[n]: square roots of the curvature of each vote in its margin"""
    mixed: np.ndarray
    """[n, k]: curvature between margin and theta, over ``root``"""
    inner: list[tuple[np.ndarray, bool]]
    """Cholesky factor for each member"""
    schur: np.ndarray
    """[p + k, p + k]: the shared block without what the deviations take up, penalty included"""
    factor: Factor


class DeviationObjective:
    """The objective above, for `minimize`; x is w, theta, and the deviations one after another."""

    def __init__(
        self, contrasts: np.ndarray, votes: Votes, link: Likelihood, l2: float, shrinkage: float, members: int
    ) -> None:
        """Take contrasts [n, p] of votes with ``member`` in 0..members-1, or -1 for no deviation."""
        order = np.argsort(votes.member, kind="stable")
        self.contrasts, self.link = contrasts[order], link
        self.tie, self.weight, self.member = votes.tie[order], votes.weight[order], votes.member[order]
        self.lead = None if votes.lead is None else votes.lead[order]
        bounds = np.searchsorted(self.member, np.arange(members + 1))
        self.slices = [slice(int(a), int(b)) for a, b in pairwise(bounds)]
        self.loners = slice(0, int(bounds[0]))
        self.l2, self.shrinkage = l2, shrinkage
        self.columns, self.extra, self.members = contrasts.shape[1], len(link.parameter_names), members

    def split(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Shared weights [p], theta [k] and deviations [members, p]."""
        shared = self.columns + self.extra
        return x[: self.columns], x[self.columns : shared], x[shared:].reshape(self.members, self.columns)

    def margins(self, x: np.ndarray) -> np.ndarray:
        """Margin of each vote beyond its lead [n], in order of members."""
        w, _, deviations = self.split(x)
        margin = self.contrasts @ w
        for which, own in zip(self.slices, deviations, strict=True):
            margin[which] += self.contrasts[which] @ own
        return margin if self.lead is None else margin - self.lead

    def value_and_gradient(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Its value and gradient."""
        w, theta, deviations = self.split(x)
        loss, slope = self.link.loss(self.margins(x), self.tie, theta)
        slope = slope * self.weight[:, None]
        value = self.weight @ loss + 0.5 * self.l2 * (w @ w) + 0.5 * self.shrinkage * (deviations**2).sum()
        own = self.shrinkage * deviations
        for a, which in enumerate(self.slices):
            own[a] += slope[which, 0] @ self.contrasts[which]
        shared = slope[:, 0] @ self.contrasts + self.l2 * w
        return float(value), np.concatenate([shared, slope[:, 1:].sum(axis=0), own.ravel()])

    def curvature(self, x: np.ndarray) -> _Arrow:
        """The Hessian; the information where the link is not convex."""
        second_of = self.link.hessian if self.link.convex else self.link.information
        second = second_of(self.margins(x), self.tie, self.split(x)[1]) * self.weight[:, None, None]
        root = np.sqrt(second[:, 0, 0])
        mixed = second[:, 0, 1:] / np.maximum(root, _TINY)[:, None]
        p = self.columns
        schur = np.zeros((p + self.extra, p + self.extra))
        schur[np.arange(p), np.arange(p)] = self.l2
        schur[p:, p:] = second[:, 1:, 1:].sum(axis=0) - mixed.T @ mixed
        lone = np.concatenate([root[self.loners, None] * self.contrasts[self.loners], mixed[self.loners]], axis=1)
        schur += weighted_gram(lone, np.ones(len(lone)))
        inner = []
        for which in self.slices:
            scaled = root[which, None] * self.contrasts[which]
            gram = scaled @ scaled.T if len(scaled) <= p else scaled.T @ scaled
            inner.append(cho_factor(gram + self.shrinkage * np.eye(len(gram))))
            both = np.concatenate([scaled, mixed[which]], axis=1)
            schur += both.T @ self._take_up(inner[-1], scaled, both)
        return _Arrow(root, mixed, inner, schur, Factor((schur + schur.T) / 2))

    def direction(self, curvature: _Arrow, gradient: np.ndarray) -> np.ndarray:
        """Solve Hessian * direction = gradient, by the Schur complement of the members' blocks."""
        shared = gradient[: self.columns + self.extra].copy()
        own = gradient[self.columns + self.extra :].reshape(self.members, self.columns)
        for a, which in enumerate(self.slices):
            scaled, both = self._scaled(curvature, which)
            shared -= both.T @ (scaled @ self._solve_own(curvature.inner[a], scaled, own[a]))
        step = curvature.factor.solve(shared)
        steps = np.empty_like(own)
        for a, which in enumerate(self.slices):
            scaled, both = self._scaled(curvature, which)
            steps[a] = self._solve_own(curvature.inner[a], scaled, own[a] - scaled.T @ (both @ step))
        return np.concatenate([step, steps.ravel()])

    def evidence(self, curvature: _Arrow) -> list[np.ndarray]:
        """For each member a matrix E [r, p] with E^T E = X_a^T D X_a, r at most p."""
        scaled = [self._scaled(curvature, which)[0] for which in self.slices]
        return [rows if len(rows) <= self.columns else np.asarray(np.linalg.qr(rows, mode="r")) for rows in scaled]

    def fit(self, start: np.ndarray, curvature: _Arrow | None = None, tolerance: float = TOLERANCE) -> Solution[_Arrow]:
        """Minimize from ``start``."""
        return minimize(self, start, tolerance=tolerance * float(self.weight.sum()), curvature=curvature)

    def _scaled(self, curvature: _Arrow, which: slice) -> tuple[np.ndarray, np.ndarray]:
        scaled = curvature.root[which, None] * self.contrasts[which]
        return scaled, np.concatenate([scaled, curvature.mixed[which]], axis=1)

    def _take_up(self, inner: tuple[np.ndarray, bool], scaled: np.ndarray, right: np.ndarray) -> np.ndarray:
        """T times a right-hand side [n_a] or [n_a, q]."""
        if len(scaled) <= self.columns:
            return self.shrinkage * cho_solve(inner, right)
        return right - scaled @ cho_solve(inner, scaled.T @ right)

    def _solve_own(self, inner: tuple[np.ndarray, bool], scaled: np.ndarray, right: np.ndarray) -> np.ndarray:
        """(M^T M + t)^-1 times a right-hand side [p]."""
        if len(scaled) <= self.columns:
            return (right - scaled.T @ cho_solve(inner, scaled @ right)) / self.shrinkage
        return cho_solve(inner, right)
