"""From judgments to a training set: tokens once, units for the objective, and a count of what was left out."""

from __future__ import annotations

from llull.align.beside import with_inputs
from llull.align.inputs import Inputs, Limits, columns_for, rated, tokenized
from llull.align.training_set import TrainingSet
from llull.align.units import units_of
from llull.judgments import Preferences
from llull.language.templates import Template
from llull.objectives import Objective


def prepare(
    preferences: Preferences,
    objective: Objective,
    template: Template,
    *,
    rating: str | None = None,
    group: str | None = None,
    limits: Limits = Limits(),
    inputs: Inputs = Inputs(),
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
        inputs: what the objective reads beside them.
        seed: of the mismatched options.

    Raises:
        InputError: if no unit is left, or the objective needs what the judgments do not have.
    """
    options, units = units_of(preferences, objective.kind, rating=rating, group=group)
    columns = {
        name: rated(preferences, aspect, required=True) for name, aspect in columns_for(objective, inputs).items()
    }
    made = tokenized(options, units, template, limits, columns, "judgments")
    return with_inputs(made, objective, preferences, options, template, limits, inputs, seed)
