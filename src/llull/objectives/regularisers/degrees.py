"""A head on the hidden states of the policy that tells how far an answer was degraded."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy

from llull.errors import InputError
from llull.objectives.axes import Needs, Regulariser
from llull.objectives.batch import Batch, SingleUnits, Units
from llull.objectives.regularisers.heads import HiddenHead, hidden_states
from llull.objectives.scores.offsets import known_column


class DegreeHead(Regulariser):
    """Cross-entropy of a linear head on the hidden state at an option's end, over degrees of degradation.

    The gradient reaches the policy through the hidden state; the head itself is thrown away after training.

    Args:
        of: the units' name: degraded copies of chosen, or of rejected options.
        weight: of the term.
        levels: how many degrees there are; the column ``degree`` holds 0 to levels - 1.
        width: of the hidden state; found from the model if not given.
    """

    def __init__(self, of: str, weight: float = 0.1, levels: int = 4, width: int | None = None) -> None:
        super().__init__(of, weight)
        self.needs = Needs(hidden=True, columns=frozenset({"degree"}), units=frozenset({of}))
        self.head = HiddenHead(levels, width)

    def forward(self, batch: Batch, units: Units) -> Tensor:
        """[u]"""
        if not isinstance(units, SingleUnits):
            raise InputError(f"units {self.of!r}: degraded copies are options judged alone, not {type(units).__name__}")
        logits = self.head(hidden_states(batch)[units.option])
        degree = known_column(batch, "degree")[units.option].long()
        return cross_entropy(logits, degree, reduction="none").to(batch.options.policy.dtype)

    def formula(self) -> tuple[str, ...]:
        """One line."""
        return (f"loss += {self.weight:g} * -log(degree_probability({self.of}))",)
