"""What an objective sees: scores of options, and judgments as indexes into them. No tokens, no pixels, no devices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

ROUNDING = 1e-6
"""Sums of float32 log-probabilities differ by about this part of themselves with what else was in a row."""


@dataclass(frozen=True)
class Tokens:
    """The scored tokens (or timesteps, or frames) of the options, for objectives that look inside an option."""

    option: Tensor
    """int64 [t]: the option that a token belongs to."""
    policy: Tensor
    """float [t]: log-probabilities under the policy, with gradient."""
    reference: Tensor | None = None
    """float [t]: log-probabilities under the reference."""
    step: Tensor | None = None
    """int64 [t]: the step of its option that a token belongs to, from 0."""
    divergence: Tensor | None = None
    """float [t]: divergence between the two models' distributions before a token, as the objective's needs name it."""
    entropy: Tensor | None = None
    """float [t]: entropy of the policy's distribution before a token."""
    concentration: Tensor | None = None
    """float [t]: log of the sum of squared probabilities of the policy's distribution before a token."""
    weight: Tensor | None = None
    """float [t]: given from outside, for instance segment scores or edited spans."""
    state: Tensor | None = None
    """float [t, d]: hidden states of the reference."""

    def per_option(self, values: Tensor, options: int) -> Tensor:
        """Sum values [t] over the tokens of each option: [options]."""
        return values.new_zeros(options).index_add(0, self.option, values)


@dataclass(frozen=True)
class Scores:
    """Numbers for each of n options.

    A language model gives summed log-probabilities of tokens; a diffusion model minus its denoising error; a behavior
    policy the discounted log-likelihood of a segment.
    """

    policy: Tensor
    """float [n]: log-probability (or what stands for it) under the policy, with gradient."""
    reference: Tensor | None = None
    """float [n]: the same under the frozen reference."""
    length: Tensor | None = None
    """float [n]: how many tokens (or timesteps) the sum goes over; 1 for each if not given."""
    tokens: Tokens | None = None
    hidden: Tensor | None = None
    """float [n, d]: the policy's last hidden state at an option's end, with gradient."""
    columns: Mapping[str, Tensor] = field(default_factory=dict)
    """Known numbers of options, [n] or [n, k], such as ``reward`` from elsewhere; no gradient."""

    def __len__(self) -> int:
        return len(self.policy)

    @property
    def lengths(self) -> Tensor:
        """float [n]"""
        return torch.ones_like(self.policy) if self.length is None else self.length.to(self.policy.dtype)

    @property
    def ratio(self) -> Tensor:
        """float [n]: log policy minus log reference."""
        if self.reference is None:
            raise ValueError("this objective compares with a reference, and the batch has no reference scores")
        return self.policy - self.reference

    @property
    def rounding(self) -> Tensor:
        """float [n]: log-ratios no larger than this are rounding; 0 without a reference. No gradient."""
        if self.reference is None:
            return torch.zeros_like(self.policy.detach())
        return ROUNDING * (self.policy.detach().abs() + self.reference.abs())


@dataclass(frozen=True, kw_only=True)
class Units:
    """Judgments of one kind; every field is a tensor with one entry, or one row, per unit."""

    names: ClassVar[tuple[str, ...]] = ()
    """The fields that hold indexes of options."""

    weight: Tensor
    """float [u]: how many judgments a unit stands for."""
    group: Tensor
    """int64 [u]: the community it counts for, from 0; -1 where unknown."""
    index: Tensor
    """int64 [u]: the unit's number in the whole data set."""

    def __len__(self) -> int:
        return len(self.weight)

    @property
    def count(self) -> Tensor:
        """How many units these are: the sum of their weights, so that a weight of 2 is a row seen twice."""
        return self.weight.sum()

    def select(self, which: Tensor) -> Self:
        """The units at these positions, or where this mask is true."""
        return replace(self, **{f.name: getattr(self, f.name)[which] for f in fields(self)})

    @property
    def options(self) -> Tensor:
        """int64 [u, k]: the options of each unit; -1 where it has fewer."""
        sides = [getattr(self, name) for name in self.names]
        return torch.cat([side if side.dim() == 2 else side.unsqueeze(1) for side in sides], dim=1)

    def renumbered(self, number: Tensor) -> Self:
        """The same units over options numbered otherwise: option i becomes ``number[i]``; -1 stays."""
        sides = {name: getattr(self, name) for name in self.names}
        return replace(self, **{n: torch.where(i < 0, -1, number[i.clamp(min=0)]) for n, i in sides.items()})

    def to(self, device: torch.device) -> Self:
        """The same units on a device."""
        return replace(self, **{f.name: getattr(self, f.name).to(device) for f in fields(self)})


def _plain_columns(units: int, device: torch.device) -> dict[str, Tensor]:
    """Columns that every kind of unit has, at their neutral values."""
    return {
        "weight": torch.ones(units, device=device),
        "group": torch.full((units,), -1, device=device),
        "index": torch.arange(units, device=device),
    }


def _known(columns: dict[str, Tensor | None]) -> dict[str, Tensor]:
    return {name: value for name, value in columns.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class PairUnits(Units):
    """m pairs of options of which one was preferred, or neither."""

    names = ("chosen", "rejected")

    chosen: Tensor
    """int64 [m], index into the options."""
    rejected: Tensor
    """int64 [m]"""
    preferred: Tensor
    """float [m]: probability, by those who judged, that ``chosen`` is the better one; 1 for a plain judgment."""
    tie: Tensor
    """bool [m]: judged equal."""
    strength: Tensor
    """float [m]: how much better, on the source's scale; NaN where unknown."""
    annotator: Tensor
    """int64 [m]: who judged, from 0; -1 where unknown."""

    @classmethod
    def of(cls, chosen: Tensor, rejected: Tensor, **columns: Tensor | None) -> PairUnits:
        """Pairs with the columns that are known; the others take their neutral values."""
        m, device = len(chosen), chosen.device
        neutral = _plain_columns(m, device) | {
            "preferred": torch.ones(m, device=device),
            "tie": torch.zeros(m, dtype=torch.bool, device=device),
            "strength": torch.full((m,), torch.nan, device=device),
            "annotator": torch.full((m,), -1, device=device),
        }
        return cls(chosen=chosen, rejected=rejected, **(neutral | _known(columns)))


@dataclass(frozen=True, kw_only=True)
class ListUnits(Units):
    """m rankings of up to K options each, padded."""

    names = ("option",)

    option: Tensor
    """int64 [m, K], index into the options; -1 where a ranking is shorter."""
    tier: Tensor
    """int64 [m, K]: 0 for the best tier; options of one tier are tied; -1 where padded."""
    gain: Tensor
    """float [m, K]: how good an option is, larger is better, on the source's scale; NaN where unknown."""

    @property
    def mask(self) -> Tensor:
        """bool [m, K]: where there is an option."""
        return self.option >= 0

    @classmethod
    def of(cls, option: Tensor, tier: Tensor | None = None, **columns: Tensor | None) -> ListUnits:
        """Rankings, best first; without ``tier`` no two options are tied."""
        m, k = option.shape
        device = option.device
        if tier is None:
            tier = torch.arange(k, device=device).expand(m, k).masked_fill(option < 0, -1)
        neutral = _plain_columns(m, device) | {"gain": torch.full((m, k), torch.nan, device=device)}
        return cls(option=option, tier=tier, **(neutral | _known(columns)))


@dataclass(frozen=True, kw_only=True)
class SingleUnits(Units):
    """m options judged alone, accepted or rejected."""

    names = ("option",)

    option: Tensor
    """int64 [m], index into the options."""
    accept: Tensor
    """float [m]: 1 accepted, 0 rejected; between them where the judgment was."""

    @classmethod
    def of(cls, option: Tensor, accept: Tensor | None = None, **columns: Tensor | None) -> SingleUnits:
        """Options judged alone; accepted unless ``accept`` says otherwise."""
        m, device = len(option), option.device
        accept = torch.ones(m, device=device) if accept is None else accept
        return cls(option=option, accept=accept, **(_plain_columns(m, device) | _known(columns)))


MAIN = "main"
"""The name of the units that an objective's own structure reads; others are read by regularisers that name them."""


@dataclass(frozen=True)
class Batch:
    """Scores of options and the judgments over them.

    Besides the main units there may be others under their own names: samples of the policy, rationales, answers to
    keep, mismatched options.
    """

    options: Scores
    units: Mapping[str, Units]

    @property
    def main(self) -> Units:
        """The judgments that the structure reads."""
        return self.units[MAIN]
