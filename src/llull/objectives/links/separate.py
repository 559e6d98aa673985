"""Pair links that look at either option by itself: no difference of scores, so that absolute levels matter."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from llull.objectives.axes import PairLink, SingleLink


class Classifier(SingleLink):
    """-log sigmoid(score) of an accepted option, -log sigmoid(-score) of a rejected one."""

    def accept(self, score: Tensor) -> Tensor:
        """[m]"""
        return -logsigmoid(score)

    def reject(self, score: Tensor) -> Tensor:
        """[m]"""
        return -logsigmoid(-score)

    def formula(self) -> tuple[str, ...]:
        """Two lines."""
        return ("accept(a) = -log(sigmoid(a))", "reject(a) = -log(sigmoid(-a))")


class SigmoidUtility(SingleLink):
    """1 - sigmoid(score) of an accepted option, sigmoid(score) of a rejected one; extremes lose their pull."""

    def accept(self, score: Tensor) -> Tensor:
        """[m]"""
        return torch.sigmoid(-score)

    def reject(self, score: Tensor) -> Tensor:
        """[m]"""
        return torch.sigmoid(score)

    def formula(self) -> tuple[str, ...]:
        """Two lines."""
        return ("accept(a) = 1 - sigmoid(a)", "reject(a) = sigmoid(a)")


class SquaredTarget(SingleLink):
    """(score - target) ** 2 of an accepted option, (score + target) ** 2 of a rejected one.

    Args:
        target: where the score of an accepted option should be; minus that for a rejected one.
    """

    def __init__(self, target: float) -> None:
        super().__init__()
        self.target = target

    def accept(self, score: Tensor) -> Tensor:
        """[m]"""
        return (score - self.target) ** 2

    def reject(self, score: Tensor) -> Tensor:
        """[m]"""
        return (score + self.target) ** 2

    def formula(self) -> tuple[str, ...]:
        """Two lines."""
        return (f"accept(a) = (a - {self.target!r}) ** 2", f"reject(a) = (a + {self.target!r}) ** 2")


class JudgedAlone(PairLink):
    """A pair as two judgments: its chosen option accepted, its rejected option rejected.

    Args:
        link: of a judgment about one option.
    """

    def __init__(self, link: SingleLink) -> None:
        super().__init__()
        self.link = link

    def forward(self, chosen: Tensor, rejected: Tensor) -> Tensor:
        """[m]"""
        return self.link.accept(chosen) + self.link.reject(rejected)

    def formula(self) -> tuple[str, ...]:
        """The single link's lines follow."""
        return ("link(a, b) = accept(a) + reject(b)", *self.link.formula())


class NoiseContrastive(PairLink):
    """-log sigmoid(chosen) - (log sigmoid(-chosen) + log sigmoid(-rejected)) / 2 (NCA; Chen et al. 2024).

    Both options also count as noise, so that the score of the chosen one settles instead of running away or falling.
    """

    def forward(self, chosen: Tensor, rejected: Tensor) -> Tensor:
        """[m]"""
        return -logsigmoid(chosen) - 0.5 * logsigmoid(-chosen) - 0.5 * logsigmoid(-rejected)

    def formula(self) -> tuple[str, ...]:
        """One line."""
        return ("link(a, b) = -log(sigmoid(a)) - 0.5 * log(sigmoid(-a)) - 0.5 * log(sigmoid(-b))",)


class AnchoredDown(PairLink):
    """sigmoid(chosen) + 1 - sigmoid(chosen - rejected): both fall, the rejected one more (APO-down)."""

    def forward(self, chosen: Tensor, rejected: Tensor) -> Tensor:
        """[m]"""
        return torch.sigmoid(chosen) + torch.sigmoid(rejected - chosen)

    def formula(self) -> tuple[str, ...]:
        """One line."""
        return ("link(a, b) = sigmoid(a) + 1 - sigmoid(a - b)",)


class Calibrated(PairLink):
    """-log sigmoid(chosen - rejected) + (chosen - target) ** 2 + (rejected + target) ** 2 (Xiao et al. 2024).

    Args:
        target: the reward that the chosen option is given; minus that for the rejected one.
    """

    def __init__(self, target: float) -> None:
        super().__init__()
        self.target = target

    def forward(self, chosen: Tensor, rejected: Tensor) -> Tensor:
        """[m]"""
        return -logsigmoid(chosen - rejected) + (chosen - self.target) ** 2 + (rejected + self.target) ** 2

    def formula(self) -> tuple[str, ...]:
        """One line."""
        t = repr(self.target)
        return (f"link(a, b) = -log(sigmoid(a - b)) + (a - {t}) ** 2 + (b + {t}) ** 2",)


class Guarded(PairLink):
    """-log sigmoid(chosen - rejected - guard * max(0, -chosen)): a chosen option may not fall below the reference.

    Args:
        guard: how many times over a fall of the chosen option counts (DPOP; Pal et al. 2024, eq. 3).
    """

    def __init__(self, guard: float) -> None:
        super().__init__()
        self.guard = guard

    def forward(self, chosen: Tensor, rejected: Tensor) -> Tensor:
        """[m]"""
        return -logsigmoid(chosen - rejected - self.guard * torch.relu(-chosen))

    def formula(self) -> tuple[str, ...]:
        """One line."""
        return (f"link(a, b) = -log(sigmoid(a - b - {self.guard:g} * relu(-a)))",)
