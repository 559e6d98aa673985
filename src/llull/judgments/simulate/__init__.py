"""Judgments by simulated annotators whose tastes are known: what every proof and the demonstration stand on."""

from llull.judgments.simulate.demonstration import demo
from llull.judgments.simulate.judging import Simulated, Truth, judge, pair_probabilities
from llull.judgments.simulate.pool import Pool, embedded_options, pool_of
from llull.judgments.simulate.population import Annotators, Community, Population
from llull.judgments.simulate.wording import ATTRIBUTES, worded_options

__all__ = [
    "ATTRIBUTES",
    "Annotators",
    "Community",
    "Pool",
    "Population",
    "Simulated",
    "Truth",
    "demo",
    "embedded_options",
    "judge",
    "pair_probabilities",
    "pool_of",
    "worded_options",
]
