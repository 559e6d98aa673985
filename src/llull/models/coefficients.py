"""Coefficients as a table for reports."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from llull.models.fitting.part import PROJECTION, Parts
from llull.models.fitting.uncertainty import margin_variance


@dataclass(frozen=True)
class Coefficient:
    """One feature's effect in one part of a model."""

    member: str | None
    """The group or annotator; None for the shared part."""
    feature: str
    description: str
    """What it measures, which is what its name says; empty where the name means nothing to a person."""
    coefficient: float
    """Change of the log-odds for one scale of the feature."""
    error: float
    """Standard error, clustered by annotator and context."""
    low: float
    high: float


def coefficient_table(
    parts: Parts, names: tuple[str, ...], descriptions: tuple[str, ...], level: float
) -> list[Coefficient]:
    """All coefficients with normal intervals at this level; annotators drawn to a shared part get
    the standard errors of the Laplace approximation. Weights of directions are told as those of what directions are of.
    """
    width = float(ndtri(0.5 + level / 2))
    named = ([(None, parts.shared)] if parts.shared else []) + list(parts.members.items())
    table = []
    for member, part in named:
        # Row j is what a difference of 1 in the j-th of the names alone looks like to the weights.
        units = part.hidden.get(PROJECTION, np.eye(len(names)))
        errors = part.errors
        if PROJECTION in part.hidden or not len(errors):
            errors = np.sqrt(margin_variance(units, part, parts.shared))
        rows = zip(names, descriptions, (units @ part.weights).tolist(), errors.tolist(), strict=True)
        table += [Coefficient(member, *row, row[2] - width * row[3], row[2] + width * row[3]) for row in rows]
    return table
