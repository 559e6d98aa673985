"""The head axis: what a pair of options looks like to a vector of weights."""

from llull.models.heads.attention import Attention
from llull.models.heads.bilinear import Bilinear
from llull.models.heads.directions import PrincipalDirections
from llull.models.heads.distances import Distances
from llull.models.heads.experts import Experts
from llull.models.heads.gated import Gated
from llull.models.heads.head import Head
from llull.models.heads.linear import Linear
from llull.models.heads.masked import Masked
from llull.models.heads.mlp import MLP
from llull.models.heads.orchestrated import Orchestrated
from llull.models.heads.skew import SkewEmbedding

__all__ = [
    "MLP",
    "Attention",
    "Bilinear",
    "Distances",
    "Experts",
    "Gated",
    "Head",
    "Linear",
    "Masked",
    "Orchestrated",
    "PrincipalDirections",
    "SkewEmbedding",
]
