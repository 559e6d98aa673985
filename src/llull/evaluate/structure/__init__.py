"""Tests for structure: what a user must know of some data before trusting any model of it.

Do people want different things, beyond chance? How much of their disagreement is noise? Do preferences go round in
circles? Do ratings agree with rankings? Does one score for each option stand for everybody? Each test gives a small
result with a ``verdict``, one sentence, which says so plainly where the data cannot tell.
"""

from llull.evaluate.structure.densities import OneDensity, implicit_density, one_density, simulate_annotator
from llull.evaluate.structure.disagreement import Disagreement, disagreement
from llull.evaluate.structure.finding import Finding
from llull.evaluate.structure.heterogeneity import Heterogeneity, heterogeneity
from llull.evaluate.structure.protocols import AspectAgreement, Protocols, protocols
from llull.evaluate.structure.structure import Structure, structure
from llull.evaluate.structure.transitivity import Cycle, CyclicGain, Transitivity, cyclic_gain, transitivity

__all__ = [
    "AspectAgreement",
    "Cycle",
    "CyclicGain",
    "Disagreement",
    "Finding",
    "Heterogeneity",
    "OneDensity",
    "Protocols",
    "Structure",
    "Transitivity",
    "cyclic_gain",
    "disagreement",
    "heterogeneity",
    "implicit_density",
    "one_density",
    "protocols",
    "simulate_annotator",
    "structure",
    "transitivity",
]
