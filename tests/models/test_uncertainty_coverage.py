"""Intervals for margins hold the truth as often as they say, for named models on people simulated as each expects.

An interval is the margin with 1.645 standard errors to each side, and should hold nine true margins of ten. With the
Laplace approximation of one fit it nearly does where all that is fitted are weights: the penalty draws margins to 0,
which is not in the error. Where a head or a population learns something below the weights, that is taken as known, and
intervals are too narrow: these are the failures measured below, and what an ensemble makes of one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from tastes import TableWithContexts

from llull.judgments import Judgment, Preferences, named_option, prompt
from llull.models import DavidsonTies, Logistic, PerAnnotator, PreferenceModel, Probit, RaoKupperTies
from llull.models.calibrating import fit_conformal
from llull.models.catalog import named
from llull.models.ensemble import Ensemble
from llull.models.links import Link

WIDE = 1.645

Margins = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.random.Generator], np.ndarray]
"""From rows of first and second options [n, d], contexts [n, 2] and annotators [n] to true margins [n]."""


@dataclass(frozen=True)
class World:
    """People whose margins are known.

    Args:
        margins: of pairs.
        people: annotators.
        votes: of each annotator.
        link: how a margin becomes an answer.
        theta: of the link.
    """

    margins: Margins
    people: int = 20
    votes: int = 30
    width: int = 5
    link: Link = field(default_factory=Logistic)
    theta: tuple[float, ...] = ()

    def draw(self, seed: int) -> tuple[TableWithContexts, Preferences, Preferences, np.ndarray]:
        """An encoder, judgments to fit, judgments to predict (of the same annotators), and their true margins."""
        rng = np.random.default_rng(seed)
        n = self.people * (self.votes + 10)
        rows, contexts = rng.normal(size=(2 * n, self.width)), rng.normal(size=(n, 2))
        who = np.repeat(np.arange(self.people), self.votes + 10)
        margin = self.margins(rows[::2], rows[1::2], contexts, who, rng)
        chances = np.cumsum(self.link.outcomes(margin, np.asarray(self.theta)), axis=1)
        answer = (rng.random(n)[:, None] > chances[:, :2]).sum(axis=1)
        held = np.tile(np.arange(self.votes + 10) >= self.votes, self.people)
        told = [[[0], [1]], [[0, 1]], [[1], [0]]]
        made = [
            Judgment(
                [named_option(f"o{2 * i}"), named_option(f"o{2 * i + 1}")],
                prompt(f"context {i}"),
                ranking=told[0] if held[i] else told[answer[i]],
                annotator=f"a{who[i]}",
                groups={"club": "ab"[who[i] % 2]},
            )
            for i in range(n)
        ]
        encoder = TableWithContexts(rows.tolist(), contexts.tolist())
        fit, test = ([made[i] for i in np.flatnonzero(which)] for which in (~held, held))
        return encoder, Preferences.from_judgments(fit), Preferences.from_judgments(test), margin[held]


def line(first, second, contexts, who, rng):
    """One taste."""
    return (first - second) @ rng.normal(size=first.shape[1])


def by_group(first, second, contexts, who, rng):
    """A taste for each of two groups."""
    return ((first - second) * rng.normal(size=(2, first.shape[1]))[who % 2]).sum(1)


def by_person(first, second, contexts, who, rng):
    """A taste of everyone's own, near to that of all."""
    own = rng.normal(size=first.shape[1]) + 0.7 * rng.normal(size=(who.max() + 1, first.shape[1]))
    return ((first - second) * own[who]).sum(1)


def nested(first, second, contexts, who, rng):
    """Tastes of people near to those of their groups."""
    groups = rng.normal(size=first.shape[1]) + 0.7 * rng.normal(size=(2, first.shape[1]))
    own = groups[np.arange(who.max() + 1) % 2] + 0.5 * rng.normal(size=(who.max() + 1, first.shape[1]))
    return ((first - second) * own[who]).sum(1)


def along_two(first, second, contexts, who, rng):
    """Tastes that differ along two directions."""
    own = rng.normal(size=first.shape[1]) + rng.normal(size=(who.max() + 1, 2)) @ rng.normal(size=(2, first.shape[1]))
    return ((first - second) * own[who]).sum(1)


def near_points(first, second, contexts, who, rng):
    """Everyone likes what is near to a point of two features."""
    points = rng.normal(size=(who.max() + 1, 2))[who]
    return ((second[:, :2] - points) ** 2).sum(1) - ((first[:, :2] - points) ** 2).sum(1)


def bent(first, second, contexts, who, rng):
    """A utility that is no line."""
    direction = rng.normal(size=first.shape[1])
    direction /= np.linalg.norm(direction)
    return 1.5 * (np.abs(second @ direction) - np.abs(first @ direction)) + (first - second) @ rng.normal(
        size=first.shape[1]
    )


def circles(first, second, contexts, who, rng):
    """A utility, and a plane in which preferences go round."""
    turn = rng.normal(size=(first.shape[1], 2)) * 0.5
    a, b = first @ turn, second @ turn
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] + (first - second) @ rng.normal(size=first.shape[1]) * 0.5


WORLDS = {
    "shared": World(line),
    "ties": World(line, link=DavidsonTies(), theta=(0.3,)),
    "thresholds": World(line, link=RaoKupperTies(), theta=(0.3,)),
    "thurstone": World(line, link=Probit()),
    "per-group": World(by_group),
    "per-annotator": World(by_person),
    "hierarchical": World(nested),
    "directions": World(by_person),
    "ideal-point": World(near_points),
    "variational": World(along_two, people=150, votes=10),
    "deep": World(bent),
    "cyclic": World(circles),
}


def covered(name: str, seed: int, members: int = 0) -> tuple[float, float]:
    """The share of true margins in their intervals, and the errors foreseen over those made (root mean squares)."""
    encoder, fit, held, truth = WORLDS[name].draw(seed)
    model = named(name).make(encoder, "club", seed)
    fitted = Ensemble(model, members, "seeds", seed).fit(fit) if members else model.fit(fit)
    pairs = fitted.pairs(held)
    error, off = fitted.uncertainty(pairs), np.abs(fitted.margin(pairs) - truth)
    return float((off < WIDE * error).mean()), float(np.sqrt((error**2).mean() / (off**2).mean()))


def coverage(name: str, seeds: int, members: int = 0) -> float:
    return float(np.mean([covered(name, seed, members)[0] for seed in range(seeds)]))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["shared", "ties", "thresholds", "thurstone", "per-group"])
def test_where_only_weights_are_fitted_intervals_hold_the_truth(name: str) -> None:
    """Measured over 20 seeds: 0.85, 0.87, 0.86, 0.80 and 0.86.

    One draw of the weights decides most of a seed's coverage; its mean over 20 has a standard error of 0.04.
    """
    assert 0.78 <= coverage(name, 20) <= 0.97


@pytest.mark.parametrize("name", ["per-annotator", "directions"])
def test_intervals_of_people_hold_the_truth_where_their_pull_is_estimated(name: str) -> None:
    """0.84. With the pull that predicts best, 0.76: it is too strong, and what it takes away is not in the error."""
    assert 0.8 <= coverage(name, 5) <= 0.97
    by_prediction = []
    for seed in range(5):
        encoder, fit, held, truth = WORLDS[name].draw(seed)
        model = PreferenceModel(encoder, population=PerAnnotator(), seed=seed).fit(fit)
        off = np.abs(model.margin(held) - truth)
        by_prediction.append((off < WIDE * model.uncertainty(held)).mean())
    assert np.mean(by_prediction) < coverage(name, 5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("hierarchical", 0.6, 0.85),  # measured 0.72: its pulls are those that predict best
        ("variational", 0.65, 0.9),  # 0.79: directions and encoder are taken as known
        ("ideal-point", 0.65, 0.9),  # 0.77: so are directions
        ("cyclic", 0.6, 0.85),  # 0.73: so are planes
        ("deep", 0.55, 0.85),  # 0.71: so are units
    ],
)
def test_where_more_is_learned_below_intervals_of_one_fit_are_too_narrow(name: str, least: float, most: float) -> None:
    """A negative result: below 0.9 in all.

    So it is for bilinear heads (0.65), experts (0.50), prototypes (0.49) and low rank (0.81), which take longer.
    """
    pytest.importorskip("torch")
    assert least <= coverage(name, 3) <= most


@pytest.mark.slow
def test_an_ensemble_of_networks_covers_where_one_does_not() -> None:
    """0.92 by four members against 0.71 by one network, over three seeds; bilinear heads come from 0.65 to 0.77."""
    pytest.importorskip("torch")
    assert coverage("deep", 1, members=3) > coverage("deep", 1) + 0.05


@pytest.mark.parametrize("name", ["shared", "per-annotator"])
def test_sets_of_options_hold_the_preferred_one_as_often_as_promised(name: str) -> None:
    """Split conformal on a model's own probabilities: nine of ten, whether or not the model is right about itself."""
    found = []
    for seed in range(8):
        encoder, fit, held, truth = WORLDS[name].draw(seed)
        model = named(name).make(encoder, "club", seed).fit(fit)
        rng = np.random.default_rng(seed)
        prob, won = model.prob(held), rng.random(len(truth)) < 1 / (1 + np.exp(-truth))
        half = rng.permutation(len(truth)) < len(truth) // 2
        sets = fit_conformal(prob[half], won[half], alpha=0.1).sets(prob[~half])
        found.append(np.where(won[~half], sets[:, 0], sets[:, 1]).mean())
    assert 0.86 <= np.mean(found) <= 0.95
