"""The logistic link: Bradley-Terry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit

from llull.errors import InputError
from llull.judgments.record import VERDICTS
from llull.judgments.views import Pairs
from llull.models.links.link import Link, read_ties
from llull.models.votes import Votes


@dataclass(frozen=True)
class Logistic(Link):
    """P(a preferred to b) = 1 / (1 + exp(-(u(a) - u(b)))) (Bradley and Terry, 1952).

    Args:
        ties: ``"half"`` reads a tie as half a win for each side, ``"drop"`` leaves ties out.
        leave_out: verdicts whose ties are left out, such as ``("both_bad",)``. By default a tie is a tie,
            whether both were good or both bad. A judgment with verdict ``cannot_judge`` makes no pair.
    """

    ties: Literal["half", "drop"] = "half"
    leave_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_reading(self.ties, self.leave_out)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """None."""
        return ()

    @property
    def convex(self) -> bool:
        """Yes."""
        return True

    def start(self) -> np.ndarray:
        """It has no parameters: float64 [0]."""
        return np.empty(0)

    def keep(self, pairs: Pairs) -> np.ndarray:
        """Which pairs are read at all: bool [n]."""
        return read_ties(pairs, self.ties, self.leave_out)

    def check(self, votes: Votes) -> None:
        """Any votes will do."""

    def loss(self, margin: np.ndarray, tie: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """log(1 + exp(-margin)), and half of it for each side in a tie; with its gradient [n, 1]."""
        lost = 0.5 * tie
        # One exponential serves both, and none overflows.
        small = np.exp(-np.abs(margin))
        wrong = np.where(margin > 0, small, 1.0) / (1.0 + small)
        return np.log1p(small) - np.minimum(margin, 0.0) + lost * margin, (lost - wrong)[:, None]

    def hessian(self, margin: np.ndarray, tie: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """p (1 - p): [n, 1, 1]."""
        return (expit(margin) * expit(-margin))[:, None, None]

    information = hessian

    def outcomes(self, margin: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """Win, tie, loss [n, 3]; ties are not modeled and have probability 0."""
        return np.stack([expit(margin), np.zeros_like(margin), expit(-margin)], axis=1)


def check_reading(ties: str, leave_out: tuple[str, ...]) -> None:
    """Raise InputError unless this is a way of reading ties."""
    if ties not in ("half", "drop"):
        raise InputError(f"ties={ties!r} is not a way to read ties; give 'half' or 'drop'")
    if unknown := [verdict for verdict in leave_out if verdict not in VERDICTS]:
        raise InputError(f"leave_out names {unknown[0]!r}, which is no verdict; there is {', '.join(VERDICTS)}")
