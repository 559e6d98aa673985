"""Two people disagree about a pair: how much of it is noise, and how much a difference between them?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from llull.encoders import Encoder
from llull.errors import InputError
from llull.evaluate.intervals import Estimate, bootstrap_interval, nothing
from llull.evaluate.structure.answers import Answers, answers
from llull.evaluate.structure.finding import Finding, span
from llull.evaluate.validation import fold_of_judgments
from llull.judgments import Preferences
from llull.judgments.views import Pairs
from llull.models import PerAnnotator, PreferenceModel

_LEAST = 10
_LEAST_FORESEEN = 100


@dataclass(frozen=True)
class Disagreement(Finding):
    """The chance that two people disagree about a pair, in parts. Shares are of all disagreement, in [0, 1]."""

    question = "How much disagreement is noise, and how much real difference?"

    between_people: Estimate
    """Chance that two annotators of a pair answer differently; intervals by pair."""
    within_person: Estimate
    """Chance that one annotator answers the same pair differently when asked again. NaN without repeated judgments."""
    noise: Estimate
    """Share of disagreement that is there when people are asked twice themselves. NaN without repeated judgments."""
    among_groups: Estimate
    """Share of disagreement that two of the same group do not have. NaN without groups."""
    among_people: Estimate
    """Share of disagreement that neither noise nor groups account for. NaN unless noise is known."""
    predicted: Estimate
    """Share of disagreement that a model of each person's taste foresees, on answers about options of which it knows
    none of theirs: at least so much is real difference, for what the features do not tell looks like noise. NaN where
    it was not fitted."""
    repeated: int
    """Times that somebody answered a pair again."""
    group: str = ""
    """What groups were told apart by."""
    reason: str = ""

    @property
    def verdict(self) -> str:
        """One sentence that answers the question."""
        if self.reason:
            return f"The data cannot tell how much disagreement is noise: {self.reason}."
        said = []
        if self.between_people.n:
            said.append(f"two people disagree about {span(self.between_people, 100)} of pairs")
        if math.isfinite(self.noise.value):
            said.append(
                f"{span(self.noise, 100)} of that is noise, for people disagree with themselves about "
                f"{span(self.within_person, 100)} when asked again"
            )
        if math.isfinite(self.among_groups.value):
            said.append(f"{span(self.among_groups, 100)} of it is difference between groups ({self.group})")
        if math.isfinite(self.among_people.value):
            said.append(f"{span(self.among_people, 100)} is difference between people beyond that")
        if math.isfinite(self.predicted.value):
            known = self.predicted.low > 0
            share = span(self.predicted, 100)
            model = f"a model of each person's taste foresees {share} of disagreement on unseen answers"
            said.append(f"{model}, which is real difference" if known else f"{model}: none beyond chance")
        if not math.isfinite(self.noise.value):
            said.append("nobody was asked the same twice, so how much of the rest is noise the data cannot tell")
        text = "; ".join(said)
        return text[:1].upper() + text[1:] + "."


def disagreement(
    preferences: Preferences,
    *,
    group: str | None = None,
    features: Encoder | None = None,
    from_ratings: bool = False,
    folds: int = 3,
    seed: int = 0,
) -> Disagreement:
    """Part the disagreement between two annotators on one pair into noise, groups and people.

    With D the chance that two answers to one pair differ (win, tie or loss; each answer weighs the same), and D_self
    that of two answers of one annotator, D_group of two annotators of one group, D_all of any two:

        D_all = D_self + (D_group - D_self) + (D_all - D_group)

    are noise, people within groups, and groups. Each difference is measured on pairs where both its terms are known,
    so that hard pairs are not set against easy ones. Without repeated answers the noise is not known, but a lower bound
    for real difference is: that part of the variance of answers which a model of each annotator foresees on held-out
    contexts beyond what the taste of all foresees, cov(y - m, q - m)^2 / var(q - m), over the mean of (y - m)^2, with y
    the answer, m and q what the two models say.

    Args:
        preferences: the judgments.
        group: what tells groups apart: one of the judgments' groups, a column or a tag.
        features: of options, for the lower bound; without them it is left out.
        from_ratings: whether pairs were made from ratings. That somebody's pair comes again is then no second answer,
            and who rates both options alike is not counted among those who disagree.
        folds: of its cross-validation.
        seed: of folds and resamples.
    """
    pairs = preferences.pairs(group=group)
    given = answers(pairs)
    given = given.select(given.annotator >= 0)
    if not len(given):
        return _unknown("no judgment names its annotator", group)
    counts = Counts.of(given)
    repeated = 0 if from_ratings else int(counts.self_couples.sum())
    overlap = int((counts.couples > 0).sum())
    predicted = _predicted(preferences, features, folds, seed) if features is not None else nothing()
    if overlap < _LEAST and not math.isfinite(predicted.value):
        return _unknown(f"only {overlap} pairs were judged by two annotators or more", group)
    between = counts.chance("couples", "differing", seed) if overlap >= _LEAST else nothing()
    within, noise, among_groups, among_people = nothing(), nothing(), nothing(), nothing()
    if repeated >= _LEAST:
        within = counts.chance("self_couples", "self_differing", seed)
        if (counts.self_couples[counts.couples > 0] > 0).sum() >= _LEAST:
            noise = counts.share_of("self_couples", "self_differing", seed)
    if group is not None and ((counts.group_couples > 0) & (counts.couples > counts.group_couples)).sum() >= _LEAST:
        among_groups = counts.share_beyond("group_couples", "group_differing", seed)
    if math.isfinite(noise.value):
        among_people = counts.remainder(math.isfinite(among_groups.value), seed)
    return Disagreement(between, within, noise, among_groups, among_people, predicted, repeated, group or "", "")


@dataclass(frozen=True)
class Counts:
    """Couples of answers to each pair, and how many of them differ; arrays [items]."""

    couples: np.ndarray
    """Of two annotators."""
    differing: np.ndarray
    self_couples: np.ndarray
    """Of one annotator."""
    self_differing: np.ndarray
    group_couples: np.ndarray
    """Of two annotators of one group."""
    group_differing: np.ndarray
    votes: np.ndarray
    """Answers."""

    @classmethod
    def of(cls, given: Answers) -> Counts:
        """Count couples by how often each answer was given on each pair, by whom and by which group."""
        items = int(given.item.max()) + 1
        outcome = (2 * given.says).astype(np.int64)
        every, every_differ = _couples(given.item, given.item, outcome, items)
        by_person = given.item * (int(given.annotator.max()) + 1) + given.annotator
        own, own_differ = _couples(by_person, given.item, outcome, items)
        grouped = given.select(given.group >= 0)
        group_all = group_differ = group_own = group_own_differ = np.zeros(items)
        if len(grouped):
            said = (2 * grouped.says).astype(np.int64)
            by_group = grouped.item * (int(grouped.group.max()) + 1) + grouped.group
            group_all, group_differ = _couples(by_group, grouped.item, said, items)
            by_person = grouped.item * (int(grouped.annotator.max()) + 1) + grouped.annotator
            group_own, group_own_differ = _couples(by_person, grouped.item, said, items)
        votes = np.bincount(given.item, minlength=items).astype(float)
        return cls(
            every - own,
            every_differ - own_differ,
            own,
            own_differ,
            group_all - group_own,
            group_differ - group_own_differ,
            votes,
        )

    def chance(self, couples: str, differing: str, seed: int) -> Estimate:
        """The chance that such a couple differs, over all pairs that have one."""
        rate, weight = self._rates(couples, differing, np.ones(len(self.votes), bool))
        return _ratio(np.stack([weight * rate, weight], axis=1), seed)

    def share_of(self, couples: str, differing: str, seed: int) -> Estimate:
        """That chance as a share of the one for two annotators, over pairs that have both."""
        both = (self.couples > 0) & (getattr(self, couples) > 0)
        part, weight = self._rates(couples, differing, both)
        whole, _ = self._rates("couples", "differing", both)
        return _ratio(np.stack([weight * part, weight * whole], axis=1), seed)

    def share_beyond(self, couples: str, differing: str, seed: int) -> Estimate:
        """One minus it."""
        found = self.share_of(couples, differing, seed)
        return Estimate(1 - found.value, 1 - found.high, 1 - found.low, found.error, found.n, found.clusters)

    def remainder(self, grouped: bool, seed: int) -> Estimate:
        """What noise, and groups if there are any, leave of the disagreement between two annotators."""
        both = (self.couples > 0) & (self.self_couples > 0)
        noise, weight = self._rates("self_couples", "self_differing", both)
        whole, _ = self._rates("couples", "differing", both)
        columns = [weight * noise, weight * whole]
        if not grouped:
            sums = np.stack(columns, axis=1)
            return bootstrap_interval(sums[both], np.flatnonzero(both), lambda t: 1 - t[:, 0] / t[:, 1], seed=seed)
        also = (self.couples > 0) & (self.group_couples > 0)
        within, group_weight = self._rates("group_couples", "group_differing", also)
        of_all, _ = self._rates("couples", "differing", also)
        sums = np.stack([*columns, group_weight * within, group_weight * of_all], axis=1)
        used = both | also
        return bootstrap_interval(
            sums[used], np.flatnonzero(used), lambda t: t[:, 2] / t[:, 3] - t[:, 0] / t[:, 1], seed=seed
        )

    def _rates(self, couples: str, differing: str, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        number, differ = getattr(self, couples), getattr(self, differing)
        used = which & (number > 0)
        rate = np.where(used, differ / np.where(number > 0, number, 1), 0.0)
        return rate, np.where(used, self.votes, 0.0)


def _couples(unit: np.ndarray, item: np.ndarray, outcome: np.ndarray, items: int) -> tuple[np.ndarray, np.ndarray]:
    """Couples of answers within units, and those that differ, summed by item: float64 [items] each."""
    _, at, place, count = np.unique(unit, return_index=True, return_inverse=True, return_counts=True)
    every = np.bincount(item[at], count * (count - 1) / 2, items)
    _, first, same = np.unique(place * 3 + outcome, return_index=True, return_counts=True)
    alike = np.bincount(item[first], same * (same - 1) / 2, items)
    return every, every - alike


def _ratio(sums: np.ndarray, seed: int) -> Estimate:
    used = sums[:, 1] > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        return bootstrap_interval(sums[used], np.flatnonzero(used), lambda t: t[:, 0] / t[:, 1], seed=seed)


def _predicted(preferences: Preferences, features: Encoder, folds: int, seed: int) -> Estimate:
    """Variance of answers that a taste of each annotator foresees beyond the common one, of that of disagreement."""
    try:
        pairs = preferences.pairs()
        fold = fold_of_judgments(preferences, folds, seed)[pairs.judgment]
        common = _held_out(PreferenceModel(features, seed=seed), pairs, fold)
        own = _held_out(PreferenceModel(features, population=PerAnnotator(), seed=seed), pairs, fold)
    except InputError:
        return nothing()
    known = ~pairs.tie & (pairs.annotator >= 0) & ~_seen(pairs, fold)
    if known.sum() < _LEAST_FORESEEN:
        return nothing()
    lead = (own - common)[known]
    rest = (1.0 - common)[known]
    # In one orientation: whether the winner or the loser counts as first changes the sign of both factors.
    sums = np.stack([rest * lead, lead**2, rest**2], axis=1)

    def share(totals: np.ndarray) -> np.ndarray:
        covariance, variance, of = totals.T
        # Keeps its sign, so that what is foreseen by chance is as often below zero as above.
        return covariance * np.abs(covariance) / np.maximum(variance, 1e-9 * of) / of

    return bootstrap_interval(sums, pairs.annotator[known], share, seed=seed)


def _held_out(model: PreferenceModel, pairs: Pairs, fold: np.ndarray) -> np.ndarray:
    found = np.empty(len(pairs))
    for one in np.unique(fold):
        fitted = model.fit(pairs.select(fold != one))
        found[fold == one] = fitted.prob(pairs.select(fold == one))
    return found


def _seen(pairs: Pairs, fold: np.ndarray) -> np.ndarray:
    """Which pairs show an option that another fold has in an answer of the same annotator: bool [n].

    What was said of that option is then known, and is no taste that is foreseen.
    """
    size = len(pairs.options)
    who = pairs.annotator.astype(np.int64) * size
    shown = np.concatenate([who + pairs.winner, who + pairs.loser])
    folds = int(fold.max()) + 1
    _, place = np.unique(shown, return_inverse=True)
    present = np.zeros((int(place.max()) + 1, folds), bool)
    present[place, np.tile(fold, 2)] = True
    elsewhere = present[place].sum(axis=1) > 1
    return elsewhere[: len(fold)] | elsewhere[len(fold) :]


def _unknown(reason: str, group: str | None) -> Disagreement:
    none = nothing()
    return Disagreement(none, none, none, none, none, none, 0, group or "", reason)
