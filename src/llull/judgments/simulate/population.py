"""Who judges: communities with known tastes, and the annotators drawn from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from llull.errors import InputError


@dataclass(frozen=True)
class Community:
    """People with a common taste.

    Without an ideal point, the utility of an option with attributes x is sum_d w_d x_d. With an ideal point t, it is
    -sum_d w_d (x_d - t_d)^2: the nearer the better.
    """

    name: str
    weights: Sequence[float]
    """[d] what each attribute is worth."""
    share: float = 1.0
    """Size among the annotators, relative to the other communities'."""
    ideal: Sequence[float] | None = None
    """[d] the attributes of the best option there could be."""


@dataclass(frozen=True)
class Population:
    """Communities, and how their members answer.

    Two options a and b: z = (u_a - u_b) / temperature + position_bias * s, where s is 1 if a is shown first and -1 if b
    is. The answer follows Davidson (1970): P(a) = 1 / (1 + e^-z + ties e^(-z/2)) and
    P(tie) = ties e^(-z/2) / (1 + e^-z + ties e^(-z/2)). Each answer that is no tie is then reversed with
    probability ``flips``.

    More options: the ranking follows Plackett-Luce over u / temperature, to which the option shown first adds
    ``position_bias``. There are no ties, and ``flips`` turns the whole ranking around.
    """

    communities: tuple[Community, ...]
    annotators: int = 50
    spread: float = 0.0
    """Standard deviation of an annotator's own weights (or ideal point) around the community's."""
    temperature: float = 1.0
    """Above 0; the higher, the more random the answers."""
    flips: float = 0.0
    """Label noise in [0, 0.5]."""
    position_bias: float = 0.0
    """In logits, in favor of the option shown first."""
    ties: float = 0.0
    """Davidson's parameter, at least 0: 0 makes no ties, 1 as many ties as wins of either side between equals."""
    both_bad_below: float | None = None
    """A tie between options that are both below this utility is said to be between bad ones."""
    reasons: float = 0.0
    """Share of the answers that are no ties for which a reason is given."""
    workload_spread: float = 0.0
    """Standard deviation of the logarithm of how often each annotator is asked; 0 asks all equally often."""

    def __post_init__(self) -> None:
        widths = {len(c.weights) for c in self.communities} | {
            len(c.ideal) for c in self.communities if c.ideal is not None
        }
        if len(widths) != 1:
            raise InputError(
                f"the communities have {sorted(widths)} weights; all need the same number, and at least one"
            )
        if self.annotators < len(self.communities):
            raise InputError(f"{self.annotators} annotators cannot fill {len(self.communities)} communities")
        if self.temperature <= 0 or not 0 <= self.flips <= 0.5 or self.ties < 0:
            raise InputError("temperature must be above 0, flips in [0, 0.5] and ties at least 0")

    def sample(self, generator: np.random.Generator) -> Annotators:
        """Draw the annotators. Communities get their shares exactly, up to rounding, and at least one member each."""
        shares = np.array([community.share for community in self.communities], float)
        middle = (np.arange(self.annotators) + 0.5) / self.annotators
        member = np.searchsorted(np.cumsum(shares / shares.sum())[:-1], middle, side="right")
        # Too small a share to be met by rounding still makes a community of one.
        for index in np.setdiff1d(np.arange(len(shares)), member):
            member[np.flatnonzero(member == np.bincount(member).argmax())[0]] = index
        generator.shuffle(member)
        own = self.spread * generator.standard_normal((self.annotators, len(self.communities[0].weights)))
        has_ideal = np.array([community.ideal is not None for community in self.communities])[member]
        weights = np.array([community.weights for community in self.communities], float)[member]
        ideals = np.array([community.ideal or np.zeros(weights.shape[1]) for community in self.communities], float)[
            member
        ]
        return Annotators(
            names=tuple(f"annotator-{i:0{len(str(self.annotators - 1))}d}" for i in range(self.annotators)),
            community=member,
            weights=np.where(has_ideal[:, None], weights, weights + own),
            ideal=np.where(has_ideal[:, None], ideals + own, np.nan),
            load=np.exp(self.workload_spread * generator.standard_normal(self.annotators)),
        )


@dataclass(frozen=True)
class Annotators:
    """Sampled annotators and what they like; a of them, over d attributes."""

    names: tuple[str, ...]
    community: np.ndarray
    """int64 [a], index into the population's communities."""
    weights: np.ndarray
    """float64 [a, d]"""
    ideal: np.ndarray
    """float64 [a, d], NaN for those without an ideal point."""
    load: np.ndarray
    """float64 [a], how often each is asked, up to a factor."""

    def worth(self, attributes: np.ndarray, annotator: np.ndarray) -> np.ndarray:
        """What each attribute adds to the utility of an option.

        Args:
            attributes: [..., d]
            annotator: [...] who judges.

        Returns:
            float64 [..., d]; the sum over the last axis is the utility.
        """
        weights, ideal = self.weights[annotator], self.ideal[annotator]
        return np.where(np.isnan(ideal), weights * attributes, -weights * (attributes - np.nan_to_num(ideal)) ** 2)
