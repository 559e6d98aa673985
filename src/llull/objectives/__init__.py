"""Losses by which a policy learns from judgments: score x structure x link x regularisers x weights."""

from llull.objectives.batch import Batch, ListUnits, PairUnits, Scores, SingleUnits, Tokens
from llull.objectives.objective import Losses, Objective, Term
from llull.objectives.presets import PRESETS
from llull.objectives.presets.pairs import DPO

__all__ = [
    "DPO",
    "PRESETS",
    "Batch",
    "ListUnits",
    "Losses",
    "Objective",
    "PairUnits",
    "Scores",
    "SingleUnits",
    "Term",
    "Tokens",
]
