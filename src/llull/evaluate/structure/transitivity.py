"""Do preferences go round in circles, as rock, paper and scissors do? Cycles among options that met, with a null."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from llull.encoders import Encoder
from llull.errors import InputError
from llull.evaluate.comparison import paired_differences
from llull.evaluate.intervals import Estimate, nothing
from llull.evaluate.structure.answers import answers, named_options
from llull.evaluate.structure.finding import LEVEL, Finding, p_value, said, span
from llull.evaluate.structure.tastes import one_taste
from llull.evaluate.validation import cross_validate
from llull.judgments import Preferences
from llull.judgments.views import Pairs
from llull.models import BradleyTerry, PreferenceModel
from llull.models.heads import SkewEmbedding

_MOST_NAMES = 200
_MOST_TRIPLES = 20_000
_WEAK = 0.1


@dataclass(frozen=True)
class Cycle:
    """Three options of which each mostly wins over the next, and the last over the first."""

    names: tuple[str, str, str]
    shares: tuple[float, float, float]
    """How often the first won over the second, the second over the third, the third over the first."""
    votes: int
    """Decided comparisons among the three."""


@dataclass(frozen=True)
class Transitivity(Finding):
    """Whether majorities go round in circles more than chance makes them."""

    question = "Do preferences go round in circles?"

    triples: int
    """Three options of which each met each other."""
    cycles: int
    """Of these, how many majorities go round in a circle."""
    expected: float
    """Cycles that chance makes where every option has one strength."""
    p: float
    """P-value of the strength of all cycles together; NaN where there are no triples."""
    most: tuple[Cycle, ...]
    """The clearest cycles."""
    reason: str = ""

    @property
    def found(self) -> bool:
        """Whether there are circles beyond chance."""
        return self.p <= LEVEL

    @property
    def verdict(self) -> str:
        """One sentence that answers the question."""
        if self.reason:
            return f"The data cannot tell whether preferences go round in circles: {self.reason}."
        counted = (
            f"{self.cycles:,} of {self.triples:,} triples of options are circles, and chance makes "
            f"{self.expected:,.1f} ({said(self.p)})"
        )
        if not self.found:
            return f"No sign of preferences that go round in circles: {counted}."
        first = self.most[0] if self.most else None
        example = f"; the clearest: {first.names[0]} over {first.names[1]} over {first.names[2]}" if first else ""
        return f"Preferences go round in circles beyond chance: {counted}{example}. No ranking can express that."


@dataclass(frozen=True)
class CyclicGain(Finding):
    """Whether a model that allows circles predicts held-out contexts better than one that cannot."""

    question = "Does a model that allows circles predict better?"

    accuracy: Estimate
    """Accuracy of the model that allows circles minus that of the one that does not; by context."""
    log_loss: Estimate
    """The same of log-loss; negative is better."""
    reason: str = ""

    @property
    def found(self) -> bool:
        """Whether allowing circles helps beyond chance."""
        return self.log_loss.high < 0

    @property
    def verdict(self) -> str:
        """One sentence that answers the question."""
        if self.reason:
            return f"The data cannot tell whether allowing circles predicts better: {self.reason}."
        points = f"{span(self.accuracy, 100, '+.1f', '')} points"
        loss = f"{span(self.log_loss, 1, '+.3f', '')} of log-loss"
        if self.found:
            return f"A model that allows circles predicts held-out contexts better: {points} of accuracy, {loss}."
        if self.log_loss.low > 0:
            return f"A model that allows circles predicts held-out contexts worse: {points} of accuracy, {loss}."
        return f"Allowing circles makes no difference beyond chance on held-out contexts: {points} of accuracy, {loss}."


def transitivity(pairs: Pairs, *, draws: int = 199, seed: int = 0) -> Transitivity:
    """Count circles among options that are known by name, and set them against chance.

    Options are their sources (models, authors, items) where every option has one, and themselves elsewhere; only the
    200 most judged count. A triple is three of which every two were compared. Its strength as a cycle is the least of
    the three majorities, each in standard errors, (wins - losses) / sqrt(wins + losses), if they go round, and 0 if
    not; the test statistic is the sum over triples. Its null: comparisons simulated from a fitted Bradley-Terry model,
    as many for each two options, and as alike where several people saw the same texts (beta-binomial). Cycles of
    majorities are evidence against any ranking, not only against that model, but the null is the model: where some
    comparisons are easier than one strength for each option allows, it may expect too few or too many. Comparisons
    read off one ranking have no circles among them, which makes the test cautious.

    Args:
        pairs: whose options recur.
        draws: from the null.
        seed: of the draws.
    """
    met = _meetings(pairs)
    names = met.names
    wins = met.tally(met.wins)
    triples = _triples((wins + wins.T) > 0, np.random.default_rng(seed))
    if len(triples) == 0:
        reason = "no three options were all compared with each other"
        return Transitivity(0, 0, math.nan, math.nan, (), reason)
    x = np.zeros((len(met.low), len(names)))
    x[np.arange(len(x)), met.low] = 1.0
    x[np.arange(len(x)), met.high] = -1.0
    prob = expit(x @ one_taste(x, met.wins, met.total, _WEAK).weights[0])
    alike = met.alike(prob)
    strength = cycle_strength(wins, triples)
    rng = np.random.default_rng(seed)
    null, counts = [], []
    for _ in range(draws):
        drawn = met.tally(rng.binomial(met.total.astype(int), _scattered(prob, alike, rng)))
        simulated = cycle_strength(drawn, triples)
        null.append(np.abs(simulated).sum())
        counts.append(int((simulated != 0).sum()))
    p = p_value(float(np.abs(strength).sum()), np.array(null))
    clearest = np.argsort(-np.abs(strength), kind="stable")[:3]
    shown = tuple(_cycle(names, wins, triples[t], bool(strength[t] > 0)) for t in clearest if strength[t] != 0)
    return Transitivity(len(triples), int((strength != 0).sum()), float(np.mean(counts)), p, shown)


def cyclic_gain(preferences: Preferences, features: Encoder, *, folds: int = 3, seed: int = 0) -> CyclicGain:
    """Set a model with circles (a skew-symmetric embedding; GPM, 2024) beside Bradley and Terry's, out of sample.

    Args:
        preferences: the judgments.
        features: of options.
        folds: of the cross-validation by context.
        seed: of all randomness.
    """
    try:
        line = cross_validate(BradleyTerry(features), preferences, folds=folds, seed=seed, name="ranking", baselines=())
        circle = PreferenceModel(features, SkewEmbedding(), seed=seed)
        rounds = cross_validate(circle, preferences, folds=folds, seed=seed, name="circles", baselines=())
    except InputError as fault:
        return CyclicGain(nothing(), nothing(), str(fault).rstrip("."))
    change = {d.metric: d.change for d in paired_differences(line, rounds) if not d.by}
    return CyclicGain(change["accuracy"], change["log_loss"])


def cycle_strength(wins: np.ndarray, triples: np.ndarray) -> np.ndarray:
    """How clearly each triple (i, j, k) goes round: float64 [t], positive for i over j over k over i, 0 for no cycle.

    Args:
        wins: float64 [m, m], how often the row won over the column.
        triples: int [t, 3].
    """
    total = wins + wins.T
    lead = (wins - wins.T) / np.sqrt(np.maximum(total, 1))
    i, j, k = triples.T
    sides = np.stack([lead[i, j], lead[j, k], lead[k, i]])
    return np.maximum(sides.min(axis=0), 0) + np.minimum(sides.max(axis=0), 0)


@dataclass(frozen=True)
class _Meetings:
    """Decided comparisons, counted for each two options as they were shown; arrays [items]."""

    names: Sequence[str]
    low: np.ndarray
    """int, index into ``names``; the other is ``high``."""
    high: np.ndarray
    wins: np.ndarray
    """Of ``low`` over ``high``."""
    total: np.ndarray

    def tally(self, wins: np.ndarray) -> np.ndarray:
        """How often each name won over each other: float64 [m, m]."""
        found = np.zeros((len(self.names), len(self.names)))
        np.add.at(found, (self.low, self.high), wins)
        np.add.at(found, (self.high, self.low), self.total - wins)
        return found

    def alike(self, prob: np.ndarray) -> float:
        """How far answers about the same two texts resemble each other more than others about the same two names do.

        An intraclass correlation; 0 where each two names met with one text each. Where a model's answer to one
        question is bad, all who see it vote against it, and their votes are not so many independent facts.
        """
        pair = self.low * len(self.names) + self.high
        _, place, count = np.unique(pair, return_inverse=True, return_counts=True)
        if (count == 1).all():
            return 0.0
        rest = self.wins - self.total * prob
        within = self.wins * (1 - prob) ** 2 + (self.total - self.wins) * prob**2
        in_item = float((rest**2 - within).sum())
        item_couples = float((self.total * (self.total - 1)).sum())
        in_pair = float((np.bincount(place, rest) ** 2).sum() - (rest**2).sum())
        pair_couples = float((np.bincount(place, self.total) ** 2).sum() - (self.total**2).sum())
        if not item_couples:
            return 0.0
        variance = float((self.total * prob * (1 - prob)).sum() / self.total.sum())
        return min(max((in_item / item_couples - in_pair / pair_couples) / variance, 0.0), 0.9)


def _meetings(pairs: Pairs) -> _Meetings:
    """Decided comparisons of the most judged options."""
    every, code = named_options(pairs)
    given = answers(pairs)
    first, second = code[given.first], code[given.second]
    used = (given.says != 0.5) & (first != second)
    judged = np.bincount(np.concatenate([first[used], second[used]]), minlength=len(every))
    kept = np.argsort(-judged, kind="stable")[:_MOST_NAMES]
    kept = kept[judged[kept] >= 2]
    at = np.full(len(every), -1)
    at[kept] = np.arange(len(kept))
    used &= (at[first] >= 0) & (at[second] >= 0)
    first, second, says, item = at[first[used]], at[second[used]], given.says[used], given.item[used]
    _, start, place = np.unique(item, return_index=True, return_inverse=True)
    turned = first[start] > second[start]
    total = np.bincount(place, minlength=len(start)).astype(float)
    wins = np.bincount(place, says, len(start))
    low, high = np.minimum(first, second)[start], np.maximum(first, second)[start]
    return _Meetings([every[one] for one in kept], low, high, np.where(turned, total - wins, wins), total)


def _scattered(prob: np.ndarray, alike: float, rng: np.random.Generator) -> np.ndarray:
    """Chances around these, such that answers drawn by the same one have this intraclass correlation."""
    if alike == 0:
        return prob
    size = (1 - alike) / alike
    return rng.beta(prob * size, (1 - prob) * size)


def _triples(met: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    found = []
    for i in range(len(met)):
        later = i + 1 + np.flatnonzero(met[i, i + 1 :])
        j, k = np.nonzero(np.triu(met[np.ix_(later, later)], 1))
        found.append(np.stack([np.full(len(j), i), later[j], later[k]], axis=1))
    triples = np.concatenate(found) if found else np.zeros((0, 3), int)
    if len(triples) > _MOST_TRIPLES:
        triples = triples[np.sort(rng.permutation(len(triples))[:_MOST_TRIPLES])]
    return triples


def _cycle(names: Sequence[str], wins: np.ndarray, triple: np.ndarray, forward: bool) -> Cycle:
    i, j, k = (int(one) for one in (triple if forward else triple[::-1]))
    sides = ((i, j), (j, k), (k, i))
    first, second, third = (float(wins[a, b] / (wins[a, b] + wins[b, a])) for a, b in sides)
    votes = int(sum(wins[a, b] + wins[b, a] for a, b in sides))
    return Cycle((names[i], names[j], names[k]), (first, second, third), votes)
