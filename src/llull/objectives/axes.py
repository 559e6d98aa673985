"""The five axes of an objective: score x structure x link x regularisers x weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import Literal

from torch import Tensor, nn

from llull.objectives.batch import Batch, ListUnits, PairUnits, SingleUnits, Units

Kind = Literal["pairs", "lists", "singles"]
Divergence = Literal["forward_kl", "reverse_kl", "jensen_shannon", "total_variation"]


@dataclass(frozen=True)
class Needs:
    """What must be given with a batch, beyond the policy's scores."""

    reference: bool = False
    """Scores of a frozen reference."""
    tokens: bool = False
    """The scores of single tokens."""
    divergence: Divergence | None = None
    """Each token's divergence between reference and policy; forward is KL(reference || policy)."""
    entropy: bool = False
    """The policy's entropy before each token."""
    concentration: bool = False
    """The log of the sum of squared probabilities of the policy before each token."""
    hidden: bool = False
    """The policy's last hidden state at an option's end."""
    state: bool = False
    """The reference's hidden states at each token."""
    survey: bool = False
    """A look at the whole window of updates, without gradient, before its losses."""
    columns: frozenset[str] = frozenset()
    """Known numbers of options, by name."""
    units: frozenset[str] = frozenset()
    """Named units besides the main ones."""

    def __or__(self, other: Needs) -> Needs:
        if self.divergence and other.divergence and self.divergence != other.divergence:
            raise ValueError(f"two parts need different divergences: {self.divergence} and {other.divergence}")
        return Needs(
            reference=self.reference or other.reference,
            tokens=self.tokens or other.tokens,
            divergence=self.divergence or other.divergence,
            entropy=self.entropy or other.entropy,
            concentration=self.concentration or other.concentration,
            hidden=self.hidden or other.hidden,
            state=self.state or other.state,
            survey=self.survey or other.survey,
            columns=self.columns | other.columns,
            units=self.units | other.units,
        )


class Part(nn.Module):
    """A part of an objective. What it learns are parameters; what it remembers are buffers."""

    needs: Needs = Needs()

    def formula(self) -> tuple[str, ...]:
        """Lines of the closed form, as Python expressions over policy(y), reference(y), length(y) and their like."""
        return ()

    def widen(self, width: int) -> None:
        """Be told, once before training, how many numbers a hidden state has."""

    def begin(self, everything: Batch) -> None:
        """See the whole data set once, the policy standing at the reference, before the first update."""

    def survey(self, batch: Batch) -> dict[str, Tensor]:
        """Sums over a batch, without gradient, wanted before the losses of its window; added up, then settled."""
        return {}

    def settle(self, sums: dict[str, Tensor]) -> None:
        """Take in the sums of `survey` over the whole window and all processes."""

    def update(self, sums: dict[str, Tensor]) -> None:
        """Take in the sums that were noted while the losses of a window were computed, over all processes."""


class Score(Part, ABC):
    """What an option's log-probabilities are worth."""

    @abstractmethod
    def forward(self, batch: Batch) -> Tensor:
        """The worth of each option: [n]."""

    def rounding(self, batch: Batch) -> Tensor:
        """By how much rounding alone may move the worth of each option away from 0, no gradient: [n]; 0 if unknown."""
        return batch.options.policy.new_zeros(len(batch.options))

    def pair(self, batch: Batch, units: PairUnits) -> tuple[Tensor, Tensor]:
        """The worth of the chosen and of the rejected option of each pair: [m], [m]."""
        scores = self(batch)
        return scores[units.chosen], scores[units.rejected]

    def list(self, batch: Batch, units: ListUnits) -> Tensor:
        """The worth of the options of each ranking: [m, K]; 0 where padded."""
        return self(batch)[units.option.clamp(min=0)].masked_fill(~units.mask, 0.0)

    def single(self, batch: Batch, units: SingleUnits) -> Tensor:
        """The worth of each option judged alone: [m]."""
        return self(batch)[units.option]


class PairLink(Part, ABC):
    """How far two scores are from a judgment that the first option is the better one."""

    @abstractmethod
    def forward(self, chosen: Tensor, rejected: Tensor) -> Tensor:
        """Loss of each pair: [m]."""

    def tie(self, first: Tensor, second: Tensor) -> Tensor:
        """Loss of each pair judged equal; half of each order unless the link has a probability for ties: [m]."""
        return 0.5 * (self(first, second) + self(second, first))

    def note(self, chosen: Tensor, rejected: Tensor, weight: Tensor) -> dict[str, Tensor]:
        """Sums for `Part.update`, given scores without gradient and the pairs' weights."""
        return {}


class SingleLink(Part, ABC):
    """How far a score is from a judgment that its option is good, or bad."""

    @abstractmethod
    def accept(self, score: Tensor) -> Tensor:
        """Loss of each accepted option: [m]."""

    @abstractmethod
    def reject(self, score: Tensor) -> Tensor:
        """Loss of each rejected option: [m]."""


class ListLink(Part, ABC):
    """How far scores are from a ranking."""

    @abstractmethod
    def forward(self, scores: Tensor, units: ListUnits) -> Tensor:
        """Loss of each ranking, from scores [m, K]: [m]."""


Link = PairLink | SingleLink | ListLink


@dataclass(frozen=True)
class Outcome:
    """What a structure makes of scores: a loss for each main unit, and what it saw on the way."""

    losses: Tensor
    """[u], before the weights of judgments and objective."""
    gap: Tensor | None = None
    """[u], no gradient: by how much a pair's chosen option scores above its rejected one."""
    noted: dict[str, Tensor] = field(default_factory=dict)
    """Sums for `Part.update`."""

    def with_losses(self, losses: Tensor) -> Outcome:
        """The same with other losses."""
        return replace(self, losses=losses)


class Belief(Part, ABC):
    """How far a pair's judgment is to be believed: its share as it stands, and its share turned round."""

    turns: bool = True
    """Whether the judgment turned round is needed at all."""

    @abstractmethod
    def forward(self, units: PairUnits, straight: Tensor, turned: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Shares [m] for the loss as judged and for the loss turned round, given both losses [m]."""

    def note(self, units: PairUnits, share: Tensor) -> dict[str, Tensor]:
        """Sums for `Part.update`, given the share as judged."""
        return {}


class Weight(Part, ABC):
    """How much each unit counts in the objective."""

    @abstractmethod
    def forward(self, batch: Batch, outcome: Outcome) -> Tensor:
        """A factor for each unit's loss: [u], no gradient."""

    def note(self, batch: Batch, outcome: Outcome) -> dict[str, Tensor]:
        """Sums for `Part.update`."""
        return {}


class Regulariser(Part, ABC):
    """A further loss beside the main one, over the main units or over units of its own name."""

    kind: Kind = "singles"
    """The kind of its units, where they have a name of their own."""

    def __init__(self, of: str, weight: float) -> None:
        super().__init__()
        self.of, self.weight = of, weight

    @abstractmethod
    def forward(self, batch: Batch, units: Units) -> Tensor:
        """Loss of each unit, not yet multiplied by ``weight``: [u]."""


class Structure(Part, ABC):
    """Which options a loss compares with which."""

    kind: Kind

    @abstractmethod
    def forward(self, batch: Batch, score: Score, link: Link, belief: Belief) -> Outcome:
        """The loss of each main unit."""
