"""What a model is trained on: options as tokens, judgments as units, and named units beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from hashlib import blake2b

import numpy as np
import torch
from torch import Tensor

from llull.errors import InputError
from llull.language.trees import PrefixTree
from llull.objectives import SingleUnits
from llull.objectives.batch import MAIN, Units

MISMATCHED = "mismatched"
"""Options under contexts that are not theirs, over which KTO takes its reference point."""


@dataclass(frozen=True)
class TrainingSet:
    """Options as tokens under their contexts, and judgments as units over them."""

    prompts: tuple[np.ndarray, ...]
    """int32 ids of each context."""
    options: tuple[np.ndarray, ...]
    """int32 ids of each option, to be appended to its context."""
    scored: tuple[np.ndarray | None, ...]
    """bool for each option's tokens: whether it is scored; None for all."""
    prompt: np.ndarray
    """int64 [n]: the context of each option."""
    units: Mapping[str, Units]
    """The judgments, and named units beside them, on the CPU."""
    beside: Mapping[str, Tensor] = field(default_factory=dict)
    """For named units, int64 [u]: the main unit in whose window each is."""
    columns: Mapping[str, Tensor] = field(default_factory=dict)
    """Known numbers of options: [n] or [n, k]."""
    inside: Mapping[str, tuple[np.ndarray, ...]] = field(default_factory=dict)
    """Known numbers of each option's tokens, as many as its ids: ``step`` (int64) and ``weight`` (float32)."""
    notes: tuple[str, ...] = ()
    """One line for each thing that was left out or cut."""

    def __len__(self) -> int:
        return len(self.units[MAIN])

    @cached_property
    def tokens(self) -> np.ndarray:
        """int64 [n]: scored tokens of each option."""
        pairs = zip(self.options, self.scored, strict=True)
        return np.array([len(ids) if mask is None else int(mask.sum()) for ids, mask in pairs], np.int64)

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that change when any token, judgment or known number does."""
        digest = blake2b(digest_size=8)

        def take(what: str, array: np.ndarray) -> None:
            digest.update(f"{what} {array.shape}".encode() + array.tobytes())

        for ids in (*self.prompts, *self.options, self.prompt):
            take("ids", ids)
        for place, mask in enumerate(self.scored):
            if mask is not None:
                take(f"scored {place}", mask)
        for name, units in self.units.items():
            for column in fields(units):
                take(f"{name} {column.name}", getattr(units, column.name).numpy())
        for name, values in (*self.beside.items(), *self.columns.items()):
            take(name, values.numpy())
        for name, values in self.inside.items():
            take(name, np.concatenate([v.ravel() for v in values]))
        return digest.hexdigest()

    @property
    def used(self) -> np.ndarray:
        """int64: the options that some unit names."""
        named = np.concatenate([units.options.numpy().ravel() for units in self.units.values()])
        return np.unique(named[named >= 0])

    @property
    def judged_prompts(self) -> tuple[np.ndarray, ...]:
        """The prompts whose options were judged."""
        options = self.units[MAIN].options.numpy()
        return tuple(self.prompts[at] for at in np.unique(self.prompt[options[options >= 0]]))

    def columns_of(self, wanted: Tensor, device: torch.device) -> dict[str, Tensor]:
        """The known numbers of some options."""
        return {name: values[wanted].to(device) for name, values in self.columns.items()}

    def inside_of(self, wanted: Tensor, device: torch.device) -> dict[str, Tensor]:
        """The known numbers of some options' scored tokens, option after option: [s] each."""
        found = {}
        for name, values in self.inside.items():
            parts = [values[i] if self.scored[i] is None else values[i][self.scored[i]] for i in wanted.tolist()]
            found[name] = torch.from_numpy(np.concatenate(parts)).to(device)
        return found

    def trees(self, wanted: np.ndarray) -> list[PrefixTree]:
        """The wanted options as trees, one for each context, in order of first appearance."""
        members: dict[int, list[int]] = {}
        for option in wanted.tolist():
            members.setdefault(int(self.prompt[option]), []).append(option)
        return [self._tree(prompt, options) for prompt, options in members.items()]

    def _tree(self, prompt: int, options: list[int]) -> PrefixTree:
        masks = [self.scored[i] for i in options]
        whole = all(mask is None for mask in masks)
        return PrefixTree.of_options(
            self.prompts[prompt],
            [self.options[i] for i in options],
            scored=None if whole else [_mask(m, self.options[i]) for m, i in zip(masks, options, strict=True)],
            numbers=options,
        )

    def with_mismatched(self, seed: int) -> TrainingSet:
        """Beside each main unit, one of its options under the context of another unit.

        The contexts are turned round by a permutation of the whole data set that moves every context, so that the
        estimate depends on no batch.

        Raises:
            InputError: if all units have one context.
        """
        first = self.units[MAIN].options[:, 0].numpy()
        own = self.prompt[first]
        if len(np.unique(own)) < 2:
            raise InputError(
                "all judgments have one context, so no option can be set under another: use another objective"
            )
        foreign = own[_moved(own, np.random.default_rng(seed))]
        again = torch.from_numpy(first)
        mismatched = replace(
            self,
            options=tuple(self.options[i] for i in first),
            scored=tuple(self.scored[i] for i in first),
            prompt=foreign,
            units={MAIN: SingleUnits.of(torch.arange(len(first)))},
            beside={},
            columns={name: values[again] for name, values in self.columns.items()},
            inside={name: tuple(values[i] for i in first) for name, values in self.inside.items()},
            notes=(),
        )
        return self.with_units(MISMATCHED, mismatched, torch.arange(len(first)))

    def with_units(self, name: str, other: TrainingSet, beside: Tensor | None = None) -> TrainingSet:
        """The main units of another set as named units of this one.

        Contexts that both have are one context; numbers that one of them lacks are NaN, a token's step 0 and weight 1.

        Args:
            name: of the units.
            other: their options and judgments.
            beside: int64 [u]: the main unit in whose window each is. If not given, the first one of the same context;
                contexts that are not judged here are spread evenly, and units of one stay together.
        """
        known = {ids.tobytes(): at for at, ids in enumerate(self.prompts)}
        prompts = list(self.prompts)
        place = np.empty(len(other.prompts), np.int64)
        for at, ids in enumerate(other.prompts):
            if ids.tobytes() not in known:
                known[ids.tobytes()] = len(prompts)
                prompts.append(ids)
            place[at] = known[ids.tobytes()]
        mine, theirs = len(self.options), len(other.options)
        prompt = place[other.prompt]
        units = other.units[MAIN].renumbered(mine + torch.arange(theirs))
        if beside is None:
            beside = self._neighbors(prompt[other.units[MAIN].options[:, 0].numpy()])
        columns = {
            key: torch.cat([_column(self, key, mine, other), _column(other, key, theirs, self)])
            for key in {**self.columns, **other.columns}
        }
        inside = {key: (*_inside(self, key), *_inside(other, key)) for key in {**self.inside, **other.inside}}
        return replace(
            self,
            prompts=tuple(prompts),
            options=(*self.options, *other.options),
            scored=(*self.scored, *other.scored),
            prompt=np.concatenate([self.prompt, prompt]),
            units={**self.units, name: units},
            beside={**self.beside, name: beside},
            columns=columns,
            inside=inside,
            notes=(*self.notes, *other.notes),
        )

    def _neighbors(self, prompt: np.ndarray) -> Tensor:
        """int64: the first main unit of each of these contexts, or one of all in turn, the same for a whole context."""
        own = self.prompt[self.units[MAIN].options[:, 0].numpy()]
        contexts, first = np.unique(own, return_index=True)
        at = np.minimum(np.searchsorted(contexts, prompt), len(contexts) - 1)
        strange = contexts[at] != prompt
        beside = first[at]
        strangers, place = np.unique(prompt[strange], return_inverse=True)
        beside[strange] = place * len(own) // max(len(strangers), 1)
        return torch.from_numpy(beside)


def _moved(context: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A permutation of units that gives each a unit of another context."""
    order = rng.permutation(len(context))
    # Sorted by context, a shift by the size of the largest context moves everything out of its own.
    order = order[np.argsort(context[order], kind="stable")]
    counts = np.unique(context, return_counts=True)[1]
    shifted = np.roll(order, int(counts.max()))
    partner = np.empty(len(context), np.int64)
    partner[order] = shifted
    stuck = np.flatnonzero(context[partner] == context)
    for unit in stuck:
        others = np.flatnonzero(context != context[unit])
        partner[unit] = rng.choice(others)
    return partner


def _column(of: TrainingSet, name: str, options: int, like: TrainingSet) -> Tensor:
    if name in of.columns:
        return of.columns[name]
    known = like.columns[name]
    return torch.full((options, *known.shape[1:]), torch.nan, dtype=known.dtype if known.is_floating_point() else None)


def _inside(of: TrainingSet, name: str) -> tuple[np.ndarray, ...]:
    if name in of.inside:
        return of.inside[name]
    if name == "step":
        return tuple(np.zeros(len(ids), np.int64) for ids in of.options)
    return tuple(np.ones(len(ids), np.float32) for ids in of.options)


def _mask(mask: np.ndarray | None, ids: np.ndarray) -> np.ndarray:
    return np.ones(len(ids), bool) if mask is None else mask
