"""The link axis: how a difference of utilities becomes the probability of each outcome."""

from llull.models.links.davidson import DavidsonTies
from llull.models.links.link import Link
from llull.models.links.logistic import Logistic
from llull.models.links.noisy import NoisyLogistic

__all__ = ["DavidsonTies", "Link", "Logistic", "NoisyLogistic"]
