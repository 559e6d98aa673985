"""Which pair to ask a person next: the one whose answer says most of who it is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import entr, log_softmax

from llull.errors import InputError
from llull.judgments.views import Pairs
from llull.models.model import PreferenceModel

_PEOPLE = 512


class Asking:
    """Chooses pairs for a new person by expected information (active queries; Poddar et al., 2024, VPL, section 4.3).

    A new person is taken for one of the people that the model already knows, each as likely as the others at first, or
    of the model's tastes where it has these. What a pair's answer y would say of which one it is

        I(y; person) = H(sum_v b_v P_v(y)) - sum_v b_v H(P_v(y))

    in nats, with b the belief by the answers so far. It is large where those who are still likely would answer
    differently, and 0 where all would say the same or where everyone is as good as undecided.

    Args:
        model: fitted, with people or tastes.
        pairs: that could be asked; what they say of who won is not read.
        strength: how much an answer counts; below 1 for people who are like none of those known.
        people: so many of those known at most, spread evenly.

    Raises:
        InputError: if the model knows nobody.
    """

    def __init__(self, model: PreferenceModel, pairs: Pairs, *, strength: float = 1.0, people: int = _PEOPLE) -> None:
        names = list(model.parts_.members)
        if not names:
            raise InputError(
                f"the population {type(model.population).__name__} knows nobody a new person could be like; "
                "use one with members, such as LowRank, Mixture or VariationalUsers"
            )
        at = np.unique(np.linspace(0, len(names) - 1, min(people, len(names))).round().astype(int))
        sides, _ = model.sides(pairs)
        said = []
        for name in (names[i] for i in at):
            part = model.parts_.members[name]
            said.append(model.link.outcomes(part.contrasts(model.head, sides) @ part.weights, part.theta))
        self._outcomes = np.stack(said)
        start = np.zeros(len(at))
        shares = model.parts_.arrays.get("prior")
        if shares is not None and len(shares) == len(at):
            start = np.log(np.maximum(shares, 1e-12))
        self._belief = log_softmax(start)
        self._open = np.ones(len(pairs), bool)
        self._strength = strength

    @property
    def belief(self) -> np.ndarray:
        """How likely the person is like each of those known: float64, summing to 1."""
        return np.exp(self._belief)

    def information(self) -> np.ndarray:
        """Of each pair's answer, in nats: float64 [n]; 0 for what was asked."""
        belief = self.belief
        together = entr(np.tensordot(belief, self._outcomes, 1)).sum(axis=1)
        apart = np.tensordot(belief, entr(self._outcomes).sum(axis=2), 1)
        return np.where(self._open, np.maximum(together - apart, 0), 0.0)

    def next(self) -> int:
        """The position of the pair to ask now.

        Raises:
            InputError: if all were asked.
        """
        if not self._open.any():
            raise InputError(f"all {len(self._open)} pairs were asked; give more")
        return int(np.argmax(np.where(self._open, self.information(), -1.0)))

    def tell(self, pair: int, answer: int) -> None:
        """Take the answer to a pair: 0 the winner it names is preferred, 1 neither, 2 the loser."""
        likely = self._outcomes[:, pair, answer]
        if answer == 1 and not likely.any():
            # Where the link has no ties, a tie is half a win for each side.
            likely = np.sqrt(self._outcomes[:, pair, 0] * self._outcomes[:, pair, 2])
        belief = self._belief + self._strength * np.log(np.maximum(likely, 1e-12))
        self._belief = log_softmax(belief)
        self._open[pair] = False


def ask(asking: Asking, answered: Pairs, count: int) -> Iterator[int]:
    """Positions of so many pairs in the order in which they are asked of someone whose answers are known.

    Args:
        asking: over the same pairs.
        answered: whose winners and ties are this person's answers.
        count: at most all.
    """
    for _ in range(min(count, len(answered))):
        pair = asking.next()
        asking.tell(pair, 1 if answered.tie[pair] else 0)
        yield pair
