"""The link axis: how a difference of utilities becomes the probability of each outcome."""

from llull.models.links.davidson import DavidsonTies
from llull.models.links.hinge import Hinge
from llull.models.links.link import Link
from llull.models.links.logistic import Logistic
from llull.models.links.noisy import NoisyLogistic
from llull.models.links.probit import Probit
from llull.models.links.rao_kupper import RaoKupperTies
from llull.models.links.strengths import ScaledLogistic, ShiftedLogistic

__all__ = [
    "DavidsonTies",
    "Hinge",
    "Link",
    "Logistic",
    "NoisyLogistic",
    "Probit",
    "RaoKupperTies",
    "ScaledLogistic",
    "ShiftedLogistic",
]
