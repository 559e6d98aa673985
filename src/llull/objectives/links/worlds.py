"""Losses compiled from logic: which worlds, of options accepted or not, speak for a judgment and which against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from llull.errors import InputError
from llull.objectives.axes import PairLink
from llull.objectives.extremes import log1mexp

Side = Literal["for", "against", "both", "neither"]
World = tuple[bool, bool]

_SIDES = ("for", "against", "both", "neither")
_WORLDS: tuple[World, ...] = ((True, True), (True, False), (False, True), (False, False))


@dataclass(frozen=True)
class PreferenceStructure:
    """A side for each of the four worlds in which a model accepts (chosen, rejected) or not (Richardson et al. 2024).

    The chosen option is accepted with its probability p_w, independently of the rejected one with p_l. The odds of the
    judgment are rho = weight of the worlds for it / weight of the worlds against it; a world may count on both sides,
    or be ruled out.

    >>> cpo = PreferenceStructure.of(both="TT", for_="TF", against="FT")
    >>> cpo.sides[(True, False)]
    'for'
    """

    sides: Mapping[World, Side]

    def __post_init__(self) -> None:
        if set(self.sides) != set(_WORLDS) or not set(self.sides.values()) <= set(_SIDES):
            raise InputError("a preference structure gives each of four worlds one of the sides " + ", ".join(_SIDES))
        if not self.worlds("for") or not self.worlds("against"):
            raise InputError("a preference structure needs a world for the judgment and one against it")

    @classmethod
    def of(cls, *, for_: str = "", against: str = "", both: str = "") -> PreferenceStructure:
        """From worlds written as two letters, T or F for chosen and rejected, apart by spaces; others are ruled out."""
        sides: dict[World, Side] = dict.fromkeys(_WORLDS, "neither")
        given: tuple[tuple[Side, str], ...] = (("for", for_), ("against", against), ("both", both))
        for side, worlds in given:
            for world in worlds.split():
                if len(world) != 2 or not set(world) <= {"T", "F"}:
                    raise InputError(f"worlds are written TT, TF, FT or FF, not {world!r}")
                sides[(world[0] == "T", world[1] == "T")] = side
        return cls(sides)

    def worlds(self, side: Literal["for", "against"]) -> frozenset[World]:
        """The worlds that count on a side, those on both included."""
        return frozenset(world for world, where in self.sides.items() if where in (side, "both"))

    def entails(self, other: PreferenceStructure) -> bool:
        """Whether rho is never above the other's, hence the loss never below it, for whatever probabilities."""
        return self.worlds("for") <= other.worlds("for") and other.worlds("against") <= self.worlds("against")

    def log_odds(self, chosen: Tensor, rejected: Tensor) -> Tensor:
        """log rho from log p_w and log p_l, in log space throughout: [m]."""
        yes, no = (chosen, rejected), (log1mexp(chosen), log1mexp(rejected))

        def total(side: Literal["for", "against"]) -> Tensor:
            counted = [world for world in _WORLDS if world in self.worlds(side)]
            weights = [(yes if first else no)[0] + (yes if second else no)[1] for first, second in counted]
            return torch.logsumexp(torch.stack(weights), dim=0)

        return total("for") - total("against")


CROSS_ENTROPY = PreferenceStructure.of(for_="TT TF", against="FT FF")
UNLIKELIHOOD = PreferenceStructure.of(for_="TF", against="TT FT FF")
CPO_STRUCTURE = PreferenceStructure.of(both="TT", for_="TF", against="FT")
ORPO_STRUCTURE = PreferenceStructure.of(for_="TF", against="FT")
UNCPO_STRUCTURE = PreferenceStructure.of(for_="TT TF FF", against="FT")
CCPO_STRUCTURE = PreferenceStructure.of(for_="TT TF", against="FT")
CFUNL_STRUCTURE = PreferenceStructure.of(for_="TF FF", against="FT")


class WorldOdds(PairLink):
    """-log sigmoid(beta * log rho) of a preference structure, the scores being log-probabilities.

    Args:
        structure: which worlds count on which side.
        beta: sharpness.
    """

    def __init__(self, structure: PreferenceStructure, beta: float = 1.0) -> None:
        super().__init__()
        self.structure, self.beta = structure, beta

    def forward(self, chosen: Tensor, rejected: Tensor) -> Tensor:
        """[m]"""
        return -logsigmoid(self.beta * self.structure.log_odds(chosen, rejected))

    def formula(self) -> tuple[str, ...]:
        """One line: the worlds, summed."""

        def total(side: Literal["for", "against"]) -> str:
            counted = [world for world in _WORLDS if world in self.structure.worlds(side)]
            return " + ".join(
                ("exp(a)" if chosen else "(1 - exp(a))") + " * " + ("exp(b)" if rejected else "(1 - exp(b))")
                for chosen, rejected in counted
            )

        return (f"link(a, b) = -log(sigmoid({self.beta:g} * log(({total('for')}) / ({total('against')}))))",)


def compile_loss(structure: PreferenceStructure, beta: float = 1.0) -> PairLink:
    """The loss that a preference structure means."""
    return WorldOdds(structure, beta)


def decompile(log_odds: Callable[[Tensor, Tensor], Tensor], tolerance: float = 1e-6) -> list[PreferenceStructure]:
    """Every structure over four worlds whose odds are these, tried on a grid of probabilities.

    Args:
        log_odds: log rho from log p_w and log p_l, both float64 [m].
        tolerance: largest difference that counts as equal.

    Returns:
        Structures; several where they mean the same ratio, none where the loss is no count of worlds.
    """
    grid = torch.log(torch.linspace(0.05, 0.95, 7, dtype=torch.float64))
    chosen, rejected = (side.reshape(-1) for side in torch.meshgrid(grid, grid, indexing="ij"))
    wanted, found = log_odds(chosen, rejected), []
    for code in range(4**4):
        sides = [_SIDES[code // 4**at % 4] for at in range(4)]
        if not {"for", "both"} & set(sides) or not {"against", "both"} & set(sides):
            continue
        structure = PreferenceStructure(dict(zip(_WORLDS, sides, strict=True)))
        if (structure.log_odds(chosen, rejected) - wanted).abs().max() < tolerance:
            found.append(structure)
    return found
