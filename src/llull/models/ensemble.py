"""Several fits as one model, which knows what none of them does: where they differ."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np

from llull.errors import InputError
from llull.judgments import Preferences
from llull.judgments.views import Options, Pairs
from llull.models.fitting.uncertainty import Doubt, Draw
from llull.models.heads import MLP
from llull.models.heads.head import Hidden
from llull.models.model import PreferenceModel
from llull.models.rewards.ensembles import mean_of, penalized, utilities_of, worst_of
from llull.models.saving import load_model
from llull.models.votes import Sides

By = Literal["contexts", "seeds"]
_FACTS, _MEMBER = "ensemble.json", "member"


_COMBINED = {"mean": mean_of, "worst": worst_of, "penalized": penalized}


class Ensemble:
    """Fits of one model that differ by what they saw or by chance, used as one model.

    By ``seeds``, members see the same and differ in starts, order of batches and contexts held out, and so in what
    strengths are chosen (deep ensembles, Lakshminarayanan et al., 2017); what one fit leaves undetermined comes from
    its own Laplace approximation. By ``contexts``, every context has a random weight of its own in each fit, from an
    exponential distribution with mean 1 (the Bayesian bootstrap, Rubin, 1981), and members differ as fits to fresh
    samples would. That says nothing of what a penalty takes away: where people's weights are drawn to others, it is
    far too sure (see ``tests/models/test_uncertainty_coverage.py``), while it is right for one taste.

    Args:
        model: what to fit; it is left as it is.
        members: fits, at least 2.
        by: what members differ by.
        seed: of the weights of contexts, and of the members.
    """

    def __init__(self, model: PreferenceModel, members: int = 8, by: By = "seeds", seed: int = 0) -> None:
        if members < 2:
            raise InputError(f"members={members}: an ensemble has at least 2")
        if by not in ("contexts", "seeds"):
            raise InputError(f"by={by!r} is nothing that members differ by; it is contexts or seeds")
        self.model, self.members, self.by, self.seed = model, members, by, seed

    # Learned state; set by `fit`, `adapt` and `load_ensemble`.
    models_: tuple[PreferenceModel, ...]

    def fit(self, preferences: Preferences | Pairs) -> Ensemble:
        """Fit all members; returns the ensemble itself."""
        pairs = self.model.pairs(preferences)
        random = np.random.default_rng(self.seed)
        units = pairs.context if len(np.unique(pairs.context)) >= 5 else pairs.judgment
        _, unit = np.unique(units, return_inverse=True)
        fitted = []
        for _ in range(self.members):
            one = copy.copy(self.model)
            one.seed = int(random.integers(2**31))
            told = pairs
            if self.by == "contexts":
                told = replace(pairs, weight=pairs.weight * random.exponential(size=int(unit.max()) + 1)[unit])
            fitted.append(one.fit(told))
        self.models_ = tuple(fitted)
        return self

    def pairs(self, preferences: Preferences | Pairs) -> Pairs:
        """As `PreferenceModel.pairs`."""
        return self.model.pairs(preferences)

    def prob(self, pairs: Preferences | Pairs, annotator: str | None = None) -> np.ndarray:
        """P(winner preferred to loser), ties counted half: the mean over members, float64 [n]."""
        outcomes = self.outcomes(pairs, annotator)
        return outcomes[:, 0] + 0.5 * outcomes[:, 1]

    def outcomes(self, pairs: Preferences | Pairs, annotator: str | None = None) -> np.ndarray:
        """Probabilities of win, tie and loss: the mean over members, float64 [n, 3]."""
        pairs = self.pairs(pairs)
        return np.mean([one.outcomes(pairs, annotator) for one in self._fitted()], axis=0)

    def margin(self, pairs: Preferences | Pairs, annotator: str | None = None) -> np.ndarray:
        """Utility of the winner minus that of the loser: the mean over members, float64 [n], in log-odds."""
        return self.margins(pairs, annotator).mean(axis=0)

    def margins(self, pairs: Preferences | Pairs, annotator: str | None = None) -> np.ndarray:
        """Each member's margins: float64 [members, n], in log-odds."""
        pairs = self.pairs(pairs)
        return np.stack([one.margin(pairs, annotator) for one in self._fitted()])

    def uncertainty(self, pairs: Preferences | Pairs, annotator: str | None = None) -> np.ndarray:
        """Standard error of each pair's margin: float64 [n], in log-odds.

        The standard deviation between members; by ``seeds``, with the mean of their own variances added (the law of
        total variance).
        """
        pairs = self.pairs(pairs)
        variance = self.margins(pairs, annotator).var(axis=0, ddof=1)
        if self.by == "seeds":
            variance = variance + np.mean([one.uncertainty(pairs, annotator) ** 2 for one in self._fitted()], axis=0)
        return np.sqrt(variance)

    def doubt(self, pairs: Preferences | Pairs, annotator: str | None = None, draws: int = 16) -> Doubt:
        """Why each pair's answer cannot be foreseen, as `PreferenceModel.doubt`, over all members.

        Args:
            pairs: the pairs to predict.
            annotator: predict for this member of the population, instead of for the one each pair names.
            draws: by ``seeds``, quantiles of each member's margin; by ``contexts`` members are the draws.
        """
        pairs = self.pairs(pairs)
        return Doubt.over(chain.from_iterable(self._answers(pairs, annotator, draws)))

    def disagreement(self, pairs: Preferences | Pairs, annotator: str | None = None) -> np.ndarray:
        """How far people are expected to disagree on each pair: float64 [n], from 0 to 1.

        Four times the variance of the answer that no further judgments would take away: that between people, and the
        noise of each. Unlike that of one model it does not count what is not known.
        """
        doubt = self.doubt(pairs, annotator)
        return 4 * (doubt.people + doubt.noise)

    def utility(
        self,
        options: Options,
        group: str | None = None,
        annotator: str | None = None,
        combine: Literal["mean", "worst", "penalized"] = "mean",
    ) -> np.ndarray:
        """Utility of each option, in log-odds, relative to the mean of its context: float64 [m].

        Args:
            options: such as ``pairs.options``.
            group: of a population of groups.
            annotator: of a population of annotators.
            combine: the mean over members, the worst of them, or the mean less the variance
                (see `llull.models.rewards`).
        """
        if combine not in _COMBINED:
            raise InputError(f"combine={combine!r} is no way to combine; there is {', '.join(_COMBINED)}")
        return _COMBINED[combine](utilities_of(self._fitted(), options, group=group, annotator=annotator))

    def score(self, preferences: Preferences | Pairs) -> float:
        """Accuracy, as `PreferenceModel.score`, of the mean margin."""
        pairs = self.pairs(preferences)
        pairs = pairs.select(~pairs.tie & (pairs.weight > 0))
        if len(pairs) == 0:
            raise InputError("there are no pairs with a winner to score")
        return float(np.average((np.sign(self.margin(pairs)) + 1) / 2, weights=pairs.weight))

    def adapt(self, judgments: Preferences | Pairs, strength: float | None = None) -> Ensemble:
        """A new ensemble whose members also know the annotators or groups of a few judgments."""
        new = copy.copy(self)
        new.models_ = tuple(one.adapt(judgments, strength) for one in self._fitted())
        return new

    def save(self, folder: str | Path) -> Path:
        """Write the members to folders in a folder; returns its path. `load_ensemble` reads it."""
        folder = Path(folder)
        fitted = self._fitted()
        for number, one in enumerate(fitted):
            one.save(folder / f"{_MEMBER}{number}")
        facts = {"members": len(fitted), "by": self.by, "seed": self.seed}
        unfinished = folder / f"{_FACTS}.part"
        unfinished.write_text(json.dumps(facts), encoding="utf-8")
        unfinished.replace(folder / _FACTS)
        return folder

    def _fitted(self) -> tuple[PreferenceModel, ...]:
        if not hasattr(self, "models_"):
            raise InputError("this ensemble is not fitted yet; call fit first")
        return self.models_

    def _answers(self, pairs: Pairs, annotator: str | None, draws: int) -> Iterator[Iterator[Draw]]:
        for one in self._fitted():
            yield one.answers(pairs, annotator, draws if self.by == "seeds" else 0)


def dropout_doubt(
    model: PreferenceModel,
    pairs: Preferences | Pairs,
    annotator: str | None = None,
    passes: int = 10,
    seed: int = 0,
) -> Doubt:
    """Why each pair's answer cannot be foreseen, asking one model several times without some of its units.

    ``information`` is what UPO (Wang et al., 2024) calls uncertainty, by Monte Carlo dropout (Gal and Ghahramani,
    2016). It costs one fit; an `Ensemble` costs several and says more.

    Args:
        model: fitted, with a head `MLP` learned with dropout.
        pairs: the pairs to predict.
        annotator: predict for this member of the population, instead of for the one each pair names.
        passes: times it is asked.
        seed: of the units left out.
    """
    head = model.head
    if not isinstance(head, MLP) or head.dropout == 0:
        raise InputError("this model has nothing to leave out; fit one with the head MLP(dropout=0.1)")
    random = np.random.default_rng(seed)
    draws = (_thinned(model, head, random).answers(pairs, annotator, draws=0) for _ in range(passes))
    return Doubt.over(chain.from_iterable(draws))


def _thinned(model: PreferenceModel, head: MLP, random: np.random.Generator) -> PreferenceModel:
    """The same model without some units."""
    one = copy.copy(model)
    one.head = _Thinned(head.hidden, head.learning, head.dropout, int(random.integers(2**31)))
    return one


@dataclass(frozen=True)
class _Thinned(MLP):
    """Some units of a head, always the same."""

    draw: int = 0

    def contrast(self, hidden: Hidden, sides: Sides) -> np.ndarray:
        """Differences of the units that are there: [n, p]."""
        return self.sampled(hidden, sides, np.random.default_rng(self.draw))


def is_ensemble(folder: str | Path) -> bool:
    """Whether this folder was written by `Ensemble.save`."""
    return (Path(folder) / _FACTS).is_file()


def load_ensemble(folder: str | Path) -> Ensemble:
    """Read what `Ensemble.save` wrote.

    Raises:
        InputError: it is no ensemble, or one of its members cannot be read.
    """
    folder = Path(folder)
    try:
        facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{folder} is no saved ensemble: {error.strerror} ({error.filename})") from None
    except ValueError as error:
        raise InputError(f"{folder}: {_FACTS} is damaged ({error}); copy or save it again") from None
    models = tuple(load_model(folder / f"{_MEMBER}{number}") for number in range(facts["members"]))
    ensemble = Ensemble(models[0], facts["members"], facts["by"], facts["seed"])
    ensemble.models_ = models
    return ensemble
