"""How far a pair's judgment is believed: as judged, softened, or weighed by who judged."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from llull.errors import InputError
from llull.objectives.axes import Belief
from llull.objectives.batch import Batch, PairUnits

BY_HEART = 0.995
"""Share of training judgments ordered as judged above which nothing is learned about their reliability."""


class AsJudged(Belief):
    """The probability that the annotators gave: p for the judgment, 1 - p for its opposite.

    A plain judgment has p = 1 and the opposite is never computed; with ``soft`` the judgments carry other values
    (soft-preference cross-entropy, as in OSP).

    Args:
        soft: use p at all.
        temperature: p becomes sigmoid(logit(p) / temperature); above 1 for judges that are too sure of themselves,
            below 1 sharpens.
    """

    def __init__(self, soft: bool = False, temperature: float = 1.0) -> None:
        super().__init__()
        if not temperature > 0:
            raise InputError(f"temperature must be positive, not {temperature:g}")
        self.turns, self.temperature = soft, temperature

    def forward(self, units: PairUnits, straight: Tensor, turned: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Shares p and 1 - p: [m], [m]."""
        if turned is None:
            return torch.ones_like(straight), None
        p = units.preferred.to(straight.dtype)
        if self.temperature != 1:
            p = torch.sigmoid(torch.logit(p) / self.temperature)
        return p, 1 - p

    def formula(self) -> tuple[str, ...]:
        """The annotators' probability shares the loss between both orders."""
        if not self.turns:
            return ()
        if self.temperature == 1:
            return ("loss = p * link(s(w), s(l)) + (1 - p) * link(s(l), s(w))",)
        return (
            "loss = q * link(s(w), s(l)) + (1 - q) * link(s(l), s(w))",
            f"q = sigmoid(log(p / (1 - p)) / {self.temperature:g})",
        )


class Smoothed(Belief):
    """Every judgment is wrong with probability ``noise``: shares 1 - noise and noise (cDPO; Mitchell 2023).

    Args:
        noise: in [0, 0.5).
    """

    def __init__(self, noise: float) -> None:
        super().__init__()
        self.noise = checked_noise(noise)

    def forward(self, units: PairUnits, straight: Tensor, turned: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Shares 1 - noise and noise: [m], [m]."""
        return torch.full_like(straight, 1 - self.noise), torch.full_like(straight, self.noise)

    def formula(self) -> tuple[str, ...]:
        """The loss mixes both orders."""
        return (f"loss = {1 - self.noise:g} * link(s(w), s(l)) + {self.noise:g} * link(s(l), s(w))",)


class Debiased(Belief):
    """An unbiased estimate of the loss on clean judgments, ``noise`` of which were flipped.

    Shares (1 - noise) / (1 - 2 noise) and -noise / (1 - 2 noise) (robust DPO; Chowdhury et al. 2024, eq. 12).

    Args:
        noise: in [0, 0.5).
    """

    def __init__(self, noise: float) -> None:
        super().__init__()
        self.noise = checked_noise(noise)

    def forward(self, units: PairUnits, straight: Tensor, turned: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Shares that sum to one, the second negative: [m], [m]."""
        clean = 1 - 2 * self.noise
        return torch.full_like(straight, (1 - self.noise) / clean), torch.full_like(straight, -self.noise / clean)

    def formula(self) -> tuple[str, ...]:
        """The loss takes the wrong order off."""
        n = f"{self.noise:g}"
        return (f"loss = ((1 - {n}) * link(s(w), s(l)) - {n} * link(s(l), s(w))) / (1 - 2 * {n})",)


class Reliability(Belief):
    """Label noise by expectation-maximisation: each annotator is right with a probability learned on the way.

    With p = sigmoid(turned - straight), the model's probability of the judgment, and eta the annotator's reliability,
    the share is w = p eta / (p eta + (1 - p)(1 - eta)), no gradient; after each window eta becomes
    (1 - rate) eta + rate * (mean w of the annotator's judgments in the window). The method is LCPO (RE-PO), 2025.

    A policy that has learned its training judgments by heart confirms their errors, and every eta goes to one. When
    more than `BY_HEART` of a window's judgments are already ordered as judged, a warning is given once; ``ordered``
    holds the running share.

    Args:
        start: reliability before any evidence.
        rate: how far one window moves it; 1 is unstable.
        floor: least reliability; below one half the world would turn round.
    """

    eta: Tensor
    ordered: Tensor

    def __init__(self, start: float = 0.9, rate: float = 0.1, floor: float = 0.5) -> None:
        super().__init__()
        if not 0.5 <= start < 1 or not 0 < rate <= 1:
            raise InputError(f"reliability: start {start:g} must lie in [0.5, 1) and rate {rate:g} in (0, 1]")
        self.start, self.rate, self.floor = start, rate, floor
        self.register_buffer("eta", torch.full((1,), start))
        self.register_buffer("ordered", torch.tensor(0.5))
        self._warned = False

    def begin(self, everything: Batch) -> None:
        """One reliability for each annotator; the last one for judgments by nobody known."""
        units = everything.main
        if isinstance(units, PairUnits) and len(units):
            self.eta = torch.full((int(units.annotator.max()) + 2,), self.start, device=self.eta.device)

    def forward(self, units: PairUnits, straight: Tensor, turned: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Shares w and 1 - w: [m], [m]."""
        if turned is None:
            raise ValueError("the loss turned round is needed")
        with torch.no_grad():
            eta = self.eta[units.annotator].to(straight.dtype)
            odds = turned - straight + torch.logit(eta)
            share = torch.sigmoid(odds)
        return share, 1 - share

    def note(self, units: PairUnits, share: Tensor) -> dict[str, Tensor]:
        """For each annotator the sum of shares and of weights; and the weight of what is ordered as judged."""
        total = torch.zeros_like(self.eta)
        weight = units.weight.to(total.dtype)
        # The share exceeds the reliability just where the model's own probability exceeds one half.
        right = (share > self.eta[units.annotator].to(share.dtype)).to(total.dtype)
        return {
            "reliability_ordered": (right * weight).sum(),
            "reliability_sum": total.index_add(0, self._slot(units), share.to(total.dtype) * weight),
            "reliability_count": total.index_add(0, self._slot(units), weight),
        }

    def update(self, sums: dict[str, Tensor]) -> None:
        """Move each annotator's reliability towards the mean share of its judgments."""
        if "reliability_sum" not in sums:
            return
        count = sums["reliability_count"]
        mean = sums["reliability_sum"] / count.clamp(min=1e-12)
        moved = ((1 - self.rate) * self.eta + self.rate * mean).clamp(self.floor, 0.999)
        self.eta = torch.where(count > 0, moved, self.eta)
        if not bool(count.sum() > 0):
            return
        self.ordered = (0.9 * self.ordered + 0.1 * sums["reliability_ordered"] / count.sum()).to(self.ordered.dtype)
        if not self._warned and float(self.ordered) > BY_HEART:
            self._warned = True
            warnings.warn(
                f"reliability: {float(self.ordered):.1%} of the training judgments are ordered as judged; a policy "
                "that knows them by heart cannot tell wrong from right ones: train for fewer epochs, regularise more.",
                stacklevel=2,
            )

    def _slot(self, units: PairUnits) -> Tensor:
        return units.annotator % len(self.eta)

    def formula(self) -> tuple[str, ...]:
        """The share is the posterior probability that the judgment is right."""
        return (
            "loss = share * link(s(w), s(l)) + (1 - share) * link(s(l), s(w))",
            "believed = sigmoid(link(s(l), s(w)) - link(s(w), s(l)))",
            "share = believed * eta / (believed * eta + (1 - believed) * (1 - eta))",
        )


def checked_noise(noise: float) -> float:
    """A share of flipped judgments, below one half."""
    if not 0 <= noise < 0.5:
        raise InputError(
            f"the share of flipped judgments must lie in [0, 0.5), not {noise:g}: at 0.5 nothing is learned"
        )
    return noise
