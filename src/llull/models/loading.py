"""One function that reads every kind of saved model."""

from __future__ import annotations

from pathlib import Path

from llull.models import saving
from llull.models.ensemble import Ensemble, is_ensemble, load_ensemble
from llull.models.model import PreferenceModel
from llull.models.two_step import TwoStep, is_two_step
from llull.models.utility_model import UtilityModel, is_utility_model, load_utility_model

SavedModel = PreferenceModel | UtilityModel | TwoStep | Ensemble
"""What `load_model` reads; all of these predict pairs and give options a utility."""


def load_model(folder: str | Path) -> SavedModel:
    """Read what the ``save`` of any model wrote, and check that it is whole.

    Args:
        folder: of a `PreferenceModel`, of a model of ratings, shares or rankings, of a `TwoStep` or of an `Ensemble`.

    Raises:
        InputError: it holds no model; or a file is missing, damaged or from another version, or a model says other
            than when it was saved.
    """
    for is_one, load in _KINDS:
        if is_one(folder):
            return load(folder)
    return saving.load_model(folder)


def is_model(folder: str | Path) -> bool:
    """Whether `load_model` reads this folder, if nothing in it is damaged."""
    return any(is_one(folder) for is_one, _ in _KINDS) or (Path(folder) / "model.json").is_file()


_KINDS = (
    (is_ensemble, load_ensemble),
    (is_two_step, TwoStep.load),
    (is_utility_model, load_utility_model),
)
