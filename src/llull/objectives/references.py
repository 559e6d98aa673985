"""When and how far the reference follows the policy; a trainer carries it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from llull.errors import InputError


@dataclass(frozen=True)
class ReferenceRule:
    """How the reference moves while a policy learns: trust-region variants of DPO, IPO, KTO (Gorbatovski et al. 2024).

    ``fixed`` never; ``soft`` every ``every`` updates to alpha * policy + (1 - alpha) * reference, parameter by
    parameter; ``hard`` every ``every`` updates to the policy.

    >>> rule = ReferenceRule("soft", alpha=0.6, every=64)
    >>> [step for step in range(1, 200) if rule.due(step)], rule.share
    ([64, 128, 192], 0.6)

    Args:
        kind: fixed, soft or hard.
        alpha: share of the policy in a soft update, in (0, 1].
        every: updates of the policy between two of the reference.
    """

    kind: Literal["fixed", "soft", "hard"] = "fixed"
    alpha: float = 0.6
    every: int = 64

    def __post_init__(self) -> None:
        if self.kind not in ("fixed", "soft", "hard"):
            raise InputError(f"reference: no rule {self.kind!r}; choose fixed, soft or hard")
        if not 0 < self.alpha <= 1 or self.every < 1:
            raise InputError(f"reference: alpha {self.alpha:g} must lie in (0, 1] and every {self.every} be at least 1")

    def due(self, updates: int) -> bool:
        """Whether the reference moves after this many updates of the policy."""
        return self.kind != "fixed" and updates > 0 and updates % self.every == 0

    @property
    def share(self) -> float:
        """Share of the policy in the moved reference."""
        return {"fixed": 0.0, "soft": self.alpha, "hard": 1.0}[self.kind]
