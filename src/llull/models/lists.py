"""Scores learned from rankings of several options: list cross-entropy, and the losses of RankList.

RankList (2025) compares an option with those a few places below it (skip-wise), locally or beyond.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

from llull.errors import InputError
from llull.judgments.views import Rankings

Form = Literal["cross_entropy", "pairs", "log_sum"]


@dataclass(frozen=True)
class ListLoss:
    """A loss of scores s of a list of options, best first; one option beats another if its tier is better.

    - ``"log_sum"``: sum_i log(1 + sum_j exp(s_j - s_i)), over the j that i beats within the gaps. Over all gaps and
      without ties this is the Plackett-Luce likelihood.
    - ``"pairs"``: sum_i sum_j log(1 + exp(s_j - s_i)) over the same j. Gap 1 alone compares neighbors (local).
    - ``"cross_entropy"``: -sum_i q_i log softmax(s)_i, with q = softmax(minus the tier) (ListNet's top-one form).

    Ties are no comparison in the first two. The two are the same for lists of two.

    Args:
        form: which of these.
        gaps: how many places below i are compared with it, such as (1, 2, 3); None for all. Widen them to look beyond
            neighbors.
    """

    form: Form = "log_sum"
    gaps: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.form not in ("cross_entropy", "pairs", "log_sum"):
            raise InputError(f"form={self.form!r} is not known; give 'cross_entropy', 'pairs' or 'log_sum'")
        if self.gaps is not None and (not self.gaps or min(self.gaps) < 1):
            raise InputError(f"gaps={self.gaps} compares nothing; give numbers of at least 1, or None for all")

    def __call__(self, scores: np.ndarray, tier: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The loss [r] of lists padded to one length, and its gradient in the scores [r, l].

        Args:
            scores: float64 [r, l], best first.
            tier: int [r, l], 0 best.
            there: bool [r, l], False where a list has ended.
        """
        if self.form == "cross_entropy":
            target = np.exp(log_softmax(np.where(there, -tier.astype(np.float64), -np.inf), axis=1))
            logs = log_softmax(np.where(there, scores, -np.inf), axis=1)
            return -np.where(there, target * np.where(there, logs, 0.0), 0.0).sum(axis=1), np.exp(logs) - target
        beaten = self._beaten(tier, there)
        gap = np.where(beaten, scores[:, None, :] - scores[:, :, None], -np.inf)
        if self.form == "pairs":
            value = np.logaddexp(0.0, gap)
            share = np.exp(gap - value)
            value = value.sum(axis=2)
        else:
            value = np.logaddexp(0.0, np.logaddexp.reduce(gap, axis=2))
            share = np.exp(gap - value[:, :, None])
        return value.sum(axis=1), share.sum(axis=1) - share.sum(axis=2)

    def _beaten(self, tier: np.ndarray, there: np.ndarray) -> np.ndarray:
        """Which j (last axis) each i is compared with: bool [r, l, l]."""
        place = np.arange(tier.shape[1])
        apart = place[None, :] - place[:, None]
        near = apart > 0 if self.gaps is None else np.isin(apart, self.gaps)
        better = tier[:, None, :] > tier[:, :, None]
        return better & near & there[:, :, None] & there[:, None, :]


@dataclass
class ListScorer:
    """Scores x w of options with features x, fitted to rankings.

    It is fitted to the least of ``sum_r weight_r * loss_r + l2 / 2 * sum w^2``, which is convex for each `ListLoss`.

    Args:
        loss: of a list.
        l2: strength of the penalty.
    """

    loss: ListLoss = field(default_factory=ListLoss)
    l2: float = 1.0
    weights_: np.ndarray = field(init=False, repr=False)
    """float64 [d]"""

    def fit(
        self,
        rows: np.ndarray,
        rankings: Rankings,
        *,
        start: np.ndarray | None = None,
        center: np.ndarray | None = None,
    ) -> ListScorer:
        """Fit to features [m, d] of the rankings' options; returns the scorer itself.

        Args:
            rows: features.
            rankings: of these options.
            start: where to begin [d]; at the center if not given.
            center: what w is drawn to [d]; 0 if not given.

        Raises:
            InputError: no ranking puts one option above another.
        """
        option, tier, there = padded(rankings)
        if len(option) == 0 or not (np.where(there, tier, 0).max(axis=1) > 0).any():
            raise InputError("no ranking puts an option above another; there is nothing to learn an order from")

        def objective(weights: np.ndarray) -> tuple[float, np.ndarray]:
            value, slope = self.loss((rows @ weights)[option], tier, there)
            pull = np.bincount(option.ravel(), (slope * rankings.weight[:, None] * there).ravel(), len(rows))
            far = weights - drawn_to
            total = float(rankings.weight @ value + 0.5 * self.l2 * far @ far)
            return total, pull @ rows + self.l2 * far

        drawn_to = np.zeros(rows.shape[1]) if center is None else center
        found = minimize(
            objective,
            drawn_to if start is None else start,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": 2000, "gtol": 1e-8},
        )
        self.weights_ = found.x
        return self

    def score(self, rows: np.ndarray) -> np.ndarray:
        """Scores of options with these features [m, d]: float64 [m]."""
        return rows @ self.weights_


def padded(rankings: Rankings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Options [r, l] and tiers [r, l] of rankings brought to one length, and where they are: bool [r, l]."""
    length = np.diff(rankings.start)
    there = np.arange(int(length.max(initial=0))) < length[:, None]
    option, tier = np.zeros(there.shape, np.int64), np.zeros(there.shape, np.int64)
    # Slices follow one another without gaps, so the filled places, row by row, are the options in order.
    option[there], tier[there] = rankings.option, rankings.tier
    return option, tier, there
