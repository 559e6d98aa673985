"""Options judged alone: accepted or rejected, against a reference point that the whole window or run supplies."""

from __future__ import annotations

import torch
from torch import Tensor

from llull.objectives.axes import Belief, Kind, Link, Needs, Outcome, Part, Score, SingleLink, Structure
from llull.objectives.batch import Batch, SingleUnits


class ReferencePoint(Part):
    """The score that counts as neither good nor bad: 0.

    It has the precision of the scores that it is made of, as not every device has float64; the rounding of a float32
    mean, 1e-7 of it, is that of each score as well.
    """

    value: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("value", torch.zeros(()))

    def note(self, score: Tensor, weight: Tensor) -> dict[str, Tensor]:
        """Sums for `Part.update`, given scores without gradient and the units' weights."""
        return {}


class MismatchedMean(ReferencePoint):
    """max(0, mean score of options put beside contexts that they do not answer), over the window (KTO).

    An estimate of beta * KL(policy || reference) that needs no samples, as far as answers to other contexts stand for
    them (Ethayarajh et al. 2024, section 4.1).

    Args:
        score: the objective's own.
        of: the name of the mismatched units.
    """

    def __init__(self, score: Score, of: str = "mismatched") -> None:
        super().__init__()
        self.score, self.of = score, of
        self.needs = Needs(survey=True, units=frozenset({of}))

    def survey(self, batch: Batch) -> dict[str, Tensor]:
        """The weighted sum of mismatched scores, and of weights."""
        units = batch.units.get(self.of)
        if not isinstance(units, SingleUnits):
            return {}
        score = self.score.single(batch, units).detach()
        weight = units.weight.to(score)
        return {"mismatched_sum": (weight * score).sum(), "mismatched_count": weight.sum()}

    def settle(self, sums: dict[str, Tensor]) -> None:
        """Their mean, not below 0."""
        if "mismatched_sum" in sums:
            mean = sums["mismatched_sum"] / sums["mismatched_count"].clamp(min=1e-12)
            self.value = mean.clamp(min=0.0)


class RunningMean(ReferencePoint):
    """The mean of all scores seen so far, accepted and rejected, without gradient (BCO; Jung et al. 2024).

    A window's losses see the mean up to the window before it.
    """

    seen: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def note(self, score: Tensor, weight: Tensor) -> dict[str, Tensor]:
        """The weighted sum of scores, and of weights."""
        weight = weight.to(score)
        return {"shift_sum": (score * weight).sum(), "shift_count": weight.sum()}

    def update(self, sums: dict[str, Tensor]) -> None:
        """Move the mean by what a window added."""
        if "shift_sum" not in sums:
            return
        count = sums["shift_count"]
        self.seen = self.seen + count
        # By the change of the mean, which is small: sums of all scores would lose the last ones' digits.
        self.value = self.value + (sums["shift_sum"] - self.value * count) / self.seen.clamp(min=1e-12)


class Single(Structure):
    """Each option judged alone gives one loss; a doubtful verdict shares it between acceptance and rejection.

    Args:
        point: the score that is neither good nor bad.
    """

    kind: Kind = "singles"

    def __init__(self, point: ReferencePoint | None = None) -> None:
        super().__init__()
        self.point = point or ReferencePoint()

    def forward(self, batch: Batch, score: Score, link: Link, belief: Belief) -> Outcome:
        """Loss of each option: [m]."""
        units = batch.main
        if not isinstance(units, SingleUnits) or not isinstance(link, SingleLink):
            raise TypeError("a single structure reads SingleUnits through a SingleLink")
        own = score.single(batch, units)
        accept = units.accept.to(own)
        shifted = own - self.point.value.to(own)
        losses = accept * link.accept(shifted) + (1 - accept) * link.reject(shifted)
        return Outcome(losses, None, self.point.note(own.detach(), units.weight))

    def formula(self) -> tuple[str, ...]:
        """``o`` is the option, ``accepted`` 1 or 0, ``point`` the reference point."""
        less = "" if type(self.point) is ReferencePoint else " - point"
        return (f"loss = accepted * accept(s(o){less}) + (1 - accepted) * reject(s(o){less})",)
