"""The likelihood of what is worth imitating, kept up beside the main loss."""

from __future__ import annotations

import torch
from torch import Tensor

from llull.objectives.axes import Regulariser
from llull.objectives.batch import MAIN, Batch, ListUnits, PairUnits, SingleUnits, Units
from llull.objectives.scores.log_ratio import Reduction, checked_reduction


class ChosenLikelihood(Regulariser):
    """-log policy of a unit's best option: a pair's chosen one, a ranking's first, an option judged alone.

    Where several options are best, it is the mean over them: half of either option of a tied pair, and equal parts of
    a ranking's first tier, wherever in its row that stands. An option judged alone counts as far as it was accepted,
    and a ranking without options not at all.

    Args:
        weight: of the term.
        reduction: ``mean`` over the option's tokens, or their ``sum``.
        of: the units' name; the main ones, or others such as golden answers.
    """

    def __init__(self, weight: float = 1.0, reduction: Reduction = "mean", of: str = MAIN) -> None:
        super().__init__(of, weight)
        self.reduction = checked_reduction(reduction)

    def forward(self, batch: Batch, units: Units) -> Tensor:
        """[u]"""
        options = batch.options
        loss = -options.policy / options.lengths if self.reduction == "mean" else -options.policy
        if isinstance(units, PairUnits):
            chosen, rejected = loss[units.chosen], loss[units.rejected]
            return torch.where(units.tie, (chosen + rejected) / 2, chosen)
        if isinstance(units, ListUnits):
            last = torch.iinfo(units.tier.dtype).max
            tier = units.tier.masked_fill(~units.mask, last)
            best = (units.mask & (tier == tier.amin(dim=1, keepdim=True))).to(loss.dtype)
            return (best * loss[units.option.clamp(min=0)]).sum(dim=1) / best.sum(dim=1).clamp(min=1)
        if isinstance(units, SingleUnits):
            return loss[units.option] * units.accept.to(loss.dtype)
        raise TypeError(f"no best option is known in {type(units).__name__}")

    def formula(self) -> tuple[str, ...]:
        """One line; another name than main stands for its option."""
        best = "w" if self.of == MAIN else self.of
        by = f" / length({best})" if self.reduction == "mean" else ""
        return (f"loss += {self.weight:g} * -policy({best}){by}",)
