"""The link with ties of Davidson."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llull.errors import InputError
from llull.judgments.views import Pairs
from llull.models.links.link import Link, read_ties
from llull.models.links.logistic import check_reading
from llull.models.votes import Votes


@dataclass(frozen=True)
class DavidsonTies(Link):
    """Win, tie and loss in proportion to exp(d/2), nu and exp(-d/2), where d = u(a) - u(b) (Davidson, 1970).

    ``theta`` is log nu; nu > 0 is twice the odds of a tie against a decision between equals.

    Args:
        leave_out: verdicts whose ties are left out, such as ``("both_bad",)``.
    """

    leave_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_reading("half", self.leave_out)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Log nu."""
        return ("log_nu",)

    @property
    def convex(self) -> bool:
        """Yes."""
        return True

    def start(self) -> np.ndarray:
        """Log nu = 0: float64 [1]."""
        return np.zeros(1)

    def keep(self, pairs: Pairs) -> np.ndarray:
        """Which pairs are read at all: bool [n]."""
        return read_ties(pairs, "half", self.leave_out)

    def check(self, votes: Votes) -> None:
        """Raise InputError unless there are both ties and decisions."""
        tied = float(votes.weight[votes.tie].sum())
        if not 0 < tied < float(votes.weight.sum()):
            there = "only ties" if tied else "no ties"
            raise InputError(f"there are {there} among these pairs, so nu has no estimate; use the Logistic link")

    def loss(self, margin: np.ndarray, tie: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Minus the log-likelihood [n], and its gradient in d and log nu [n, 2]."""
        total = np.logaddexp(np.logaddexp(margin / 2, -margin / 2), theta[0])
        win, tied, lost = self.outcomes(margin, theta).T
        value = total - np.where(tie, theta[0], margin / 2)
        return value, np.stack([(win - lost) / 2 - 0.5 * ~tie, tied - tie], axis=1)

    def hessian(self, margin: np.ndarray, tie: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """Covariance of the sufficient statistics (d's sign / 2, tie): [n, 2, 2]."""
        win, tied, lost = self.outcomes(margin, theta).T
        lead = win - lost
        cross = -tied * lead / 2
        # win + lost - lead^2, in a form that does not cancel when one side is nearly sure to win.
        spread = 4 * win * lost + tied * (win + lost)
        return np.stack([spread / 4, cross, cross, tied * (win + lost)], axis=1).reshape(-1, 2, 2)

    information = hessian

    def outcomes(self, margin: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """Win, tie, loss [n, 3]."""
        parts = np.stack([margin / 2, np.full_like(margin, theta[0]), -margin / 2], axis=1)
        parts = np.exp(parts - parts.max(axis=1, keepdims=True))
        return parts / parts.sum(axis=1, keepdims=True)
