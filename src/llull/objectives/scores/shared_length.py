"""The log-ratio with what the longer option says beyond the shorter one turned down."""

from __future__ import annotations

import torch
from torch import Tensor

from llull.errors import InputError
from llull.objectives.axes import Needs
from llull.objectives.batch import Batch, PairUnits
from llull.objectives.scores.log_ratio import LogRatio


class SharedLengthRatio(LogRatio):
    """Beta times the log-ratio of a pair's first min(|w|, |l|) tokens, plus alpha times that of the tokens beyond.

    Policy and reference are treated alike (LD-DPO; Liu et al. 2024). Outside a pair it is the plain log-ratio.

    Args:
        beta: strength of the pull to the reference.
        alpha: in [0, 1], what a token beyond the shared length counts; 1 is the plain log-ratio.
    """

    needs = Needs(reference=True, tokens=True)

    def __init__(self, beta: float = 0.1, alpha: float = 0.5) -> None:
        super().__init__(beta)
        if not 0 <= alpha <= 1:
            raise InputError(f"alpha: tokens beyond the shared length count from 0 to 1, not {alpha:g}")
        self.alpha = alpha

    def pair(self, batch: Batch, units: PairUnits) -> tuple[Tensor, Tensor]:
        """[m], [m]"""
        tokens = batch.options.tokens
        if tokens is None or tokens.reference is None:
            raise ValueError("shared lengths are counted in tokens, and the batch has no scores of single tokens")
        n = len(batch.options)
        ratio = self.beta * (tokens.policy - tokens.reference)
        # One running sum over the tokens in the order of their options; each option's tokens keep their own order.
        order = torch.argsort(tokens.option, stable=True)
        length = torch.bincount(tokens.option, minlength=n)
        first = length.cumsum(0) - length
        running = torch.cat([ratio.new_zeros(1), ratio[order].cumsum(0)])
        shared = torch.minimum(length[units.chosen], length[units.rejected])

        def worth(option: Tensor) -> Tensor:
            start = running[first[option]]
            until = running[first[option] + shared] - start
            whole = running[first[option] + length[option]] - start
            return until + self.alpha * (whole - until)

        return worth(units.chosen), worth(units.rejected)

    def formula(self) -> tuple[str, ...]:
        """Three lines; ``until(y, k)`` is the log-ratio of the first k tokens of y."""
        return (
            f"s(y) = {self.beta:g} * (until(y, shared) + {self.alpha:g} * (until(y, length(y)) - until(y, shared)))",
            "shared = min(length(w), length(l))",
        )
