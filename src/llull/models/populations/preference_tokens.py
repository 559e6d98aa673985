"""People known from a few of their judgments by which tokens of a shared bank these are near to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from llull.errors import InputError
from llull.models.fitting.learning import Learning, is_learning, learn
from llull.models.fitting.part import PROJECTION, Part, Parts
from llull.models.heads.head import Head, Hidden
from llull.models.heads.learned import softmax
from llull.models.links.link import Link
from llull.models.populations.per_annotator import check_named
from llull.models.populations.population import OfAnnotators, check_told
from llull.models.populations.turned import OtherVotes, directions, turned_member, turned_part, turned_weights
from llull.models.votes import Sides, Votes

_ENTER, _BANK, _BASE, _TURN = "enter", "bank", "base", "turn"


@dataclass(frozen=True)
class PreferenceTokens(OfAnnotators):
    """Weights are w_a = w + U z_a, with z_a the shares of tokens that a person's judgments are near to.

    Each judgment's contrast d_i, turned so that the preferred option stands first, is projected to E' d_i. With h their
    sum over the judgments told, and tokens t_k, the shares z_a = softmax_k(h . t_k) are a person's numbers: what
    judgments say of tokens adds up, as log-likelihoods do, and someone of whom nothing is told has equal shares.
    Learned is, by votes that are never among those told,

        loss of the margin u(+) - u(-), which contrasts the options  (contrastive loss)
        + mean of log(1 + exp(-u(+))) and log(1 + exp(u(-))), each option alone
        - pull * cos(h, nearest token)

    (UserPrefMLLM, 2024, with features in place of a multimodal language model, and one utility in place of logits of a
    word for liked and one for disliked). It starts from the directions in which people's judgments differ most, and
    ends with w and U fitted to their optimum given everyone's shares. Nobody new needs a fit: `adapt` reads the
    judgments.

    Args:
        tokens: in the bank.
        latent: numbers of a token.
        told: judgments that are told in learning, at most.
        pull: weight of the nearness of judgments and tokens.
        learned_from: what the loss is of: pairs, options alone, or both.
        learning: how Adam learns.
    """

    tokens: int = 10
    latent: int = 4
    told: int = 8
    pull: float = 0.1
    learned_from: Literal["pairs", "options", "both"] = "both"
    learning: Learning = field(default_factory=lambda: Learning(learning_rate=3e-3, patience=5, weight_decay=1.0))

    def __post_init__(self) -> None:
        if min(self.tokens, self.latent, self.told) < 1 or self.pull < 0:
            raise InputError("tokens, latent and told must be at least 1, and pull not negative")
        if self.learned_from not in ("pairs", "options", "both"):
            raise InputError(f"learned_from={self.learned_from!r} is nothing to learn from; it is pairs, options, both")

    def fit(self, votes: Votes, head: Head, link: Link, l2: float | None, seed: int, names: tuple[str, ...]) -> Parts:
        """Learn the bank and what it is read by, then read everyone's judgments."""
        check_named(votes, "annotator", type(self).__name__)
        below = head.learn(votes, link, seed)
        contrasts = head.contrast(below, votes.sides())
        arrays = self._learn(votes, head, below, contrasts, link, seed)
        known = votes.member >= 0
        entered = self._entered(arrays, votes, contrasts)
        summed = np.zeros((len(votes.members), self.latent))
        np.add.at(summed, votes.member[known], entered[known])
        numbers = np.full((len(votes), self.tokens), 1 / self.tokens)
        # What a vote is predicted by is read from the person's other votes.
        numbers[known] = _shares(summed[votes.member[known]] - entered[known], arrays[_BANK])
        base, turn = turned_weights(contrasts, votes, numbers, link, seed)
        center = np.full(self.tokens, 1 / self.tokens)
        shared = turned_part(votes, head, link, l2, seed, names, below, base, turn, center)
        return self._read(Parts(shared, {}, arrays), votes, contrasts, link)

    def adapt(self, parts: Parts, votes: Votes, head: Head, link: Link, strength: float | None) -> Parts:
        """Read the judgments of new annotators; ``strength`` has no meaning here."""
        if strength is not None:
            raise InputError("this population reads judgments and fits nothing, so it takes no strength")
        check_told(votes)
        assert parts.shared is not None
        below = {name: array for name, array in parts.shared.hidden.items() if name != PROJECTION}
        return self._read(parts, votes, head.contrast(below, votes.sides()), link)

    def spread(self, parts: Parts, part: Part) -> np.ndarray | None:
        """Of the people known, for those who are not."""
        if part is not parts.shared or len(parts.members) < 2:
            return None
        return np.cov(np.stack([one.weights for one in parts.members.values()]).T)

    def nearest(self, parts: Parts) -> dict[str, int]:
        """The token, by its number, that each person known is nearest to."""
        return {name: int(np.argmax(part.weights[1:])) for name, part in parts.members.items()}

    def _read(self, parts: Parts, votes: Votes, contrasts: np.ndarray, link: Link) -> Parts:
        assert parts.shared is not None
        members = dict(parts.members)
        entered = self._entered(parts.arrays, votes, contrasts)
        for code in np.unique(votes.member[votes.member >= 0]):
            mine = votes.member == code
            numbers = _shares(entered[mine].sum(axis=0)[None], parts.arrays[_BANK])[0]
            name = votes.members[code]
            members[name] = turned_member(parts.shared, contrasts[mine], votes.select(mine), numbers, link)
        return Parts(parts.shared, members, parts.arrays)

    @staticmethod
    def _entered(arrays: dict[str, np.ndarray], votes: Votes, contrasts: np.ndarray) -> np.ndarray:
        """What each vote says [n, q]; ties say nothing."""
        return contrasts * np.where(votes.tie, 0.0, votes.weight)[:, None] @ arrays[_ENTER]

    def _learn(
        self, votes: Votes, head: Head, below: Hidden, contrasts: np.ndarray, link: Link, seed: int
    ) -> dict[str, np.ndarray]:
        import torch

        rows = torch.from_numpy(contrasts).float()
        clear = torch.from_numpy(np.where(votes.tie, 0.0, votes.weight)).float()
        alone = None if self.learned_from == "pairs" else self._options(votes, head, below)
        others_of, random = OtherVotes(votes, self.told, seed), np.random.default_rng(seed)
        differing = directions(contrasts, votes, self.latent, seed)
        beside: list[Any] = []

        def start(random: np.random.Generator) -> dict[str, np.ndarray]:
            return {
                _ENTER: differing * 0.5,
                _BANK: random.normal(size=(self.tokens, self.latent)) * 0.5,
                _BASE: np.zeros(contrasts.shape[1]),
                _TURN: differing * 0.5,
            }

        def margin(learned: dict[str, Any], sides: Sides, which: np.ndarray) -> Any:
            others, there = others_of(which)
            count = torch.from_numpy(there).float() * clear[others]
            told = (rows[others] * count[:, :, None]).sum(1) @ learned[_ENTER]
            numbers = _shares(told, learned[_BANK]) @ learned[_BANK]

            def utility(of: Any) -> Any:
                return of @ learned[_BASE] + ((of @ learned[_TURN]) * numbers).sum(1)

            between = utility(rows[which])
            if not is_learning():
                return between
            cosine = torch.nn.functional.cosine_similarity(told[:, None], learned[_BANK][None], dim=2)
            beside[:] = [-self.pull * cosine.max(1).values.mean()]
            if alone is None:
                return between
            liked, disliked = utility(alone[0][which]), utility(alone[1][which])
            if self.learned_from == "options":
                first = torch.from_numpy(random.random(len(which)) < 0.5)
                return liked.where(first, -disliked)
            softplus = torch.nn.functional.softplus
            both = (softplus(-liked) + softplus(disliked)) / 2
            beside[0] = beside[0] + (both * clear[which]).sum() / clear[which].sum().clamp(min=1e-6)
            return between

        def penalty(learned: dict[str, Any]) -> Any:
            return beside[0]

        return learn(start, margin, votes, link, seed, self.learning, penalty=penalty).arrays

    def _options(self, votes: Votes, head: Head, below: Hidden) -> tuple[Any, Any]:
        """What the options of both sides look like alone, as tensors [n, p]."""
        import torch

        sides, found = votes.sides(), []
        for rows in (sides.winner, sides.loser):
            basis = head.basis(below, rows, sides.context)
            if basis is None:
                raise InputError(
                    f"the head {type(head).__name__} gives options no utility alone; use learned_from='pairs'"
                )
            found.append(torch.from_numpy(basis).float())
        return found[0], found[1]


def _shares(told: Any, bank: Any) -> Any:
    """Of each token [b, k], by the sums of judgments told [b, q], for arrays or tensors."""
    return softmax(told @ bank.T)
