"""Logistic losses that read how strongly an option was preferred, not only which one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llull.errors import InputError
from llull.judgments.views import Pairs
from llull.models.links.logistic import Logistic


@dataclass(frozen=True)
class ScaledLogistic(Logistic):
    """`Logistic`, each pair's loss times its strength: scaled Bradley-Terry (HelpSteer2-Preference, Wang et al., 2024).

    A strength m counts like m votes; a pair of strength 0 says nothing and is left out, and one whose strength is not
    known counts once. Predictions are those of `Logistic`. The penalty and the standard errors take strengths for
    votes too, so they should be of the order of 1.

    Args:
        ties: ``"half"`` reads a tie as half a win for each side, ``"drop"`` leaves ties out.
        leave_out: verdicts whose ties are left out, such as ``("both_bad",)``.
    """

    def keep(self, pairs: Pairs) -> np.ndarray:
        """Which pairs are read at all: bool [n]."""
        return super().keep(pairs) & (pairs.strength != 0)

    def weigh(self, pairs: Pairs) -> np.ndarray:
        """Weight times strength; the weight alone where the strength is unknown.

        Raises:
            InputError: a strength is negative; one option cannot be preferred less than the other and win.
        """
        if negative := int((pairs.strength < 0).sum()):
            raise InputError(f"{negative} pairs have a negative strength; give how far the winner is preferred")
        return pairs.weight * np.where(np.isnan(pairs.strength), 1.0, pairs.strength)


class ShiftedLogistic:
    """log(1 + exp(-(margin - m))): a winner must lead by m, which differs between votes (margin Bradley-Terry).

    The loss of votes with margins in HelpSteer2-Preference (Wang et al., 2024), BeyondBinary (2024) and Legend (2024).
    A negative m, where raters oppose the label or a direction says the label is wrong, lets the loser lead. It is no
    probability of a vote, so it is a likelihood for one fit, of `llull.models.fitting.weights.WeightObjective` on
    exactly these votes in this order, and no link of a `PreferenceModel`. A tie has no winner to lead: its m is not
    read.

    Args:
        lead: m, float64 [n], in log-odds; a NaN (strength not known) is 0.
    """

    parameter_names: tuple[str, ...] = ()
    convex = True

    def __init__(self, lead: np.ndarray) -> None:
        self.lead = np.nan_to_num(lead, nan=0.0)
        if not np.isfinite(self.lead).all():
            raise InputError("a margin is infinite; give finite margins, in log-odds")
        self._plain = Logistic()

    def start(self) -> np.ndarray:
        """It has no parameters: float64 [0]."""
        return self._plain.start()

    def loss(self, margin: np.ndarray, tie: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The loss [n], and its gradient [n, 1]."""
        return self._plain.loss(self._short(margin, tie), tie, theta)

    def hessian(self, margin: np.ndarray, tie: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """p (1 - p) at margin - m: [n, 1, 1]."""
        return self._plain.hessian(self._short(margin, tie), tie, theta)

    information = hessian

    def _short(self, margin: np.ndarray, tie: np.ndarray) -> np.ndarray:
        return margin - np.where(tie, 0.0, self.lead)
