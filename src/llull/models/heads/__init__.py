"""The head axis: what a pair of options looks like to a vector of weights."""

from llull.models.heads.head import Head
from llull.models.heads.linear import Linear
from llull.models.heads.mlp import MLP

__all__ = ["MLP", "Head", "Linear"]
