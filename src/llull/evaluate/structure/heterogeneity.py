"""Do people differ in what they want, beyond chance? One taste against several.

Two tests. The first asks whether what the answers of one person have in common is more than chance (a score test for
random effects), and costs nearly nothing. The second fits two tastes and asks how much likelier they make the answers
than one (a likelihood ratio). The distribution of both where everybody wants the same is simulated from the fitted
common taste, for no formula for it holds: with one taste, the share of the second is at the edge of what it can be.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from llull.encoders import Encoder
from llull.evaluate.intervals import Estimate, mean_interval, nothing
from llull.evaluate.structure.answers import Answers, answers, asked_singly, directions, disjoint
from llull.evaluate.structure.finding import LEVEL, Finding, p_value, said, span
from llull.evaluate.structure.tastes import PRIOR, held_out, one_taste, several_tastes
from llull.judgments.columns import number
from llull.judgments.views import Pairs

_LEAST_ANNOTATORS = 5


@dataclass(frozen=True)
class Heterogeneity(Finding):
    """Whether people differ beyond chance, and what knowing it is worth."""

    question = "Do people want different things?"

    annotators: int
    """With at least two answers that can be used."""
    answers: int
    """That were used."""
    spread_p: float
    """P-value of the score test; NaN where it was not made."""
    spread_null: str
    """Where its null distribution comes from: swapping answers between people, or simulating them."""
    mixture_p: float
    """P-value of two tastes against one; NaN where it was not tested."""
    ratio: float
    """Twice the log of the likelihood ratio."""
    minority: float
    """Share of annotators with the less common of two tastes."""
    gain: Estimate
    """Accuracy gained on held-out answers by knowing which taste a person has; intervals by annotator."""
    reason: str = ""
    """Why the data cannot tell, where they cannot."""

    @property
    def p(self) -> float:
        """Of both tests together: twice the smaller p-value (Bonferroni); NaN without either."""
        known = [p for p in (self.spread_p, self.mixture_p) if math.isfinite(p)]
        return min(1.0, len(known) * min(known)) if known else math.nan

    @property
    def found(self) -> bool:
        """Whether people differ beyond chance."""
        return self.p <= LEVEL

    @property
    def verdict(self) -> str:
        """One sentence that answers the question."""
        if self.reason:
            return f"The data cannot tell whether people want different things: {self.reason}."
        number_of = f"{self.annotators:,} annotators, {said(self.p)}"
        if not self.found:
            return f"No sign that people want different things ({number_of}); one taste for all fits as well as two."
        if not math.isfinite(self.mixture_p):
            return f"People want different things, beyond chance ({number_of})."
        if self.mixture_p > LEVEL:
            return f"People want different things, beyond chance ({number_of}), but not as two camps."
        gain = f"{span(self.gain, 100, '+.1f', '')} points of accuracy on answers held out"
        return (
            f"People want different things, beyond chance ({number_of}): about {self.minority:.0%} of them differ from "
            f"the rest, and knowing to which camp a person belongs changes {gain}."
        )


def heterogeneity(
    pairs: Pairs,
    features: Encoder,
    *,
    from_ratings: bool = False,
    mixture: bool = True,
    most_answers: int = 6000,
    most_directions: int = 12,
    spread_draws: int = 499,
    mixture_draws: int = 39,
    seed: int = 0,
) -> Heterogeneity:
    """Test whether annotators differ in what they want.

    Args:
        pairs: with annotators.
        features: of options; frozen.
        from_ratings: whether pairs were made from ratings, several of which show the same rating.
        mixture: whether to fit two tastes too, which takes seconds instead of a fraction of one.
        most_answers: annotators beyond these are left out at random.
        most_directions: of the features, those along which pairs differ most.
        spread_draws: from the null of the score test.
        mixture_draws: from the null of the likelihood ratio; 39 tell p-values of 0.025 and more.
        seed: of all randomness.
    """
    given = answers(pairs)
    # Indicators leave nothing about an option untold; other features do.
    told = bool(features.fit(pairs.options).indicators.all())
    given, reason = usable(given, most_answers, seed, thin=from_ratings or not told or not asked_singly(given))
    if reason:
        return Heterogeneity(0, len(given), math.nan, "", math.nan, math.nan, math.nan, nothing(), reason)
    x = directions(pairs, features, given, most_directions)
    moves = np.abs(x).max(axis=1) > 0
    given, x = given.select(moves), x[moves]
    who = number(given.annotator)[0].astype(np.int64)
    people = int(who.max()) + 1 if len(who) else 0
    if people < _LEAST_ANNOTATORS:
        reason = "the features do not tell the options apart that were compared"
        return Heterogeneity(people, len(given), math.nan, "", math.nan, math.nan, math.nan, nothing(), reason)
    rng = np.random.default_rng(seed)
    spread, null = spread_test(x, given, who, spread_draws, rng)
    p = ratio = minority = math.nan
    gain = nothing()
    if mixture:
        p, ratio, minority = mixture_test(x, given.says, who, mixture_draws, rng)
        gain = mixture_gain(x, given.says, who, rng)
    return Heterogeneity(people, len(given), spread, null, p, ratio, minority, gain)


def usable(given: Answers, most: int, seed: int, *, thin: bool) -> tuple[Answers, str]:
    """Answers of known annotators, at least two of each; or why there are too few.

    Args:
        given: all of them.
        most: annotators beyond so many answers are left out at random.
        seed: of the choice.
        thin: keep only answers that share no option with another of their annotator's.
    """
    known = given.select(given.annotator >= 0)
    if not len(known):
        return known, "no judgment names its annotator"
    if thin:
        known = known.select(disjoint(known, seed))
    count = np.bincount(known.annotator)
    known = known.select(count[known.annotator] >= 2)
    able = np.random.default_rng(seed).permutation(np.unique(known.annotator))
    if len(able) < _LEAST_ANNOTATORS:
        which = "two or more pairs that share no option" if thin else "two or more pairs"
        return known, f"{len(able)} annotators judged {which}; it takes five"
    kept = able[: max(int(np.searchsorted(np.cumsum(count[able]), most)), _LEAST_ANNOTATORS)]
    return known.select(np.isin(known.annotator, kept)), ""


def spread_test(
    x: np.ndarray, given: Answers, who: np.ndarray, draws: int, rng: np.random.Generator
) -> tuple[float, str]:
    """P-value of a score test for weights that differ between annotators, and where its null comes from.

    T = sum over annotators of |sum_i x_i r_i|^2 - sum_i |x_i r_i|^2, with r the answers less what the common taste
    predicts: how far two answers of one person deviate alike. It is the derivative of the likelihood in the variance
    of normally distributed deviations of the weights, at zero. Where most pairs were judged by several people, its
    null swaps the answers to a pair between them, which holds whatever the common taste is; elsewhere answers are
    simulated from the fitted taste, and what refitting it would take up is taken out to first order.

    Args:
        x: float64 [n, d].
        given: the answers [n].
        who: int [n], annotators from 0.
        draws: from the null.
        rng: of the draws.
    """
    wins, total = given.says, np.ones(len(x))
    fitted = one_taste(x, wins, total)
    prob = expit(x @ fitted.weights[0])
    residual = wins - prob
    times = np.bincount(given.item)[given.item]
    observed = _alike(x, residual[None], who)[0]
    if np.mean(times >= 2) > 0.5:
        return p_value(observed, _swapped(x, residual, given.item, who, draws, rng)), "answers swapped between people"
    variance = prob * (1 - prob)
    curvature = (x * variance[:, None]).T @ x + PRIOR * np.eye(x.shape[1])
    ties = float(np.mean(wins == 0.5))
    null = []
    for _ in range(0, draws, 50):
        drawn = _simulated(prob, ties, (min(50, draws - 50 * len(null)), len(x)), rng) - prob
        drawn -= (np.linalg.solve(curvature, x.T @ drawn.T).T @ x.T) * variance
        null.append(_alike(x, drawn, who))
    return p_value(observed, np.concatenate(null)), "answers simulated from one taste"


def mixture_test(
    x: np.ndarray, says: np.ndarray, who: np.ndarray, draws: int, rng: np.random.Generator
) -> tuple[float, float, float]:
    """P-value of two tastes against one, twice the log-likelihood ratio, and the share of the rarer taste.

    A parametric bootstrap (McLachlan, 1987): both models are fitted in the same way to answers simulated from the
    fitted common taste, by the same annotators to the same pairs.
    """
    total = np.ones(len(x))
    common = one_taste(x, says, total)
    prob = expit(x @ common.weights[0])
    observed, share = _ratio(x, says, total, who, rng)
    ties = float(np.mean(says == 0.5))
    null = [_ratio(x, _simulated(prob, ties, (len(x),), rng), total, who, rng)[0] for _ in range(draws)]
    return p_value(observed, np.array(null)), observed, share


def mixture_gain(x: np.ndarray, says: np.ndarray, who: np.ndarray, rng: np.random.Generator) -> Estimate:
    """Accuracy of two tastes minus that of one, on decided answers held out, half of each annotator's at a time."""
    single, double = held_out(x, says, who, rng)
    return mean_interval(_right(double, says) - _right(single, says), who)


def _alike(x: np.ndarray, residual: np.ndarray, who: np.ndarray) -> np.ndarray:
    """T for residuals [b, n]: float64 [b]."""
    starts = np.flatnonzero(np.diff(np.sort(who), prepend=-1))
    order = np.argsort(who, kind="stable")
    found = np.empty(len(residual))
    for row, r in enumerate(residual):
        scores = x * r[:, None]
        sums = np.add.reduceat(scores[order], starts, axis=0)
        found[row] = (sums**2).sum() - (scores**2).sum()
    return found


def _swapped(
    x: np.ndarray, residual: np.ndarray, item: np.ndarray, who: np.ndarray, draws: int, rng: np.random.Generator
) -> np.ndarray:
    by_item = np.argsort(item, kind="stable")
    found = []
    for _ in range(draws):
        mixed = np.lexsort((rng.random(len(item)), item))
        drawn = np.empty(len(item))
        drawn[by_item] = residual[mixed]
        found.append(_alike(x, drawn[None], who)[0])
    return np.array(found)


def _simulated(prob: np.ndarray, ties: float, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Answers with the given chance of 1 in 1 or 0, and as many ties, of half a win, as there were."""
    drawn = (rng.random(shape) < prob).astype(float)
    if ties:
        drawn[rng.random(shape) < ties] = 0.5
    return drawn


def _ratio(
    x: np.ndarray, says: np.ndarray, total: np.ndarray, who: np.ndarray, rng: np.random.Generator
) -> tuple[float, float]:
    mixed = several_tastes(x, says, total, who, 2, rng)
    return 2 * (mixed.likelihood - one_taste(x, says, total).likelihood), float(mixed.share.min())


def _right(prob: np.ndarray, says: np.ndarray) -> np.ndarray:
    right = np.where(prob == 0.5, 0.5, (prob > 0.5) == (says > 0.5)).astype(float)
    return np.where(says == 0.5, np.nan, right)
