"""Weights of options judged alone: by verdict, evened out between verdicts, or by how contexts are distributed."""

from __future__ import annotations

import torch
from torch import Tensor

from llull.errors import InputError
from llull.objectives.axes import Needs, Outcome, Weight
from llull.objectives.batch import Batch, SingleUnits
from llull.objectives.scores.offsets import known_column


class ByVerdict(Weight):
    """One factor for accepted options and one for rejected ones.

    Args:
        accepted: not negative.
        rejected: not negative.
        even: divide by each verdict's share of the data set, so that the sums over either are means over it.
    """

    share: Tensor

    def __init__(self, accepted: float = 1.0, rejected: float = 1.0, even: bool = False) -> None:
        super().__init__()
        if accepted < 0 or rejected < 0:
            raise InputError(f"weights of verdicts must not be negative: {accepted:g}, {rejected:g}")
        self.accepted, self.rejected, self.even = accepted, rejected, even
        # Of accepted options, and of rejected ones; ones leave everything as it is.
        self.register_buffer("share", torch.ones(2))

    def begin(self, everything: Batch) -> None:
        """Count both verdicts."""
        units = everything.main
        if not self.even or not isinstance(units, SingleUnits) or not len(units):
            return
        weight, accept = units.weight.double(), units.accept.double()
        accepted = (weight * accept).sum() / weight.sum().clamp(min=1e-12)
        # Counted exactly, kept in the precision of the weights: not every device has float64.
        self.share = torch.stack([accepted, 1 - accepted]).clamp(min=1e-12).to(units.weight.dtype)

    def forward(self, batch: Batch, outcome: Outcome) -> Tensor:
        """[m]"""
        accept = _verdicts(batch).to(outcome.losses)
        share = self.share.to(accept)
        return accept * self.accepted / share[0] + (1 - accept) * self.rejected / share[1]

    def formula(self) -> tuple[str, ...]:
        """One line."""
        if self.even:
            yes, no = f"{self.accepted:g} / accepted_share", f"{self.rejected:g} / (1 - accepted_share)"
        else:
            yes, no = f"{self.accepted:g}", f"{self.rejected:g}"
        return (f"loss *= accepted * {yes} + (1 - accepted) * {no}",)


class MatchedContexts(Weight):
    """Rejected options count p / (1 - p), p the probability by its context that an option is accepted (BCO).

    So the rejected options' contexts are distributed as those of the accepted ones. p comes from a logistic regression
    on given features of contexts, both verdicts weighing the same, fitted once in `begin`. Clamped to [0.5, 10].

    Args:
        column: features of each option's context, [n] or [n, k].
        ridge: penalty on the regression's squared coefficients, in judgments.
    """

    coefficient: Tensor

    def __init__(self, column: str = "context_features", ridge: float = 1.0) -> None:
        super().__init__()
        if not ridge > 0:
            raise InputError(f"ridge must be positive, not {ridge:g}: separable contexts have no finite fit")
        self.column, self.ridge = column, ridge
        self.needs = Needs(columns=frozenset({column}))
        self.register_buffer("coefficient", torch.zeros(1))

    def begin(self, everything: Batch) -> None:
        """Fit by Newton's method."""
        units = everything.main
        if not isinstance(units, SingleUnits) or not len(units):
            return
        x = self._features(everything).double()[units.option]
        accept, weight = units.accept.double(), units.weight.double()
        yes = (weight * accept).sum().clamp(min=1e-12)
        no = (weight * (1 - accept)).sum().clamp(min=1e-12)
        weight = weight * (accept * weight.sum() / (2 * yes) + (1 - accept) * weight.sum() / (2 * no))
        penalty = self.ridge * torch.ones(x.shape[1], dtype=x.dtype, device=x.device)
        penalty[-1] = 1e-9
        fitted = x.new_zeros(x.shape[1])
        for _ in range(50):
            p = torch.sigmoid(x @ fitted)
            slope = x.T @ (weight * (p - accept)) + penalty * fitted
            curve = (x.T * (weight * p * (1 - p))) @ x + torch.diag(penalty)
            step = torch.linalg.solve(curve, slope)
            fitted = fitted - step
            if bool(step.abs().max() < 1e-10):
                break
        self.coefficient = fitted.to(known_column(everything, self.column).dtype)

    def probability(self, batch: Batch) -> Tensor:
        """p of each option: [n]."""
        return torch.sigmoid(self._features(batch) @ self.coefficient)

    def forward(self, batch: Batch, outcome: Outcome) -> Tensor:
        """[m]"""
        if len(self.coefficient) == 1:
            raise ValueError("contexts are matched over the data set: call begin with it before the first loss")
        units = batch.main
        accept = _verdicts(batch).to(outcome.losses)
        p = self.probability(batch)[units.options[:, 0]].to(outcome.losses)
        return accept + (1 - accept) * (p / (1 - p).clamp(min=1e-12)).clamp(0.5, 10.0)

    def _features(self, batch: Batch) -> Tensor:
        x = known_column(batch, self.column)
        x = x.reshape(len(x), -1)
        return torch.cat([x, torch.ones_like(x[:, :1])], dim=1)

    def formula(self) -> tuple[str, ...]:
        """Two lines; ``acceptable`` is the fitted probability of the option's context."""
        return (
            "loss *= accepted + (1 - accepted) * min(max(odds, 0.5), 10)",
            "odds = acceptable(o) / (1 - acceptable(o))",
        )


def _verdicts(batch: Batch) -> Tensor:
    units = batch.main
    if not isinstance(units, SingleUnits):
        raise TypeError("verdicts are of options judged alone")
    return units.accept
