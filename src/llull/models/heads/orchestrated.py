"""A head that weighs several rewards by the question, learned from how high each scores what was preferred."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from llull.errors import InputError
from llull.models.fitting.multinomial import multinomial, with_constant
from llull.models.heads.head import Head, Hidden
from llull.models.links.link import Link
from llull.models.votes import Sides, Votes

_TARGETS = ("preferred", "margin")
_VARIES = 0.01
"""Standard deviation over contexts up to which a reward's weight is as good as constant."""


@dataclass(frozen=True)
class Orchestrated(Head):
    """Utility is sum_k f_k(c) r_k: features r are rewards, of which more is better, and f(c) are weights that sum to 1.

    f = softmax(c A) is fitted to the targets softmax(r(preferred) / temperature) of each judgment, with the least
    Kullback-Leibler divergence (preference orchestrator, 2025): no one says which reward counts. It takes a reward to
    matter where what was preferred scores high on it. Where that is not so, as for risky questions, on which even the
    safer answer scores low on safety, it weighs the wrong reward; fitting then warns, and ``target="margin"`` takes
    softmax((r(preferred) - r(other)) / temperature) instead, by which reward the two differ most.

    Args:
        temperature: of the targets, in scales of the rewards; at a low one a single reward takes all.
        target: preferred or margin.
        floor: a share of the weights that is spread evenly, so that no reward is ever left out.
    """

    temperature: float = 1.0
    target: str = "preferred"
    floor: float = 0.05

    def __post_init__(self) -> None:
        if self.target not in _TARGETS:
            raise InputError(f"target={self.target!r} is not one of {', '.join(_TARGETS)}")
        if not self.temperature > 0 or not 0 <= self.floor < 1:
            raise InputError(
                f"temperature={self.temperature} must be above 0, and floor={self.floor} from 0 to below 1"
            )

    @property
    def reads_context(self) -> bool:
        """Yes."""
        return True

    def learn(self, votes: Votes, link: Link, seed: int) -> Hidden:
        """The weights of rewards as a function of the context."""
        assert votes.about is not None
        assert votes.place is not None
        decided = votes.select(~votes.tie)
        if len(decided) == 0:
            raise InputError("all judgments are ties, so no option was preferred whose rewards would say what counts")
        sides = decided.sides()
        assert sides.context is not None
        context, unit = sides.context, decided.context

        def adapter(rewards: np.ndarray) -> np.ndarray:
            targets = softmax(rewards / self.temperature, axis=1) * decided.weight[:, None]
            return multinomial(context, targets, seed, unit)

        by_lead = {"adapter": adapter(sides.winner - sides.loser)}
        if self.target == "margin":
            return by_lead
        by_level = {"adapter": adapter(sides.winner)}
        _warn_where_levels_mislead(self.shares(by_level, context), self.shares(by_lead, context))
        return by_level

    def shares(self, hidden: Hidden, context: np.ndarray) -> np.ndarray:
        """How much each reward counts in contexts: float64 [n, rewards]."""
        found = softmax(with_constant(context) @ hidden["adapter"], axis=1)
        return (1 - self.floor) * found + self.floor / found.shape[1]

    def contrast(self, hidden: Hidden, sides: Sides) -> np.ndarray:
        """The weighted difference of rewards: [n, 1]."""
        assert sides.context is not None
        return (self.shares(hidden, sides.context) * (sides.winner - sides.loser)).sum(axis=1, keepdims=True)

    def basis(self, hidden: Hidden, rows: np.ndarray, context: np.ndarray | None = None) -> np.ndarray:
        """The weighted reward: [m, 1]."""
        assert context is not None
        return (self.shares(hidden, context) * rows).sum(axis=1, keepdims=True)

    def names(self, features: tuple[str, ...]) -> tuple[str, ...]:
        """One weight, of the whole."""
        return ("reward, weighed by the context",)


def _warn_where_levels_mislead(level: np.ndarray, lead: np.ndarray) -> None:
    """Warn if contexts that give a reward more weight by levels give it less by leads; both [n, rewards]."""
    for reward in range(level.shape[1]):
        a, b = level[:, reward], lead[:, reward]
        if min(a.std(), b.std()) > _VARIES and np.corrcoef(a, b)[0, 1] < 0:
            warnings.warn(
                f"where preferred options score high on reward {reward + 1}, it sets them apart from the others less: "
                "how high they score does not say what counts; use Orchestrated(target='margin')",
                stacklevel=2,
            )
            return
