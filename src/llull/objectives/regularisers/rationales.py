"""The likelihood of a rationale, seen through a logistic that loses its pull once the rationale is likely."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import logsigmoid

from llull.errors import InputError
from llull.objectives.axes import Needs, Regulariser
from llull.objectives.batch import Batch, SingleUnits, Units


class LogisticLikelihood(Regulariser):
    """-log sigmoid(scale * mean token log-probability) of options judged alone.

    The mean instead of the sum keeps a long rationale from saturating it.

    Args:
        of: the units' name.
        scale: gamma, inside the logistic.
        weight: of the term.
    """

    def __init__(self, of: str, scale: float = 0.1, weight: float = 1.0) -> None:
        super().__init__(of, weight)
        self.scale = scale
        self.needs = Needs(units=frozenset({of}))

    def forward(self, batch: Batch, units: Units) -> Tensor:
        """[u]"""
        if not isinstance(units, SingleUnits):
            raise InputError(f"units {self.of!r} are options judged alone, not {type(units).__name__}")
        mean = batch.options.policy / batch.options.lengths
        return -logsigmoid(self.scale * mean[units.option])

    def formula(self) -> tuple[str, ...]:
        """One line; the name of the units stands for an option."""
        return (f"loss += {self.weight:g} * -log(sigmoid({self.scale:g} * policy({self.of}) / length({self.of})))",)
