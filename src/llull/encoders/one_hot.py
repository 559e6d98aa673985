"""An indicator for each thing that is compared: models in an arena, items of a catalog."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from llull.encoders.encoder import Encoder
from llull.errors import InputError
from llull.judgments.record import content_hash
from llull.judgments.views import Options


class OneHot(Encoder):
    """One feature for each model, author or item, 1 for options that are it and 0 for others.

    A linear model on these features is classical Bradley-Terry: its weights are the strengths.

    Args:
        of: what names an option: its ``source`` (model or author) or its own ``id``. Options without a source are named
            by their id.
        values: the names, one for each feature; by default those that `fit` finds, in alphabetical order. Name them
            to have a model know items that it has no judgments of: a penalty leaves those at average strength.
    """

    def __init__(self, of: Literal["source", "id"] = "source", values: Sequence[str] | None = None) -> None:
        self.of: Literal["source", "id"] = of
        self.values = None if values is None else tuple(values)

    def fit(self, options: Options) -> OneHot:
        """An encoder with a feature for every name among these options; itself if its values were given."""
        return self if self.values is not None else OneHot(self.of, sorted(set(self._names_of(options))))

    def encode(self, options: Options, progress: bool = True) -> np.ndarray:
        """float32 [m, number of values].

        Raises:
            InputError: an option is none of the values. Nothing is known of it, and a row of zeros would stand for an
                average one.
        """
        values = self._fitted()
        names = self._names_of(options)
        place = {name: index for index, name in enumerate(values)}
        column = np.array([place.get(name, -1) for name in names], np.int64)
        if len(column) and column.min() < 0:
            unknown = Counter(name for name in names if name not in place)
            shown = ", ".join(repr(name) for name, _ in unknown.most_common(3))
            raise InputError(
                f"{len(unknown)} options were not among those fitted ({shown}); "
                "fit on judgments that hold them, or leave them out"
            )
        encoded = np.zeros((len(names), len(values)), np.float32)
        encoded[np.arange(len(names)), column] = 1.0
        return encoded

    @property
    def names(self) -> tuple[str, ...]:
        """The values."""
        return self._fitted()

    @property
    def indicators(self) -> np.ndarray:
        """All of them are."""
        return np.ones(len(self._fitted()), bool)

    @property
    def fingerprint(self) -> str:
        """What it names options by, and the values."""
        return f"one-hot({self.of},{content_hash(self._fitted())})"

    def config(self) -> dict[str, Any]:
        """What it names options by, and the values."""
        return {"of": self.of, "values": self.values}

    def _fitted(self) -> tuple[str, ...]:
        if self.values is None:
            raise InputError("OneHot does not know its values yet; fit it first, or give it values")
        return self.values

    def _names_of(self, options: Options) -> list[str]:
        ids = options.ids
        if self.of == "id":
            return ids
        return [source or id_ for source, id_ in zip(options.sources, ids, strict=True)]
