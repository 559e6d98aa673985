"""What an encoder is: options in, rows of numbers out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from llull.errors import InputError
from llull.judgments.views import Options


class Encoder(ABC):
    """Turns unique options, under their contexts, into rows of numbers.

    An encoder is a value: `fit` returns another one, and encoding changes nothing that can be seen. Encoders with the
    same ``fingerprint`` give the same numbers for the same options.
    """

    kinds: ClassVar[dict[str, type[Encoder]]] = {}
    """Every kind of encoder, by name of its class."""

    @property
    def encodes_contexts(self) -> bool:
        """Whether `encode_contexts` gives features."""
        return False

    @property
    def reads_answers(self) -> bool:
        """Whether `fit` learns from what judgments say of options, so that it must see training data alone."""
        return False

    def __init_subclass__(cls) -> None:
        Encoder.kinds[cls.__name__] = cls

    def fit(self, options: Options) -> Encoder:
        """An encoder that has learned what it needs from these options; this one itself, if it learns nothing."""
        return self

    @abstractmethod
    def encode(self, options: Options, progress: bool = True) -> np.ndarray:
        """Features of each option: float32 [number of options, number of features].

        Args:
            options: unique options under their contexts.
            progress: show a bar on a terminal's standard error where encoding takes long.
        """

    def encode_contexts(self, options: Options, progress: bool = True) -> np.ndarray:
        """Features of each context: float32 [number of contexts, number of their features].

        Args:
            options: whose contexts they are, in the numbering of ``options.context``.
            progress: as in `encode`.

        Raises:
            InputError: if this encoder has none.
        """
        raise InputError(
            f"{type(self).__name__} encodes no contexts, which this model reads; use SentenceEncoder or a Concat of it"
        )

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """A name for each feature."""

    @property
    def descriptions(self) -> tuple[str, ...]:
        """What each feature measures, in words; empty where that means nothing to a person. By default the names."""
        return self.names

    @property
    def indicators(self) -> np.ndarray:
        """bool [number of features]: whether it is 0 or 1 for belonging to a kind, and so has no scale to divide by."""
        return np.zeros(len(self.names), bool)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is worth telling about the options encoded so far, in sentences."""
        return ()

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Changes whenever anything changes that changes the numbers."""

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """What makes the same encoder again, learned state included, as JSON values."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Encoder:
        """Make the encoder that `config` describes."""
        return cls(**config)

    def to_config(self) -> dict[str, Any]:
        """`config` with the kind of encoder, for `encoder_from_config`."""
        return {"encoder": type(self).__name__, **self.config()}


def encoder_from_config(config: dict[str, Any]) -> Encoder:
    """Make the encoder that `Encoder.to_config` described.

    Raises:
        InputError: there is no such kind of encoder.
    """
    settings = dict(config)
    kind = settings.pop("encoder")
    if kind not in Encoder.kinds:
        raise InputError(f"there is no encoder {kind!r}; known are {', '.join(sorted(Encoder.kinds))}")
    return Encoder.kinds[kind].from_config(settings)
