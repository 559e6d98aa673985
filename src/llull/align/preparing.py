"""From judgments to a training set: tokens once, units for the objective, and a count of what was left out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from llull.align.training_set import MISMATCHED, TrainingSet
from llull.align.units import units_of
from llull.errors import InputError
from llull.judgments import Preferences
from llull.language.templates import Template
from llull.language.tokens import Cutting, encode
from llull.objectives import Objective
from llull.objectives.axes import Needs
from llull.objectives.batch import MAIN


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


def prepare(
    preferences: Preferences,
    objective: Objective,
    template: Template,
    *,
    rating: str | None = None,
    group: str | None = None,
    limits: Limits = Limits(),
    seed: int = 0,
) -> TrainingSet:
    """Judgments as a training set for an objective.

    Args:
        preferences: the judgments.
        objective: says which kind of units, and which named units, it reads.
        template: how contexts and options become tokens.
        rating: make the order from ratings under this aspect.
        group: a key for the units' group.
        limits: of tokens.
        seed: of the mismatched options.

    Raises:
        InputError: if no unit is left, or the objective needs what the judgments do not have.
    """
    options, units = units_of(preferences, objective.kind, rating=rating, group=group)
    encoded = encode(
        options, template, max_tokens=limits.max_tokens, max_prompt_tokens=limits.max_prompt_tokens, cut=limits.cut
    )
    named = units.options
    whole = (torch.from_numpy(encoded.kept)[named.clamp(min=0)] | (named < 0)).all(dim=1)
    notes = [line for line in [encoded.cut.line()] if line]
    if not bool(whole.all()):
        notes.append(f"{int((~whole).sum()):,} of {len(units):,} judgments left out with their options")
        units = units.select(whole)
    if not len(units):
        raise InputError("no judgment is left: all have options longer than max_tokens; raise it, or say how to cut")
    made = TrainingSet(
        prompts=encoded.prompts,
        options=encoded.options,
        scored=encoded.scored,
        prompt=encoded.prompt.astype(np.int64),
        units={MAIN: replace(units, index=torch.arange(len(units)))},
        notes=tuple(notes),
    )
    return _complete(made, objective.needs, seed)


def _complete(made: TrainingSet, needs: Needs, seed: int) -> TrainingSet:
    if MISMATCHED in needs.units:
        made = made.with_mismatched(seed)
    missing = sorted((needs.units - set(made.units)) | (needs.columns - set(made.columns)))
    if missing:
        raise InputError(
            f"this objective needs {', '.join(missing)} beside the judgments: give them to a TrainingSet in Python"
        )
    return made
