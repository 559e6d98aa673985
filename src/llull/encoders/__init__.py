"""Numbers from content: encoders of options, with a cache."""

from llull.encoders.concat import Concat
from llull.encoders.encoder import Encoder, encoder_from_config
from llull.encoders.hidden_states import HiddenStates
from llull.encoders.one_hot import OneHot
from llull.encoders.precomputed import Precomputed
from llull.encoders.sentences import SentenceEncoder
from llull.encoders.statistics import TextStatistics

__all__ = [
    "Concat",
    "Encoder",
    "HiddenStates",
    "OneHot",
    "Precomputed",
    "SentenceEncoder",
    "TextStatistics",
    "encoder_from_config",
]
