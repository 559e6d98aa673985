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


@dataclass(frozen=True)
class ShiftedLogistic(Logistic):
    """log(1 + exp(m - margin)): a winner must lead by m = scale * strength, which differs between votes.

    Bradley-Terry with margins: HelpSteer2-Preference (Wang et al., 2024), Beyond the Binary (2024; the strength is how
    far raters agree with the label) and Legend (2024; it is the difference along a direction of hidden states). A
    negative strength, where raters oppose the label or the direction says it is wrong, lets the loser lead. A pair
    whose strength is not known, and a tie, which has no winner to lead, have m = 0. Predictions are those of
    `Logistic`: they are of votes whose strength is not known, and utilities are as large as the margins ask for.

    Args:
        ties: ``"half"`` reads a tie as half a win for each side, ``"drop"`` leaves ties out.
        leave_out: verdicts whose ties are left out, such as ``("both_bad",)``.
        scale: of strengths, in log-odds for each unit.
        least: strengths below this are raised to it, such as 0 for no negative ones; None for no bound.
    """

    scale: float = 1.0
    least: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not np.isfinite(self.scale):
            raise InputError(f"scale={self.scale} is not a number; give the log-odds of a strength of 1")

    def lead(self, pairs: Pairs) -> np.ndarray | None:
        """Scale times strength: float64 [n].

        Raises:
            InputError: a strength is infinite, or no pair says its strength.
        """
        if np.isinf(pairs.strength).any():
            raise InputError("a strength is infinite; a winner cannot lead by so much")
        if np.isnan(pairs.strength).all():
            raise InputError("no judgment says its strength, by which a winner must lead; use the Logistic link")
        strength = pairs.strength if self.least is None else np.maximum(pairs.strength, self.least)
        return self.scale * np.where(pairs.tie, 0.0, np.nan_to_num(strength, nan=0.0))
