"""The mean log-ratio of calibration samples, raised or lowered."""

from __future__ import annotations

from torch import Tensor

from llull.errors import InputError
from llull.objectives.axes import Needs, Regulariser
from llull.objectives.batch import Batch, SingleUnits, Units


class CalibrationValue(Regulariser):
    """log policy - log reference of samples of a fixed calibration distribution, times a weight of either sign.

    With the reward as beta times the log-ratio plus a constant, minus beta times its mean under the calibration
    distribution is the optimal value of that reward. A positive weight therefore asks for a reward of high value
    (optimism), a negative one for a reward of low value (pessimism); Cen et al. 2024.

    Args:
        weight: of the term; its sign decides.
        of: the units' name.
    """

    def __init__(self, weight: float, of: str = "calibration") -> None:
        super().__init__(of, weight)
        self.needs = Needs(reference=True, units=frozenset({of}))

    def forward(self, batch: Batch, units: Units) -> Tensor:
        """[u]"""
        if not isinstance(units, SingleUnits):
            raise InputError(
                f"units {self.of!r}: calibration samples are options judged alone, not {type(units).__name__}"
            )
        return batch.options.ratio[units.option]

    def formula(self) -> tuple[str, ...]:
        """One line; the name of the units stands for an option."""
        return (f"loss += {self.weight:g} * (policy({self.of}) - reference({self.of}))",)
