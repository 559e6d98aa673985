"""An objective: a score, a structure, a link, regularisers and weights, put together into losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn

from llull.objectives.axes import Belief, Kind, Link, Needs, Part, Regulariser, Score, Structure, Weight
from llull.objectives.batch import MAIN, Batch, PairUnits, Units
from llull.objectives.weights.beliefs import AsJudged


@dataclass(frozen=True)
class Term:
    """One sum of losses and the number of units that it is a sum over."""

    total: Tensor
    """Scalar, with gradient: the weighted sum of its units' losses."""
    count: Tensor
    """Scalar: the sum of the units' weights, by which the total is divided once, globally."""


@dataclass(frozen=True)
class Losses:
    """What an objective returns for a batch: sums and counts, never means."""

    terms: Mapping[str, Term]
    noted: Mapping[str, Tensor] = field(default_factory=dict)
    """Sums for `Objective.update`."""
    gaps: Tensor | None = None
    """[u], no gradient: each pair's margin between its options' scores; 0 where that is rounding."""

    def mean(self) -> Tensor:
        """The loss if this batch were all: the sum over terms of total / count."""
        return torch.stack([term.total / term.count.clamp(min=1e-12) for term in self.terms.values()]).sum()


class Objective(nn.Module):
    """A loss by which a policy learns from judgments, as a composition of five axes.

    A preset is a subclass whose constructor sets the axes and whose docstring gives formula and source.

    Args:
        score: what an option's log-probabilities are worth.
        structure: which options are compared with which.
        link: how far scores are from a judgment.
        regularisers: further losses.
        belief: how far a judgment is believed (pairs only).
        weights: factors for each unit; several multiply.
    """

    source: ClassVar[str] = ""
    """Authors, year and equation of a published objective."""
    peers: ClassVar[Mapping[str, str]] = {}
    """Other trainers that have it, and what they call it."""

    def __init__(
        self,
        score: Score,
        structure: Structure,
        link: Link,
        *,
        regularisers: Sequence[Regulariser] = (),
        belief: Belief | None = None,
        weights: Sequence[Weight] = (),
    ) -> None:
        super().__init__()
        self.score, self.structure, self.link = score, structure, link
        self.regularisers: Sequence[Regulariser] = nn.ModuleList(regularisers)  # type: ignore[assignment]  # typed by content
        self.belief = belief or AsJudged()
        self.weights: Sequence[Weight] = nn.ModuleList(weights)  # type: ignore[assignment]  # typed by content

    @property
    def parts(self) -> list[Part]:
        """All parts, those inside others included."""
        return [module for module in self.modules() if isinstance(module, Part)]

    @property
    def needs(self) -> Needs:
        """What must be given with a batch."""
        needs = Needs()
        for part in self.parts:
            needs = needs | part.needs
        return needs

    @property
    def kind(self) -> Kind:
        """The kind of the main units."""
        return self.structure.kind

    @property
    def beside(self) -> dict[str, Kind]:
        """The named units that it reads beside the main ones, and their kinds."""
        found: dict[str, Kind] = {}
        for name in self.needs.units:
            found[name] = "singles"
        for part in self.regularisers:
            if part.of != MAIN:
                found[part.of] = part.kind
        return found

    def formula(self) -> str:
        """The closed form that is computed for one judgment, one definition a line, as Python expressions.

        ``w`` and ``l`` are a pair's chosen and rejected option, ``y`` any option, ``p`` the probability that w was
        preferred; ``policy(y)`` and ``reference(y)`` are log-probabilities, ``length(y)`` the number of tokens. A line
        is ``loss = ...``, the definition of a name or of a function used above, a factor ``loss *= ...`` of all losses
        above it, or a further ``loss += ...``.
        """
        stated = _as_believed(self.structure.formula(), self.belief.formula())
        lines = [*stated, *self.link.formula(), *self.score.formula()]
        for part in (*self.weights, *self.regularisers):
            lines += part.formula()
        return "\n".join(lines)

    def counts(self, units: Mapping[str, Units]) -> dict[str, Tensor]:
        """The count of every term, known from the judgments alone."""
        found = {MAIN: units[MAIN].count}
        for name, regulariser in self._named_regularisers():
            if regulariser.of in units:
                found[name] = units[regulariser.of].count
        return found

    def forward(self, batch: Batch) -> Losses:
        """Losses of a batch: for each term the weighted sum and the count of its units."""
        units = batch.main
        outcome = self.structure(batch, self.score, self.link, self.belief)
        noted = dict(outcome.noted)
        factor = units.weight
        for weight in self.weights:
            factor = factor * weight(batch, outcome)
            noted |= weight.note(batch, outcome)
        terms = {MAIN: Term((factor * outcome.losses).sum(), units.count)}
        for name, regulariser in self._named_regularisers():
            if regulariser.of not in batch.units:
                continue
            beside = batch.units[regulariser.of]
            total = (beside.weight * regulariser(batch, beside)).sum()
            terms[name] = Term(regulariser.weight * total, beside.count)
        return Losses(terms, noted, self._clear(outcome.gap, batch))

    def widen(self, width: int) -> None:
        """Tell parts that read hidden states how many numbers one has, before any optimizer sees their parameters."""
        for part in self.parts:
            part.widen(width)

    def begin(self, everything: Batch) -> None:
        """Let every part see the whole data set once, before the first update."""
        for part in self.parts:
            part.begin(everything)

    @torch.no_grad()
    def survey(self, batch: Batch) -> dict[str, Tensor]:
        """Sums over a batch wanted before the losses of its window; see `Part.survey`."""
        return {name: value for part in self.parts for name, value in part.survey(batch).items()}

    def settle(self, sums: dict[str, Tensor]) -> None:
        """Take in what `survey` summed over the window."""
        for part in self.parts:
            part.settle(sums)

    @torch.no_grad()
    def update(self, sums: dict[str, Tensor]) -> None:
        """Take in what was noted over the window."""
        for part in self.parts:
            part.update(sums)

    @torch.no_grad()
    def _clear(self, gap: Tensor | None, batch: Batch) -> Tensor | None:
        """Gaps with 0 in the place of those that rounding may have made, which are no preference."""
        units = batch.main
        if gap is None or not isinstance(units, PairUnits):
            return gap
        noise = self.score.rounding(batch)
        return torch.where(gap.abs() <= noise[units.chosen] + noise[units.rejected], 0.0, gap)

    def _named_regularisers(self) -> list[tuple[str, Regulariser]]:
        return [(f"{type(part).__name__.lower()}_{at}", part) for at, part in enumerate(self.regularisers)]


def _as_believed(structure: Sequence[str], belief: Sequence[str]) -> list[str]:
    """A structure's lines with a belief's in place of its plain link."""
    plain = "link(s(w), s(l))"
    if not belief:
        return list(structure)
    if structure[0] == f"loss = {plain}":
        return [*belief, *structure[1:]]
    # A structure of its own: the belief becomes a function of the two sides that it names.
    mixed = [line.replace("loss =", "judged(a, b) =").replace("s(w)", "a").replace("s(l)", "b") for line in belief]
    return [*(line.replace("link(", "judged(") for line in structure), *mixed]
