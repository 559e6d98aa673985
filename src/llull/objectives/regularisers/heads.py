"""A linear head on hidden states, made as wide as they are."""

from __future__ import annotations

from torch import Tensor, nn

from llull.errors import InputError
from llull.objectives.axes import Part
from llull.objectives.batch import Batch


class HiddenHead(Part):
    """A linear map of the policy's last hidden state at an option's end.

    Args:
        outputs: numbers that it gives.
        width: numbers of a hidden state; if not given, it is told by `widen`.
    """

    def __init__(self, outputs: int, width: int | None = None) -> None:
        super().__init__()
        self.outputs = outputs
        self.linear = None if width is None else nn.Linear(width, outputs)

    def widen(self, width: int) -> None:
        """Make the map, if it was not given a width."""
        if self.linear is None:
            self.linear = nn.Linear(width, self.outputs)

    def forward(self, hidden: Tensor) -> Tensor:
        """From [n, width] to [n, outputs].

        Raises:
            InputError: if hidden states have another width.
        """
        if self.linear is None:
            raise ValueError("a head on hidden states was not told their width: call widen first")
        if hidden.shape[1] != self.linear.in_features:
            raise InputError(f"width: hidden states have {hidden.shape[1]} numbers, not {self.linear.in_features}")
        return self.linear(hidden.to(self.linear.weight.dtype))


def hidden_states(batch: Batch) -> Tensor:
    """The hidden states [n, width] of a batch, which must have them."""
    if batch.options.hidden is None:
        raise ValueError("a head reads hidden states, and the batch has none")
    return batch.options.hidden
