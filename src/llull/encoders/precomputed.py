"""Features that were made elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from llull.encoders.encoder import Encoder
from llull.errors import InputError
from llull.judgments.record import content_hash
from llull.judgments.views import Options


class Precomputed(Encoder):
    """Vectors of your own, by option id (see `llull.judgments.views.Options.ids`).

    Args:
        vectors: a vector for each option id, all of one length.
        names: a name for each feature; without them the features are numbered and count as not described.
    """

    def __init__(self, vectors: Mapping[str, Sequence[float] | np.ndarray], names: Sequence[str] | None = None) -> None:
        if not vectors:
            raise InputError("Precomputed needs at least one vector")
        self._place = {id_: row for row, id_ in enumerate(vectors)}
        try:
            self._rows = np.array(list(vectors.values()), np.float32)
        except ValueError:
            raise InputError("the vectors given to Precomputed do not all have the same length") from None
        if self._rows.ndim != 2:
            raise InputError(
                f"the vectors given to Precomputed have {self._rows.ndim - 1} dimensions each; they need one"
            )
        if names is not None and len(names) != self._rows.shape[1]:
            raise InputError(f"Precomputed was given {len(names)} names for {self._rows.shape[1]} features")
        self._names = None if names is None else tuple(names)

    def encode(self, options: Options, progress: bool = True) -> np.ndarray:
        """float32 [m, d]. Raises InputError for an option that has no vector."""
        ids = options.ids
        missing = [id_ for id_ in ids if id_ not in self._place]
        if missing:
            raise InputError(f"{len(missing)} options have no precomputed vector (the first has id {missing[0]!r})")
        return self._rows[[self._place[id_] for id_ in ids]]

    @property
    def names(self) -> tuple[str, ...]:
        """The names given, or numbers."""
        return self._names or tuple(f"feature {number}" for number in range(self._rows.shape[1]))

    @property
    def descriptions(self) -> tuple[str, ...]:
        """The names given; empty where there are none."""
        return self._names or ("",) * self._rows.shape[1]

    @property
    def fingerprint(self) -> str:
        """Hash of ids and vectors."""
        return f"precomputed({content_hash([list(self._place), self._rows.tobytes().hex()])})"

    def config(self) -> dict[str, Any]:
        """Ids, vectors and names."""
        vectors = {id_: self._rows[row].astype(float).tolist() for id_, row in self._place.items()}
        return {"vectors": vectors, "names": self._names}
