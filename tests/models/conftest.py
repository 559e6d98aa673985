"""Small judgments with known features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from llull.encoders import Encoder
from llull.judgments import Judgment, Preferences, named_option, prompt
from llull.judgments.views import Options


class Table(Encoder):
    """Features that are looked up by the option's name."""

    def __init__(self, names: Sequence[str], rows: np.ndarray, labels: Sequence[str] | None = None) -> None:
        self.place = {name: i for i, name in enumerate(names)}
        self.rows = np.asarray(rows, np.float32)
        self.labels = tuple(labels or (f"f{j}" for j in range(self.rows.shape[1])))

    @property
    def names(self) -> tuple[str, ...]:
        return self.labels

    @property
    def fingerprint(self) -> str:
        return f"table of {float(self.rows.sum())}"

    def encode(self, options: Options, progress: bool = True) -> np.ndarray:
        return self.rows[[self.place[source] for source in options.sources]]

    def config(self) -> dict:
        return {"names": list(self.place), "rows": self.rows.tolist()}


class World:
    """Options with features, and judgments of pairs of them."""

    def __init__(self, rows: np.ndarray) -> None:
        self.rows = rows.astype(np.float32)
        self.names = [f"o{i}" for i in range(len(rows))]
        self.judgments: list[Judgment] = []

    def encoder(self) -> Table:
        return Table(self.names, self.rows)

    def vote(self, winner: int, loser: int, tie: bool = False, context: str = "", **fields) -> None:
        options = [named_option(self.names[winner]), named_option(self.names[loser])]
        ranking = [[0, 1]] if tie else [[0], [1]]
        self.judgments.append(Judgment(options, prompt(context) if context else [], ranking=ranking, **fields))

    def preferences(self) -> Preferences:
        return Preferences.from_judgments(self.judgments)


def simulated(
    seed: int = 0, votes: int = 400, features: int = 4, ties: float = 0.0, annotators: int = 0, weights=None
) -> World:
    """Votes of logistic noise on two fresh options under each context; a share of them tied at random."""
    rng = np.random.default_rng(seed)
    world = World(rng.normal(size=(2 * votes, features)))
    truth = rng.normal(size=features) if weights is None else np.asarray(weights)
    margin = (world.rows[::2] - world.rows[1::2]) @ truth
    won = rng.random(votes) < 1 / (1 + np.exp(-margin))
    tied = rng.random(votes) < ties
    for i in range(votes):
        first, second = (2 * i, 2 * i + 1) if won[i] else (2 * i + 1, 2 * i)
        annotator = f"a{i % annotators}" if annotators else None
        world.vote(first, second, bool(tied[i]), context=f"c{i}", annotator=annotator)
    return world


@pytest.fixture
def simulate():
    return simulated


@pytest.fixture
def world():
    return World
