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

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from llull.models.fitting.newton import Solution, minimize
from llull.models.fitting.weights import TOLERANCE, Factor, weighted_gram
from llull.models.links.link import Likelihood
from llull.models.votes import Votes

_TINY = 1e-150
_ONE_BY_ONE = 64
"""Votes above which a member is not put together with members of a few votes less."""
_ROOM = 2_000_000
"""Numbers in the rows of members that are handled together."""


@dataclass(frozen=True)
class _Batch:
    """Members with as many rows each, the last of which may be empty."""

    members: np.ndarray
    """int [b]"""
    rows: slice
    """b * length rows, those of a member one after another."""
    length: int

    def shape(self, values: np.ndarray) -> np.ndarray:
        """A row for each vote as [b, length, ...]."""
        return values[self.rows].reshape(len(self.members), self.length, *values.shape[1:])


@dataclass
class _Arrow:
    """The Hessian at one point, ready to be solved for."""

    root: np.ndarray
    """[n]: square roots of the curvature of each vote in its margin"""
    mixed: np.ndarray
    """[n, k]: curvature between margin and theta, over ``root``"""
    inner: list[np.ndarray]
    """For each batch, inverses of the lower Cholesky factors of its members: [b, m, m]"""
    schur: np.ndarray
    """[p + k, p + k]: the shared block without what the deviations take up, penalty included"""
    factor: Factor


class DeviationObjective:
    """The objective above, for `minimize`; x is w, theta, and the deviations one after another.

    Members with about as many votes are handled together, their rows filled up with empty ones of weight 0, so
    that thousands of members cost what their votes cost.
    """

    def __init__(
        self, contrasts: np.ndarray, votes: Votes, link: Likelihood, l2: float, shrinkage: float, members: int
    ) -> None:
        """Take contrasts [n, p] of votes with ``member`` in 0..members-1, or -1 for no deviation."""
        self.link, self.l2, self.shrinkage = link, l2, shrinkage
        self.columns, self.extra, self.members = contrasts.shape[1], len(link.parameter_names), members
        self.place, self.batches, self.loners = _arranged(votes.member, members, self.columns)
        real = self.place >= 0
        self.contrasts = contrasts[self.place]
        self.contrasts[~real] = 0.0
        self.tie, self.weight = votes.tie[self.place], np.where(real, votes.weight[self.place], 0.0)
        self.lead = None if votes.lead is None else np.where(real, votes.lead[self.place], 0.0)

    def split(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Shared weights [p], theta [k] and deviations [members, p]."""
        shared = self.columns + self.extra
        return x[: self.columns], x[self.columns : shared], x[shared:].reshape(self.members, self.columns)

    def margins(self, x: np.ndarray) -> np.ndarray:
        """Margin of each row beyond its lead [n]: of votes without a member first, then by batches."""
        w, _, deviations = self.split(x)
        margin = np.empty(len(self.contrasts))
        margin[self.loners] = self.contrasts[self.loners] @ w
        for batch in self.batches:
            own = deviations[batch.members] + w
            margin[batch.rows] = (batch.shape(self.contrasts) @ own[:, :, None]).ravel()
        return margin if self.lead is None else margin - self.lead

    def value_and_gradient(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Its value and gradient."""
        w, theta, deviations = self.split(x)
        loss, slope = self.link.loss(self.margins(x), self.tie, theta)
        slope = slope * self.weight[:, None]
        value = self.weight @ loss + 0.5 * self.l2 * (w @ w) + 0.5 * self.shrinkage * (deviations**2).sum()
        own = np.zeros_like(deviations)
        for batch in self.batches:
            own[batch.members] = (batch.shape(slope[:, 0])[:, None, :] @ batch.shape(self.contrasts))[:, 0]
        shared = slope[self.loners, 0] @ self.contrasts[self.loners] + own.sum(axis=0) + self.l2 * w
        own += self.shrinkage * deviations
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
        for batch in self.batches:
            scaled = batch.shape(root)[:, :, None] * batch.shape(self.contrasts)
            turned = scaled.transpose(0, 2, 1)
            gram = scaled @ turned if self._by_votes(batch) else turned @ scaled
            gram[:, np.arange(gram.shape[1]), np.arange(gram.shape[1])] += self.shrinkage
            inner.append(np.linalg.inv(np.linalg.cholesky(gram)))
            both = np.concatenate([scaled, batch.shape(mixed)], axis=2) if self.extra else scaled
            # T of this module's formulas, around both: what is left of the shared block.
            if self._by_votes(batch):
                left = (inner[-1] @ both).reshape(-1, both.shape[2])
                schur += self.shrinkage * (left.T @ left)
            else:
                flat, taken = both.reshape(-1, both.shape[2]), inner[-1] @ (turned @ both)
                taken = taken.reshape(-1, both.shape[2])
                schur += flat.T @ flat - taken.T @ taken
        return _Arrow(root, mixed, inner, schur, Factor((schur + schur.T) / 2))

    def direction(self, curvature: _Arrow, gradient: np.ndarray) -> np.ndarray:
        """Solve Hessian * direction = gradient, by the Schur complement of the members' blocks."""
        p = self.columns
        shared = gradient[: p + self.extra].copy()
        own = gradient[p + self.extra :].reshape(self.members, p)
        for batch, inner in zip(self.batches, curvature.inner, strict=True):
            solved = self._solve_own(batch, inner, curvature.root, own[batch.members])
            seen = self._rows_times(batch, curvature.root, solved)
            back = (seen * batch.shape(curvature.root)).ravel()
            shared[:p] -= back @ self.contrasts[batch.rows]
            shared[p:] -= seen.ravel() @ curvature.mixed[batch.rows]
        step = curvature.factor.solve(shared)
        steps = np.empty_like(own)
        for batch, inner in zip(self.batches, curvature.inner, strict=True):
            root = curvature.root[batch.rows]
            moved = root * (self.contrasts[batch.rows] @ step[:p]) + curvature.mixed[batch.rows] @ step[p:]
            right = own[batch.members] - self._rows_back(batch, curvature.root, moved)
            steps[batch.members] = self._solve_own(batch, inner, curvature.root, right)
        return np.concatenate([step, steps.ravel()])

    def log_evidence(self, x: np.ndarray, curvature: _Arrow) -> float:
        """Log of the likelihood with weights and deviations integrated out, by Laplace, but for a constant.

        It is -value(x) - log|Hessian| / 2 + members p log(shrinkage) / 2, x the optimum and curvature that there.
        """
        value, _ = self.value_and_gradient(x)
        found = -value - 0.5 * float(np.linalg.slogdet(curvature.schur)[1])
        for inner in curvature.inner:
            # In the votes of a member instead of the weights, all other directions have the shrinkage alone.
            diagonal = inner[:, np.arange(inner.shape[1]), np.arange(inner.shape[1])]
            found += 0.5 * diagonal.size * float(np.log(self.shrinkage)) + float(np.log(diagonal).sum())
        return found

    def evidence(self, curvature: _Arrow) -> list[np.ndarray]:
        """For each member a matrix E [r, p] with E^T E = X_a^T D X_a, r at most p."""
        found = [np.empty((0, self.columns))] * self.members
        for batch in self.batches:
            scaled = batch.shape(curvature.root)[:, :, None] * batch.shape(self.contrasts)
            votes = (batch.shape(self.place) >= 0).sum(axis=1)
            for member, rows, count in zip(batch.members.tolist(), scaled, votes.tolist(), strict=True):
                found[member] = rows[:count] if count <= self.columns else np.asarray(np.linalg.qr(rows, mode="r"))
        return found

    def fit(self, start: np.ndarray, curvature: _Arrow | None = None, tolerance: float = TOLERANCE) -> Solution[_Arrow]:
        """Minimize from ``start``."""
        return minimize(self, start, tolerance=tolerance * float(self.weight.sum()), curvature=curvature)

    def _by_votes(self, batch: _Batch) -> bool:
        """Whether members are solved for in their votes, which are fewer than the weights."""
        return batch.length <= self.columns

    def _rows_times(self, batch: _Batch, root: np.ndarray, own: np.ndarray) -> np.ndarray:
        """M times a vector for each member [b, p]: [b, length]."""
        return batch.shape(root) * (batch.shape(self.contrasts) @ own[:, :, None])[:, :, 0]

    def _rows_back(self, batch: _Batch, root: np.ndarray, values: np.ndarray) -> np.ndarray:
        """M^T times a value for each row [b * length]: [b, p]."""
        scaled = (values * root[batch.rows]).reshape(len(batch.members), 1, batch.length)
        return (scaled @ batch.shape(self.contrasts))[:, 0]

    def _solve_own(self, batch: _Batch, inner: np.ndarray, root: np.ndarray, right: np.ndarray) -> np.ndarray:
        """(M^T M + t)^-1 times a right-hand side for each member: [b, p]."""
        if not self._by_votes(batch):
            return _solved(inner, right)
        taken = _solved(inner, self._rows_times(batch, root, right))
        return (right - self._rows_back(batch, root, taken.ravel())) / self.shrinkage


def _solved(inner: np.ndarray, right: np.ndarray) -> np.ndarray:
    return (inner.transpose(0, 2, 1) @ (inner @ right[:, :, None]))[:, :, 0]


def _arranged(member: np.ndarray, members: int, columns: int) -> tuple[np.ndarray, list[_Batch], slice]:
    """Where each row comes from [n], -1 for an empty one; the batches; and the rows of votes without a member."""
    order = np.argsort(member, kind="stable")
    first = np.searchsorted(member[order], np.arange(members + 1))
    votes = np.diff(first)
    lengths = np.array([_length(count) for count in range(min(int(votes.max(initial=0)), _ONE_BY_ONE) + 1)])
    filled = np.where(votes > _ONE_BY_ONE, votes, lengths[np.minimum(votes, _ONE_BY_ONE)])
    places = [order[: int(first[0])]]
    batches: list[_Batch] = []
    begin = len(places[0])
    for those in _together(filled, columns):
        length = int(filled[those[0]])
        offset = np.arange(length)
        at = np.minimum(first[those][:, None] + offset, max(len(order) - 1, 0))
        rows = order[at] if len(order) else np.zeros((len(those), 0), np.int64)
        places.append(np.where(offset < votes[those][:, None], rows, -1).ravel())
        batches.append(_Batch(those, slice(begin, begin + length * len(those)), length))
        begin += length * len(those)
    return np.concatenate(places), batches, slice(0, len(places[0]))


def _length(votes: int) -> int:
    """The rows that a member of so many votes is given: at most a quarter more."""
    step = 1 << max(votes.bit_length() - 3, 0)
    return -(-votes // step) * step


def _together(filled: np.ndarray, columns: int) -> Iterator[np.ndarray]:
    """Members with as many rows, not more at once than there is room for."""
    for length in np.unique(filled).tolist():
        those = np.flatnonzero(filled == length)
        most = max(_ROOM // max(length * max(columns, length), 1), 1)
        for begin in range(0, len(those), most):
            yield those[begin : begin + most]
