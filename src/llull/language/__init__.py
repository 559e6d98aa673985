"""Language models: tokens, prefix trees, log-probabilities, reference caches and sampling."""

from llull.language.model import DivergenceTo, LanguageModel, TokenValues, Want
from llull.language.packing import Packed, pack
from llull.language.reference import ReferenceColumn, reference_column
from llull.language.reference_cache import ReferenceCache
from llull.language.templates import Template
from llull.language.tokens import Encoded, encode
from llull.language.trees import PrefixTree, trees_of

__all__ = [
    "DivergenceTo",
    "Encoded",
    "LanguageModel",
    "Packed",
    "PrefixTree",
    "ReferenceCache",
    "ReferenceColumn",
    "Template",
    "TokenValues",
    "Want",
    "encode",
    "pack",
    "reference_column",
    "trees_of",
]
