"""Preference models: features x head x link x population."""

from llull.models.coefficients import Coefficient
from llull.models.fitting.learning import Learning
from llull.models.heads import MLP, Linear
from llull.models.links import DavidsonTies, Logistic, NoisyLogistic
from llull.models.model import PreferenceModel
from llull.models.named import BradleyTerry, Davidson
from llull.models.populations import PerAnnotator, PerGroup, Shared
from llull.models.saving import load_model

__all__ = [
    "MLP",
    "BradleyTerry",
    "Coefficient",
    "Davidson",
    "DavidsonTies",
    "Learning",
    "Linear",
    "Logistic",
    "NoisyLogistic",
    "PerAnnotator",
    "PerGroup",
    "PreferenceModel",
    "Shared",
    "load_model",
]
