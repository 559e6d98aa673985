"""A further comparison inside one link: a linear combination of scores of the options of a unit."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from llull.errors import InputError
from llull.objectives.axes import Needs, PairLink, Regulariser, Score
from llull.objectives.batch import Batch, Units


class LinearContrast(Regulariser):
    """link(sum_k c_k s_k, 0) of units with as many options as there are coefficients.

    Coefficients (1, -1) compare two options, a pair; (1, -1, -1, 1) compare the margins of two pairs, given as a list
    of four options.

    Args:
        of: the units' name.
        weight: of the term.
        score: of options.
        link: of the sum.
        coefficients: one for each option of a unit.
    """

    def __init__(self, of: str, weight: float, score: Score, link: PairLink, coefficients: Sequence[float]) -> None:
        super().__init__(of, weight)
        self.score, self.link = score, link
        self.coefficients = tuple(float(c) for c in coefficients)
        self.needs = Needs(units=frozenset({of}))
        self.kind = "pairs" if len(self.coefficients) == 2 else "lists"

    def forward(self, batch: Batch, units: Units) -> Tensor:
        """[u]"""
        option = units.options
        if option.shape[1] != len(self.coefficients) or bool((option < 0).any()):
            raise InputError(f"units {self.of!r} need {len(self.coefficients)} options each")
        scores = self.score(batch)[option]
        lead = scores @ scores.new_tensor(self.coefficients)
        return self.link(lead, torch.zeros_like(lead))

    def formula(self) -> tuple[str, ...]:
        """One line; the units' name lists its options."""
        terms = " + ".join(f"{c:g} * s({self.of}[{k}])" for k, c in enumerate(self.coefficients))
        return (f"loss += {self.weight:g} * link({terms}, 0)",)
