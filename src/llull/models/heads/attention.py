"""A head that attends to latent attributes of an option, as the question and the option itself suggest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from llull.errors import InputError
from llull.models.fitting.learning import Learning
from llull.models.heads.head import Hidden
from llull.models.heads.learned import LearnedHead, joined, softmax, tanh
from llull.models.votes import Sides

_RISE = 0.75
"""The share of all learning over which the share of steps without attributes would rise from 0 to 1."""


@dataclass(frozen=True)
class Attention(LearnedHead):
    """Utility is t h . u + sum_k g_k v_k . a_k: a text h, and attributes a_k by how far each is attended to.

    g = softmax over attributes of s . tanh(W_q [c, h] + W_k a_k + e_k): additive attention, with the context and the
    text as the query (PrefPalette, Li et al., 2025). The features of options are those of the text first and the
    attributes last; attributes come from elsewhere, such as `AspectScores` learned from options that differ in one of
    them, and stay as they are while this head learns.

    In a share of the learning steps attributes are left out altogether, which teaches the text to judge alone where
    attributes are missing at prediction (at 0, their average).

    Args:
        attributes: how many; all features if not given, and then there is no text.
        width: numbers of each attribute.
        keys: width of queries and keys.
        dropout: the share of steps without attributes; it rises from 0 over the first steps.
        learning: how Adam learns what is below v.
    """

    attributes: int | None = None
    width: int = 1
    keys: int = 16
    dropout: float = 0.1
    learning: Learning = field(default_factory=lambda: Learning(learning_rate=3e-3, weight_decay=0.1, restarts=2))

    def __post_init__(self) -> None:
        if self.width < 1 or self.keys < 1 or (self.attributes is not None and self.attributes < 2):
            raise InputError(
                f"attributes={self.attributes}, width={self.width} and keys={self.keys}: attention needs at least 2 "
                "attributes, of at least 1 number each"
            )
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout={self.dropout} is no share from 0 to below 1")

    @property
    def reads_context(self) -> bool:
        """Yes."""
        return True

    def start(self, features: int, contexts: int, random: np.random.Generator) -> Hidden:
        """Attention that is nearly even."""
        number = self.attributes if self.attributes is not None else features // self.width
        text = features - number * self.width
        if text < 0 or (self.attributes is None and text):
            raise InputError(f"{number} attributes of {self.width} numbers do not fit {features} features")
        found: Hidden = {
            "query": random.normal(size=(contexts + text, self.keys)) * (contexts + text) ** -0.5,
            "key": random.normal(size=(self.width, self.keys)) * self.width**-0.5 * 0.1,
            "name": random.normal(size=(number, self.keys)) * 0.5,
            "score": random.normal(size=self.keys) * 0.5,
        }
        if text:
            found["text"] = random.normal(size=(text, 1)) * text**-0.5 * 0.1
        return found

    def contrast(self, hidden: Hidden, sides: Sides) -> Any:
        """Differences of the text's score, if there is a text, and of attended attributes: [n, (1 +) k * width]."""
        return self.basis(hidden, sides.winner, sides.context) - self.basis(hidden, sides.loser, sides.context)

    def in_step(self, hidden: Hidden, contrasts: Any, progress: float, random: np.random.Generator) -> Any:
        """In some steps, without what attributes say; where there is no text, all of it stays."""
        if "text" not in hidden or random.random() >= min(self.dropout, progress / _RISE):
            return contrasts
        kept = np.zeros(contrasts.shape[1])
        kept[0] = 1.0
        return contrasts * contrasts.new_tensor(kept)

    def basis(self, hidden: Hidden, rows: Any, context: Any = None) -> Any:
        """The text's score, if there is a text, and attributes by how far they are attended to."""
        number = len(hidden["name"])
        text, values = rows[:, : -number * self.width], rows[:, -number * self.width :]
        shares = self.shares(hidden, rows, context)
        attended = (shares[:, :, None] * values.reshape(len(rows), number, self.width)).reshape(len(rows), -1)
        return joined(text @ hidden["text"], attended) if "text" in hidden else attended

    def weighed(self, features: int) -> np.ndarray:
        """Positions of the attributes among all features: int [attributes].

        Raises:
            InputError: if attributes have more than one number each.
        """
        if self.width > 1:
            raise InputError(f"attributes of {self.width} numbers have no weight that is one number")
        return np.arange(features)[-(self.attributes or features) :]

    def shares(self, hidden: Hidden, rows: Any, context: Any) -> Any:
        """How far each attribute is attended to, relative to even attention: [m, attributes], on average 1."""
        number = len(hidden["name"])
        text, values = rows[:, : -number * self.width], rows[:, -number * self.width :]
        asked = joined(context, text) if "text" in hidden else context
        keys = values.reshape(len(rows), number, self.width) @ hidden["key"] + hidden["name"]
        scores = tanh((asked @ hidden["query"])[:, None, :] + keys) @ hidden["score"]
        return softmax(scores) * number
