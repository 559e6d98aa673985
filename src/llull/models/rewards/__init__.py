"""Rewards out of utilities: transforms, constraints and ensembles."""

from llull.models.rewards.capabilities import capability_scores
from llull.models.rewards.constraints import Constraints, proxy_points
from llull.models.rewards.ensembles import (
    Strength,
    average_weights,
    mean_of,
    penalized,
    preference_strength,
    utilities_of,
    worst_of,
)
from llull.models.rewards.generalizing import Generalizing, fit_generalizing
from llull.models.rewards.transforms import (
    chance_to_beat,
    good_in_all,
    log_sigmoid_centered,
    reference_level,
)

__all__ = [
    "Constraints",
    "Generalizing",
    "Strength",
    "average_weights",
    "capability_scores",
    "chance_to_beat",
    "fit_generalizing",
    "good_in_all",
    "log_sigmoid_centered",
    "mean_of",
    "penalized",
    "preference_strength",
    "proxy_points",
    "reference_level",
    "utilities_of",
    "worst_of",
]
