"""People who were not seen: how well a model predicts them after it was told a few of their judgments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from llull.errors import InputError
from llull.evaluate.intervals import LEVEL, Estimate, mean_interval
from llull.evaluate.metrics import accuracy_values
from llull.evaluate.validation import Predictor, apart
from llull.judgments import Preferences
from llull.judgments.views import Pairs

COUNTS = (0, 2, 4, 8, 16)


class Adaptable(Predictor, Protocol):
    """A model that can be told some judgments of new people."""

    def adapt(self, judgments: Pairs) -> Adaptable:
        """A new model that also knows these people."""
        ...


@dataclass(frozen=True)
class NewPeople:
    """Some annotators, of whom no judgment is learned from: what a model is told of them, and what it is asked."""

    train: Preferences
    told: Pairs
    """Pairs of new people, in the order in which they are told."""
    rank: np.ndarray
    """int64 [told]: how many pairs of its annotator come before each."""
    asked: Pairs

    @property
    def people(self) -> int:
        """How many new people there are."""
        return len(np.unique(self.asked.annotator))

    @cached_property
    def fresh(self) -> np.ndarray:
        """bool [asked]: pairs of two options neither of which was in a pair that the same person was told of.

        Of an option that a model was told of, it may remember what this person thinks, and know nothing of the person.
        """
        size = len(self.told.options)
        seen = np.concatenate([_whose(self.told.winner, self.told, size), _whose(self.told.loser, self.told, size)])
        sides = (self.asked.winner, self.asked.loser)
        return ~np.any([np.isin(_whose(side, self.asked, size), seen) for side in sides], axis=0)


@dataclass(frozen=True)
class Adaptation:
    """Accuracy on people who were not seen, by how many of their judgments the model was told."""

    model: str
    by_count: dict[int, Estimate]
    """Intervals are clustered by annotator."""
    prob: dict[int, np.ndarray]
    """float64 [asked]: the probability given to what was preferred."""
    fresh: dict[int, Estimate] = field(default_factory=dict)
    """Accuracy on pairs of options of which the person had judged none (see `NewPeople.fresh`); empty where fewer than
    100 pairs are such, or all."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        found = {"accuracy": self.by_count, "accuracy_on_fresh_options": self.fresh}
        told = {name: {str(m): e.to_dict() for m, e in values.items()} for name, values in found.items() if values}
        return {"model": self.model, **told}


_FEWEST_FRESH = 100


def _whose(option: np.ndarray, pairs: Pairs, size: int) -> np.ndarray:
    return pairs.annotator.astype(np.int64) * size + option


def new_people(
    preferences: Preferences, *, share: float = 0.2, most_told: int = max(COUNTS), least_asked: int = 4, seed: int = 0
) -> NewPeople:
    """Hold out some of the annotators who judged enough.

    Args:
        preferences: the judgments.
        share: of those annotators.
        most_told: pairs that a model may be told of each.
        least_asked: pairs that each is asked about at least.
        seed: of the choice and the order.

    Raises:
        InputError: if fewer than two annotators judged enough.
    """
    pairs = preferences.pairs()
    rng = np.random.default_rng(seed)
    known = pairs.annotator >= 0
    count = np.bincount(pairs.annotator[known], minlength=len(pairs.annotators))
    able = np.flatnonzero(count >= most_told + least_asked)
    if len(able) < 2:
        raise InputError(
            f"{len(able)} annotators have {most_told + least_asked} pairs or more; unseen people cannot be measured"
        )
    chosen = rng.permutation(able)[: max(round(share * len(able)), 1)]
    new = np.isin(pairs.annotator, chosen)
    rows = np.unique(pairs.judgment[new])
    train = preferences.select(np.setdiff1d(np.arange(len(preferences)), rows))
    order = rng.permutation(np.flatnonzero(new))
    order = order[np.argsort(pairs.annotator[order], kind="stable")]
    starts = np.searchsorted(pairs.annotator[order], np.unique(pairs.annotator[order]))
    rank = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    told = rank < most_told
    return NewPeople(train, pairs.select(order[told]), rank[told], pairs.select(order[~told]))


def adaptation(
    model: Predictor, people: NewPeople, *, name: str, counts: Sequence[int] = COUNTS, level: float = LEVEL
) -> Adaptation:
    """Fit a model to everyone else, then tell it more and more judgments of the new people.

    A model whose population has no annotators is told nothing: it says the same however much is known.

    Args:
        model: fitted or not; a copy is fitted.
        people: held out.
        name: of the model.
        counts: judgments told of each.
        level: of the intervals.
    """
    fitted: Any = apart(model).fit(people.train)
    decided = ~people.asked.tie
    asked = {"all": decided, "fresh": decided & people.fresh}
    found: dict[str, dict[int, Estimate]] = {"all": {}, "fresh": {}}
    prob = {}
    for count in counts:
        told = people.told.select(people.rank < count)
        knows = fitted
        if len(told) and getattr(getattr(fitted, "population", None), "member_noun", "") == "annotator":
            knows = fitted.adapt(told)
        said = np.asarray(knows.prob(people.asked), np.float64)
        prob[count] = said
        for which, mask in asked.items():
            if which == "fresh" and (int(mask.sum()) < _FEWEST_FRESH or mask.sum() == decided.sum()):
                continue
            right = accuracy_values(said[mask], np.ones(int(mask.sum())))
            clusters, weight = people.asked.annotator[mask], people.asked.weight[mask]
            found[which][count] = mean_interval(right, clusters, weight, level=level)
    return Adaptation(name, found["all"], prob, found["fresh"])
