"""Can what everybody prefers be read as one distribution over the options?

If the chance that a is preferred to b is p(a) / (p(a) + p(b)), utilities fitted by Bradley and Terry's model are
log p + constant, and their softmax is the annotators' density p. If it comes about in another way, by people of
different densities or by a rule that reads a density otherwise, the softmax is a density of nobody (Dumoulin et al., A
density estimation perspective on learning from pairwise human preferences, 2023).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, logsumexp

from llull.errors import InputError
from llull.evaluate.intervals import Estimate, mean_interval, nothing
from llull.evaluate.structure.answers import answers, asked_singly, named_options
from llull.evaluate.structure.finding import Finding, span
from llull.evaluate.structure.heterogeneity import usable
from llull.evaluate.structure.tastes import Tastes, held_out, one_taste, responsibilities, several_tastes
from llull.judgments.columns import number
from llull.judgments.views import Pairs

_MOST_OPTIONS = 64
_MOST_ANSWERS = 8_000
_LEAST_ANNOTATORS = 5


@dataclass(frozen=True)
class OneDensity(Finding):
    """Whether one density over the options stands for all annotators."""

    question = "Does one score for each option stand for everybody?"

    options: int
    annotators: int
    gain: Estimate
    """Log-likelihood that two tables of scores gain on each held-out answer over one; intervals by annotator."""
    shared: float
    """Overlap of the two densities, sum of min(p1, p2): 1 where they are the same, 0 where they share no option."""
    divergence: float
    """Kullback-Leibler divergence of the density read off one table from the mixture of the two, in nats."""
    minority: float
    """Share of answers of the rarer of the two."""
    reason: str = ""

    @property
    def found(self) -> bool:
        """Whether one density misrepresents people beyond chance."""
        return self.gain.low > 0

    @property
    def verdict(self) -> str:
        """One sentence that answers the question."""
        if self.reason:
            return f"The data cannot tell whether one score for each option stands for everybody: {self.reason}."
        gain = f"{span(self.gain, 1, '+.3f', '')} of log-likelihood for each answer held out"
        if not self.found:
            return f"One score for each option stands for everybody as well as two do: {gain}."
        return (
            f"One score for each option stands for nobody in particular: two tables of scores predict better, {gain}; "
            f"{self.minority:.0%} of answers come from the rarer, and the two have {self.shared:.0%} of what they "
            "favor in common."
        )


def one_density(pairs: Pairs, *, from_ratings: bool = False, seed: int = 0) -> OneDensity:
    """Test the reading of utilities as one density: one table of scores against two, on answers held out.

    Args:
        pairs: with annotators, of options that recur; only the 64 most judged count.
        from_ratings: whether pairs were made from ratings, several of which show the same rating.
        seed: of all randomness.
    """
    names, code = named_options(pairs)
    given = answers(pairs)
    given = given.select((given.annotator >= 0) & (code[given.first] != code[given.second]))
    first, second = code[given.first], code[given.second]
    shown = np.bincount(np.concatenate([first, second]), minlength=len(names))
    kept = np.sort(np.argsort(-shown, kind="stable")[:_MOST_OPTIONS])
    at = np.full(len(names), -1)
    at[kept] = np.arange(len(kept))
    given = given.select((at[first] >= 0) & (at[second] >= 0))
    given, reason = usable(given, _MOST_ANSWERS, seed, thin=from_ratings or not asked_singly(given))
    if not reason and len(given) < 10 * len(kept):
        reason = f"the {len(kept)} options that were judged most have {len(given):,} answers, fewer than ten each"
    if reason:
        return OneDensity(len(kept), 0, nothing(), math.nan, math.nan, math.nan, reason)
    x = np.zeros((len(given), len(kept)))
    x[np.arange(len(x)), at[code[given.first]]] = 1.0
    x[np.arange(len(x)), at[code[given.second]]] -= 1.0
    who = number(given.annotator)[0].astype(np.int64)
    rng = np.random.default_rng(seed)
    single, double = held_out(x, given.says, who, rng)
    gain = mean_interval(_likelihood(double, given.says) - _likelihood(single, given.says), who)
    total = np.ones(len(x))
    alone = implicit_density(one_taste(x, given.says, total).weights[0])
    two = several_tastes(x, given.says, total, who, 2, rng)
    mixed, share = mixed_density(two, x, given.says, total, who)
    one, other = (implicit_density(weights) for weights in two.weights)
    return OneDensity(
        len(kept),
        int(who.max()) + 1,
        gain,
        float(np.minimum(one, other).sum()),
        divergence(mixed, alone),
        float(share.min()),
    )


def implicit_density(
    utility: np.ndarray,
    *,
    power: float = 1.0,
    lengths: np.ndarray | None = None,
    constant: float = 0.0,
) -> np.ndarray:
    """The density of annotators whose answers have these utilities: float64 [m], summing to 1.

    Annotators who read p^power give utilities power * log p; those who read p^(1 / length), as a mean over tokens, give
    log p / length. So log p is (utility + constant) * length / power. The constant, which no comparison tells,
    matters as soon as lengths differ.

    Args:
        utility: float64 [m] of all options; a density over a part of them is not the density.
        power: to which the annotators raise their density.
        lengths: float64 [m], of options, where annotators divide by them.
        constant: added to utilities.
    """
    log = (np.asarray(utility, np.float64) + constant) / power
    if lengths is not None:
        log = log * lengths
    return np.exp(log - logsumexp(log))


def length_constant(utility: np.ndarray, lengths: np.ndarray, density: np.ndarray) -> float:
    """The constant at which `implicit_density` under ``lengths`` is nearest to a known density, by divergence."""

    def away(constant: float) -> float:
        return divergence(density, implicit_density(utility, lengths=lengths, constant=constant))

    found: Any = minimize_scalar(away, bounds=(-20.0, 20.0), method="bounded")
    return float(found.x)


def simulate_annotator(
    density: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    rng: np.random.Generator,
    *,
    power: float = 1.0,
    lengths: np.ndarray | None = None,
) -> np.ndarray:
    """Whether the first of each pair is preferred: bool [n], with the chance q(a) / (q(a) + q(b)).

    Args:
        density: float64 [m], positive.
        first: int [n], options.
        second: int [n].
        rng: of the answers.
        power: q is the density to this power (Luce's rule at 1),
        lengths: and to the power of 1 / length, if given.
    """
    if not (np.asarray(density) > 0).all():
        raise InputError("a density must be positive everywhere; give options that are never wanted a small floor")
    log = power * np.log(density)
    if lengths is not None:
        log = log / lengths
    return rng.random(len(first)) < expit(log[first] - log[second])


def mixed_density(
    tastes: Tastes, x: np.ndarray, wins: np.ndarray, total: np.ndarray, who: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The densities of tables of scores, mixed by the share of answers that come from each, and these shares."""
    whose = responsibilities(tastes, x, wins, total, who)
    share = np.bincount(who, total, len(whose)) @ whose
    share = share / share.sum()
    return share @ np.stack([implicit_density(weights) for weights in tastes.weights]), share


def divergence(truth: np.ndarray, found: np.ndarray) -> float:
    """Kullback-Leibler divergence sum(p log(p / q)), in nats."""
    used = truth > 0
    return float(np.sum(truth[used] * np.log(truth[used] / found[used])))


def _likelihood(prob: np.ndarray, says: np.ndarray) -> np.ndarray:
    bounded = np.clip(prob, 1e-9, 1 - 1e-9)
    return says * np.log(bounded) + (1 - says) * np.log(1 - bounded)
