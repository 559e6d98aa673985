"""Published preference models, each a composition of the four axes."""

from __future__ import annotations

from llull.encoders import Encoder
from llull.models.heads import Head
from llull.models.links import DavidsonTies, Logistic
from llull.models.model import PreferenceModel
from llull.models.populations import Population


def BradleyTerry(
    features: Encoder,
    population: Population | None = None,
    *,
    head: Head | None = None,
    link: Logistic | None = None,
    l2: float | None = None,
    standardize: bool | None = None,
    seed: int = 0,
) -> PreferenceModel:
    """P(a preferred to b) = 1 / (1 + exp(-(u(a) - u(b)))), ties as half a win each unless ``link`` says otherwise.

    Linear head, logistic link (Bradley and Terry, 1952); arguments as in `PreferenceModel`.
    """
    return PreferenceModel(features, head, link or Logistic(), population, l2=l2, standardize=standardize, seed=seed)


def Davidson(
    features: Encoder,
    population: Population | None = None,
    *,
    head: Head | None = None,
    l2: float | None = None,
    standardize: bool | None = None,
    seed: int = 0,
) -> PreferenceModel:
    """Bradley-Terry with ties as outcomes of their own: win, tie and loss as exp(d/2), nu and exp(-d/2).

    Linear head, link `DavidsonTies` (Davidson, 1970); arguments as in `PreferenceModel`.
    """
    return PreferenceModel(features, head, DavidsonTies(), population, l2=l2, standardize=standardize, seed=seed)
