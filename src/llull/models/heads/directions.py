"""A head of few directions, found in the differences themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from llull.errors import InputError
from llull.models.heads.head import Head, Hidden
from llull.models.links.link import Link
from llull.models.votes import Sides, Votes, blocks


@dataclass(frozen=True)
class PrincipalDirections(Head):
    """Utility is a weighted sum over the principal directions of the winners' lead over the losers.

    The eigenvectors of sum_i weight_i (x_w - x_l)(x_w - x_l)^T with the largest eigenvalues (decomposed reward models,
    2025). With few of them, a person's weights can be found from few judgments.

    Args:
        directions: how many.
    """

    directions: int = 16

    def __post_init__(self) -> None:
        if self.directions < 1:
            raise InputError(f"directions={self.directions}: give at least 1")

    def learn(self, votes: Votes, link: Link, seed: int) -> Hidden:
        """The directions [d, k]; those of features that never differ are left out."""
        width = votes.rows.shape[1]
        total = np.zeros((width, width))
        for block in blocks(len(votes), width):
            sides = votes.select(np.arange(len(votes))[block]).sides()
            gap = (sides.winner - sides.loser) * np.sqrt(votes.weight[block])[:, None]
            total += gap.T @ gap
        values, vectors = eigh(total)
        kept = values[::-1] > 1e-12 * max(float(values.max()), 1e-300)
        return {"directions": np.ascontiguousarray(vectors[:, ::-1][:, kept][:, : self.directions])}

    def contrast(self, hidden: Hidden, sides: Sides) -> np.ndarray:
        """Differences along the directions [n, k]."""
        return (sides.winner - sides.loser) @ hidden["directions"]

    def basis(self, hidden: Hidden, rows: np.ndarray, context: np.ndarray | None = None) -> np.ndarray:
        """Features along the directions [m, k]."""
        return rows @ hidden["directions"]

    def names(self, features: tuple[str, ...]) -> tuple[str, ...]:
        """Numbered, from the widest."""
        return tuple(f"direction {k + 1}" for k in range(min(self.directions, len(features))))
