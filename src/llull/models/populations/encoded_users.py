"""People known from a few of their judgments by an encoder of sets, without fitting anything for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from llull.errors import InputError
from llull.models.fitting.learning import Learning, learn
from llull.models.fitting.part import PROJECTION, Part, Parts
from llull.models.heads.head import Head, Hidden
from llull.models.links.link import Link
from llull.models.populations.per_annotator import check_named
from llull.models.populations.population import OfAnnotators, check_told
from llull.models.populations.turned import OtherVotes, directions, turned_member, turned_part, turned_weights
from llull.models.votes import Sides, Votes

_FIRST, _FIRST_BIAS, _MEAN, _SPREAD, _BASE, _TURN = "enter", "enter_bias", "mean", "spread", "base", "turn"


@dataclass(frozen=True)
class VariationalUsers(OfAnnotators):
    """Each annotator is a latent z that an encoder reads from some of its judgments; weights are w_a = w + U z_a.

    Every judgment's contrast, turned so that the preferred option stands first, goes through a layer of rectified
    units; their mean over the judgments told gives mean and log-variance of z, and

        loss = -log P(vote | z) + kl * KL(q(z | judgments told) || N(0, 1)),  z ~ q

    is learned, where the judgments told never include the vote itself (variational preference learning, Poddar et al.,
    2024; here with a mean in place of attention and weights linear in z). It starts from the directions in which
    people's judgments differ most, and ends with w and U fitted to their optimum given everyone's z. Nobody new needs a
    fit: `adapt` reads the judgments. Annotators who are not known have z = 0.

    Args:
        latent: numbers of z.
        units: of the encoder's layer.
        told: judgments that the encoder is shown in learning, at most.
        kl: weight of the divergence; with 0, z is the mean that is read, without noise.
        learning: how Adam learns.
    """

    latent: int = 8
    units: int = 64
    told: int = 8
    kl: float = 0.01
    learning: Learning = field(default_factory=lambda: Learning(learning_rate=3e-3, patience=10, weight_decay=0.3))

    def __post_init__(self) -> None:
        if min(self.latent, self.units, self.told) < 1 or self.kl < 0:
            raise InputError("latent, units and told must be at least 1, and kl not negative")

    def fit(self, votes: Votes, head: Head, link: Link, l2: float | None, seed: int, names: tuple[str, ...]) -> Parts:
        """Learn encoder and directions, then read everyone's judgments."""
        check_named(votes, "annotator", type(self).__name__)
        below = head.learn(votes, link, seed)
        contrasts = head.contrast(below, votes.sides())
        arrays = self._learn(votes, contrasts, link, seed)
        numbers = self._by_others(arrays, votes, contrasts)
        arrays[_BASE], arrays[_TURN] = turned_weights(contrasts, votes, numbers, link, seed)
        center = np.zeros(self.latent)
        shared = turned_part(votes, head, link, l2, seed, names, below, arrays[_BASE], arrays[_TURN], center)
        parts = Parts(shared, {}, arrays)
        return self._read(parts, votes, contrasts, link)

    def adapt(self, parts: Parts, votes: Votes, head: Head, link: Link, strength: float | None) -> Parts:
        """Read the judgments of new annotators; ``strength`` has no meaning here."""
        if strength is not None:
            raise InputError("this population reads judgments and fits nothing, so it takes no strength")
        check_told(votes)
        assert parts.shared is not None
        below = {name: array for name, array in parts.shared.hidden.items() if name != PROJECTION}
        return self._read(parts, votes, head.contrast(below, votes.sides()), link)

    def spread(self, parts: Parts, part: Part) -> np.ndarray | None:
        """Of the latents z ~ N(0, 1) of people who are not known."""
        return np.diag([0.0] + [1.0] * self.latent) if part is parts.shared else None

    def _read(self, parts: Parts, votes: Votes, contrasts: np.ndarray, link: Link) -> Parts:
        assert parts.shared is not None
        said = self._entered(parts.arrays, contrasts)
        members = dict(parts.members)
        for code in np.unique(votes.member[votes.member >= 0]):
            mine = votes.member == code
            mean = np.average(said[mine], axis=0, weights=votes.weight[mine]) @ parts.arrays[_MEAN]
            name = votes.members[code]
            members[name] = turned_member(parts.shared, contrasts[mine], votes.select(mine), mean, link)
        return Parts(parts.shared, members, parts.arrays)

    def _by_others(self, arrays: Hidden, votes: Votes, contrasts: np.ndarray) -> np.ndarray:
        """z [n, q] of who gave each vote, read from that person's other votes."""
        said = self._entered(arrays, contrasts) @ arrays[_MEAN] * votes.weight[:, None]
        known = votes.member >= 0
        member = votes.member[known]
        summed, count = np.zeros((len(votes.members), self.latent)), np.zeros(len(votes.members))
        np.add.at(summed, member, said[known])
        np.add.at(count, member, votes.weight[known])
        found = np.zeros((len(votes), self.latent))
        others = np.maximum(count[member] - votes.weight[known], 0)
        found[known] = (summed[member] - said[known]) / np.where(others > 1e-12, others, np.inf)[:, None]
        return found

    def _entered(self, arrays: Any, contrasts: Any) -> Any:
        return (contrasts @ arrays[_FIRST] + arrays[_FIRST_BIAS]).clip(0)

    def _learn(self, votes: Votes, contrasts: np.ndarray, link: Link, seed: int) -> Hidden:
        import torch

        width = contrasts.shape[1]
        rows = torch.from_numpy(contrasts).float()
        told_of = OtherVotes(votes, self.told, seed)
        noise = torch.Generator().manual_seed(seed)
        spread_of: list[Any] = []
        differing = directions(contrasts, votes, self.latent, seed)

        def start(random: np.random.Generator) -> Hidden:
            return {
                _FIRST: differing @ random.normal(size=(self.latent, self.units)) * (2 / self.latent) ** 0.5,
                _FIRST_BIAS: np.zeros(self.units),
                _MEAN: random.normal(size=(self.units, self.latent)) * self.units**-0.5,
                _SPREAD: random.normal(size=(self.units, self.latent)) * 1e-2,
                _BASE: np.zeros(width),
                _TURN: differing @ random.normal(size=(self.latent, self.latent)) * self.latent**-0.5,
            }

        def margin(learned: dict[str, Any], sides: Sides, which: np.ndarray) -> Any:
            others, there = told_of(which)
            whose, place = np.nonzero(there)
            shown = self._entered(learned, rows[others[whose, place]])
            mask = torch.from_numpy(there).float()
            summed = shown.new_zeros(len(which), self.units).index_add(0, torch.from_numpy(whose), shown)
            pooled = summed / mask.sum(1).clamp(min=1)[:, None]
            mean = pooled @ learned[_MEAN]
            log_variance = (pooled @ learned[_SPREAD]).clamp(-4, 4) - 2
            z = mean
            if self.kl > 0 and torch.is_grad_enabled():
                z = mean + (log_variance / 2).exp() * torch.randn(mean.shape, generator=noise)
                spread_of[:] = [0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(1).mean()]
            z = z * mask.any(1)[:, None]
            return rows[which] @ learned[_BASE] + ((rows[which] @ learned[_TURN]) * z).sum(1)

        def penalty(learned: dict[str, Any]) -> Any:
            return self.kl * spread_of[0]

        return learn(start, margin, votes, link, seed, self.learning, penalty=penalty if self.kl > 0 else None).arrays
