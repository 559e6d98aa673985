"""Preference models: features x head x link x population."""

from llull.models.aspects import AspectScores
from llull.models.coefficients import Coefficient
from llull.models.fitting.learning import Learning
from llull.models.heads import (
    MLP,
    Bilinear,
    Distances,
    Experts,
    Gated,
    Linear,
    PrincipalDirections,
    SkewEmbedding,
)
from llull.models.links import DavidsonTies, Logistic, NoisyLogistic, Probit, RaoKupperTies, ScaledLogistic
from llull.models.model import PreferenceModel
from llull.models.named import BradleyTerry, Davidson
from llull.models.populations import (
    Hierarchical,
    LowRank,
    Mixture,
    PerAnnotator,
    PerCriterion,
    PerGroup,
    Prototypes,
    Shared,
    VariationalUsers,
)
from llull.models.saving import load_model

__all__ = [
    "MLP",
    "AspectScores",
    "Bilinear",
    "BradleyTerry",
    "Coefficient",
    "Davidson",
    "DavidsonTies",
    "Distances",
    "Experts",
    "Gated",
    "Hierarchical",
    "Learning",
    "Linear",
    "Logistic",
    "LowRank",
    "Mixture",
    "NoisyLogistic",
    "PerAnnotator",
    "PerCriterion",
    "PerGroup",
    "PreferenceModel",
    "PrincipalDirections",
    "Probit",
    "Prototypes",
    "RaoKupperTies",
    "ScaledLogistic",
    "Shared",
    "SkewEmbedding",
    "VariationalUsers",
    "load_model",
]
