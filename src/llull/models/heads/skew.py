"""A head for preferences that may go round in circles."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from llull.errors import InputError
from llull.models.fitting.learning import Learning
from llull.models.heads.head import Hidden
from llull.models.heads.learned import LearnedHead, joined, softplus
from llull.models.votes import Sides


@dataclass(frozen=True)
class SkewEmbedding(LearnedHead):
    """Options are points v = V x in planes; a beats b by sum_k s_k(c) (v_a[2k] v_b[2k+1] - v_a[2k+1] v_b[2k]).

    Each plane holds a cycle such as rock, paper, scissors, which no utility can (general preference model, Zhang et
    al., 2024). ``scales`` lets each plane's scale s_k depend on the context, as softplus(c . e_k), if the encoder
    encodes contexts. ``utility`` adds a plain utility, so that what is transitive needs no plane.

    Args:
        planes: k, half the embedding's dimensions.
        scales: whether scales depend on the context.
        utility: whether there is a plain utility beside the planes.
        learning: how Adam learns V.
    """

    planes: int = 4
    scales: bool = False
    utility: bool = True
    learning: Learning = field(default_factory=lambda: Learning(learning_rate=3e-3, patience=8, restarts=3))

    def __post_init__(self) -> None:
        if self.planes < 1:
            raise InputError(f"planes={self.planes} leaves no room for a cycle; give at least 1")

    @property
    def reads_context(self) -> bool:
        """Whether scales depend on the context."""
        return self.scales

    def start(self, features: int, contexts: int, random: np.random.Generator) -> Hidden:
        """A normal matrix [d, 2 planes], and scales that are equal."""
        found: Hidden = {"embedding": random.normal(size=(features, 2 * self.planes)) * features**-0.5}
        if self.scales:
            found["scale"] = random.normal(size=(contexts, self.planes)) * 1e-2
        return found

    def contrast(self, hidden: Hidden, sides: Sides) -> Any:
        """What each plane says [n, planes], beside the differences of features."""
        first, second = sides.winner @ hidden["embedding"], sides.loser @ hidden["embedding"]
        turned = first[:, ::2] * second[:, 1::2] - first[:, 1::2] * second[:, ::2]
        if self.scales:
            turned = turned * softplus(sides.context @ hidden["scale"])
        return joined(sides.winner - sides.loser, turned) if self.utility else turned

    def basis(self, hidden: Hidden, rows: np.ndarray, context: np.ndarray | None = None) -> None:
        """None: where preferences go in circles there is no utility."""
        return None
