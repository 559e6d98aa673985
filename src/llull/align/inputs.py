"""What is given to an objective beside the judgments, and options with their numbers as tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from llull.align.segments import Segments
from llull.align.training_set import TrainingSet
from llull.errors import InputError
from llull.judgments import Preferences
from llull.judgments.views import Options
from llull.language.templates import Template
from llull.language.tokens import Cutting, encode
from llull.objectives import Objective
from llull.objectives.batch import MAIN, Units

CONTEXT = "context"
"""The column that numbers the options' contexts; it needs not be given."""


@dataclass(frozen=True)
class Limits:
    """How long contexts and options may be.

    Args:
        max_tokens: of a context and one option together; what the model has positions for if not given.
        max_prompt_tokens: of a context.
        cut: what is done with what is longer: "error" stops, "drop" leaves the option and its judgments out,
            "prompt_left" cuts contexts at their beginning, "option_right" options at their end.
    """

    max_tokens: int | None = None
    max_prompt_tokens: int | None = None
    cut: Cutting = "drop"


@dataclass(frozen=True)
class Inputs:
    """What is given to an objective beside the judgments.

    Args:
        columns: for each number of options that the objective reads, the aspect whose ratings it is; an aspect of the
            same name if not given.
        beside: for each kind of named units, judgments that they are made from.
        segments: how options are cut into segments, for objectives that read them.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[str, Preferences] = field(default_factory=dict)
    segments: Segments | None = None


def tokenized(
    options: Options, units: Units, template: Template, limits: Limits, columns: Mapping[str, Tensor], what: str
) -> TrainingSet:
    """Options as tokens and the units over them; what is too long, or lacks a number, is left out and counted.

    Args:
        options: the options.
        units: over them.
        template: how they become tokens.
        limits: of tokens.
        columns: numbers of the options, NaN where unknown.
        what: the units are, for messages.

    Raises:
        InputError: if no unit is left.
    """
    encoded = encode(
        options, template, max_tokens=limits.max_tokens, max_prompt_tokens=limits.max_prompt_tokens, cut=limits.cut
    )
    notes = [line for line in [encoded.cut.line()] if line]
    left = units
    lacking = [(torch.from_numpy(encoded.kept), "with their options")]
    lacking += [(~column.isnan(), f"as an option has no rating for {name}") for name, column in columns.items()]
    for there, why in lacking:
        named = left.options
        whole = (there[named.clamp(min=0)] | (named < 0)).all(dim=1)
        if not bool(whole.all()):
            notes.append(f"{int((~whole).sum()):,} of {len(left):,} {what} left out {why}")
            left = left.select(whole)
    if not len(left):
        raise InputError(
            f"none of the {len(units):,} {what} is left: {'; '.join(notes)}. Raise max_tokens, say how to cut, or rate "
            "all options"
        )
    return TrainingSet(
        prompts=encoded.prompts,
        options=encoded.options,
        scored=encoded.scored,
        prompt=encoded.prompt.astype(np.int64),
        units={MAIN: replace(left, index=torch.arange(len(left)))},
        columns=dict(columns),
        notes=tuple(notes),
    )


def rated(preferences: Preferences, aspect: str, required: bool) -> Tensor:
    """float32 [n]: the mean rating of each option under an aspect, NaN where it has none.

    Raises:
        InputError: if the judgments rate nothing under the aspect, and it is required.
    """
    ratings = preferences.ratings()
    size = len(ratings.options)
    if aspect not in ratings.aspects:
        if not required:
            return torch.full((size,), torch.nan)
        known = ", ".join(ratings.aspects) or "none"
        raise InputError(f"these judgments rate no option for {aspect!r}; the aspects they rate: {known}")
    which = ratings.aspect == ratings.aspects.index(aspect)
    at, weight = ratings.option[which], ratings.weight[which]
    with np.errstate(invalid="ignore"):
        mean = np.bincount(at, weight * ratings.value[which], size) / np.bincount(at, weight, size)
    return torch.from_numpy(mean.astype(np.float32))


def columns_for(objective: Objective, inputs: Inputs) -> dict[str, str]:
    """The aspect of each number of options that an objective reads from ratings.

    Raises:
        InputError: if a number is given that it does not read.
    """
    read = objective.needs.columns - {CONTEXT}
    unread = sorted(set(inputs.columns) - read)
    if unread:
        raise InputError(
            f"{type(objective).__name__} reads no column {', '.join(unread)}; those it reads: "
            f"{', '.join(sorted(read)) or 'none'}"
        )
    return {name: inputs.columns.get(name, name) for name in sorted(read)}
