"""Several encoders side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from llull.encoders.encoder import Encoder, encoder_from_config
from llull.errors import InputError
from llull.judgments.views import Options


class Concat(Encoder):
    """The features of several encoders, one after another.

    Args:
        encoders: at least one.
    """

    def __init__(self, encoders: Sequence[Encoder]) -> None:
        if not encoders:
            raise InputError("Concat needs at least one encoder")
        self.encoders = tuple(encoders)

    def fit(self, options: Options) -> Concat:
        """Each of them, fitted."""
        return Concat([encoder.fit(options) for encoder in self.encoders])

    def encode(self, options: Options, progress: bool = True) -> np.ndarray:
        """float32 [m, sum of the encoders' widths]"""
        return np.concatenate([encoder.encode(options, progress) for encoder in self.encoders], axis=1)

    @property
    def reads_answers(self) -> bool:
        """Whether one of them does."""
        return any(encoder.reads_answers for encoder in self.encoders)

    @property
    def encodes_contexts(self) -> bool:
        """Whether one of them does."""
        return any(encoder.encodes_contexts for encoder in self.encoders)

    def encode_contexts(self, options: Options, progress: bool = True) -> np.ndarray:
        """Those that encode contexts, side by side: float32 [number of contexts, sum of their widths]."""
        able = [encoder for encoder in self.encoders if encoder.encodes_contexts]
        if not able:
            return super().encode_contexts(options, progress)
        return np.concatenate([encoder.encode_contexts(options, progress) for encoder in able], axis=1)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all, in order."""
        return tuple(name for encoder in self.encoders for name in encoder.names)

    @property
    def descriptions(self) -> tuple[str, ...]:
        """Those of all, in order."""
        return tuple(description for encoder in self.encoders for description in encoder.descriptions)

    @property
    def indicators(self) -> np.ndarray:
        """Of all, in order."""
        return np.concatenate([encoder.indicators for encoder in self.encoders])

    @property
    def notes(self) -> tuple[str, ...]:
        """Those of all, in order."""
        return tuple(note for encoder in self.encoders for note in encoder.notes)

    @property
    def fingerprint(self) -> str:
        """The fingerprints of all."""
        return "concat(" + ",".join(encoder.fingerprint for encoder in self.encoders) + ")"

    def config(self) -> dict[str, Any]:
        """The configurations of all."""
        return {"encoders": [encoder.to_config() for encoder in self.encoders]}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Concat:
        """Make them again."""
        return cls([encoder_from_config(inner) for inner in config["encoders"]])
