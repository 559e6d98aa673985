"""Prediction in two steps where nobody says the criterion: which one is likely, then who wins under each.

P(a over b | x) = sum_z P(z | x) P(a over b | x, z): a context x leaves the criterion z open, and an error comes either
from the wrong criterion or from the wrong judgment under the right one (Pitis et al., 2024). `TwoStep.split` tells how
much comes from where.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from scipy.special import softmax

from llull.errors import InputError
from llull.judgments import Preferences
from llull.judgments.views import Options, Pairs
from llull.models.criteria import known_criteria, under
from llull.models.fitting.multinomial import multinomial, with_constant
from llull.models.model import PreferenceModel
from llull.models.saving import load_model
from llull.models.votes import Scaling

_FACTS = "two_step.json"


@dataclass(frozen=True)
class ErrorSplit:
    """Where errors come from; all but ``judgments`` are shares of judgments with a winner."""

    told: float
    """Wrong when told the criterion: what is wrong in the second step alone."""
    picked: float
    """Wrong under the likeliest criterion of the context."""
    averaged: float
    """Wrong with all criteria averaged by how likely they are."""
    wrong_criterion: float
    """Judgments for which another criterion than theirs is the likeliest."""
    judgments: int

    @property
    def from_criterion(self) -> float:
        """Of ``picked``, what not knowing the criterion adds; below 0 where the picked one happens to do better."""
        return self.picked - self.told


class TwoStep:
    """A model under each criterion, and how likely each criterion is in a context.

    The second is a multinomial logistic regression of the criterion on the encoder's features of contexts, with the
    penalty that predicts a fifth of the contexts best.

    Args:
        model: one that reads criteria, with ``criteria="names"`` or ``"texts"`` or the population `PerCriterion`, on
            an encoder that encodes contexts.

    Raises:
        InputError: if the model or its encoder do not.
    """

    def __init__(self, model: PreferenceModel) -> None:
        if model.criteria is None and model.population.member_noun != "criterion":
            raise InputError(
                "the model of a TwoStep must read criteria: give it criteria='names' or the population PerCriterion"
            )
        self.model = model

    # Learned state; set by `fit`.
    criteria_: tuple[str, ...]
    scaling_: Scaling
    weights_: np.ndarray
    """float64 [e + 1, criteria]; the last row is for a constant."""

    def fit(self, preferences: Preferences | Pairs) -> TwoStep:
        """Fit both steps to judgments that say their criterion; returns itself."""
        pairs = self.model.pairs(preferences)
        pairs = pairs.select((pairs.criterion >= 0) & (pairs.weight > 0))
        self.criteria_ = known_criteria(pairs)
        self.model.fit(pairs)
        if not self.model.encoder_.encodes_contexts:
            raise InputError(
                f"{type(self.model.encoder_).__name__} encodes no contexts, from which a TwoStep tells the criterion"
            )
        rows = self.model.encoder_.encode_contexts(pairs.options)
        self.scaling_ = Scaling.of_rows(rows)
        counts = np.zeros((len(rows), len(self.criteria_)))
        names = np.array([self.criteria_.index(name) if name in self.criteria_ else -1 for name in pairs.criteria])
        np.add.at(counts, (self._context(pairs), names[pairs.criterion]), pairs.weight)
        kept = counts.sum(axis=1) > 0
        self.weights_ = multinomial(self.scaling_.apply(rows)[kept], counts[kept], self.model.seed)
        return self

    def pairs(self, preferences: Preferences | Pairs) -> Pairs:
        """As `PreferenceModel.pairs`."""
        return self.model.pairs(preferences)

    def likely(self, preferences: Preferences | Pairs) -> np.ndarray:
        """How likely each of ``criteria_`` is for each pair, by its context: float64 [n, criteria]."""
        pairs = self.model.pairs(preferences)
        return self._likely_in(pairs.options)[self._context(pairs)]

    def prob(self, pairs: Preferences | Pairs, how: Literal["average", "pick"] = "average") -> np.ndarray:
        """P(winner preferred to loser) without a look at the pair's own criterion: float64 [n].

        Args:
            pairs: to predict.
            how: average all criteria by how likely they are, or take the likeliest alone.
        """
        pairs = self.model.pairs(pairs)
        likely = self.likely(pairs)
        if how == "pick":
            likely = (np.arange(likely.shape[1]) == likely.argmax(axis=1)[:, None]).astype(np.float64)
        each = np.stack([self.model.prob(under(pairs, name)) for name in self.criteria_], axis=1)
        return (likely * each).sum(axis=1)

    def uncertainty(self, pairs: Preferences | Pairs) -> np.ndarray:
        """Standard error of each pair's margin: float64 [n], in log-odds.

        As of a mixture it is the mean variance over criteria, as if it were known which one counts; how likely each
        is, is taken as known.
        """
        pairs = self.model.pairs(pairs)
        each = np.stack([self.model.uncertainty(under(pairs, name)) for name in self.criteria_], axis=1)
        return np.sqrt((self.likely(pairs) * each**2).sum(axis=1))

    def utility(self, options: Options) -> np.ndarray:
        """Utility of each option, averaged over the criteria by how likely they are in its context: float64 [m]."""
        likely = self._likely_in(options)[options.context]
        each = np.stack([self.model.utility(options, criterion=name) for name in self.criteria_], axis=1)
        return (likely * each).sum(axis=1)

    def split(self, preferences: Preferences | Pairs) -> ErrorSplit:
        """Where errors come from, on judgments that say their criterion.

        Raises:
            InputError: if none has both a criterion and a winner.
        """
        pairs = self.model.pairs(preferences)
        pairs = pairs.select(~pairs.tie & (pairs.weight > 0) & (pairs.criterion >= 0))
        if len(pairs) == 0:
            raise InputError("no judgment says both a criterion and a winner, so there is no error to split")
        told, picked, averaged = (
            float(np.average((1 - np.sign(prob - 0.5)) / 2, weights=pairs.weight))
            for prob in (self.model.prob(pairs), self.prob(pairs, "pick"), self.prob(pairs))
        )
        likeliest = self.likely(pairs).argmax(axis=1)
        said = np.array([self.criteria_.index(name) if name in self.criteria_ else -1 for name in pairs.criteria])
        wrong = float(np.average(likeliest != said[pairs.criterion], weights=pairs.weight))
        return ErrorSplit(told, picked, averaged, wrong, len(pairs))

    def save(self, folder: str | Path) -> Path:
        """Write both steps to a folder; `load` reads it."""
        folder = Path(folder)
        self.model.save(folder / "model")
        arrays = {"center": self.scaling_.center, "scale": self.scaling_.scale, "weights": self.weights_}
        facts = {"criteria": list(self.criteria_), **{name: array.tolist() for name, array in arrays.items()}}
        (folder / _FACTS).write_text(json.dumps(facts), encoding="utf-8")
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> TwoStep:
        """Read what `save` wrote.

        Raises:
            InputError: if a file is missing or damaged.
        """
        path = Path(folder) / _FACTS
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            found = cls(load_model(Path(folder) / "model"))
            found.criteria_ = tuple(facts["criteria"])
            found.scaling_ = Scaling(np.array(facts["center"]), np.array(facts["scale"]))
            found.weights_ = np.array(facts["weights"])
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"{folder} holds no saved TwoStep ({error}); save it again") from None
        return found

    def _likely_in(self, options: Options) -> np.ndarray:
        """How likely each criterion is in each context of some options: float64 [contexts, criteria]."""
        rows = self.scaling_.apply(self.model.encoder_.encode_contexts(options))
        return softmax(with_constant(rows) @ self.weights_, axis=1)

    @staticmethod
    def _context(pairs: Pairs) -> np.ndarray:
        return pairs.options.context[pairs.winner]


def is_two_step(folder: str | Path) -> bool:
    """Whether this folder was written by `TwoStep.save`."""
    return (Path(folder) / _FACTS).is_file()
