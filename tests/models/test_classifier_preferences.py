"""Comparisons beside labels make better classifiers, comparisons that mean nothing make worse ones (P2C's claim)."""

from __future__ import annotations

import numpy as np
import pytest
from tastes import TableWithContexts

from llull.errors import InputError
from llull.judgments import Judgment, Preferences, named_option, prompt
from llull.judgments.views import Options
from llull.models.classifying import PreferenceClassifier

LABELED, PAIRS, TESTED, WIDTH = 60, 120, 1500, 32


class Texts:
    """Points that are "good" or "bad" by the side of a plane, some labeled and compared; random comparisons beside."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        direction = self.rng.normal(size=WIDTH)
        self.rows = self.rng.normal(size=(LABELED + TESTED, WIDTH))
        self.said = self.rows @ direction / np.linalg.norm(direction)
        self.labels = np.where(self.said > 0, "good", "bad")
        self.encoder = TableWithContexts(self.rows, np.zeros((1, 1)))

    def options(self, which: np.ndarray) -> Options:
        parts = np.array_split(which, len(which) // 20)
        made = [Judgment([named_option(f"o{i}") for i in part], ranking=[list(range(len(part)))]) for part in parts]
        return Preferences.from_judgments(made).options()

    def comparisons(self, meaning: bool = True) -> Preferences:
        made = []
        while len(made) < PAIRS:
            a, b = self.rng.choice(LABELED, 2, replace=False)
            if self.labels[a] != self.labels[b]:
                continue
            more = self.said[a] - self.said[b] if self.labels[a] == "good" else self.said[b] - self.said[a]
            first = more > 0 if meaning else self.rng.random() < 0.5
            options = [named_option(f"o{a}"), named_option(f"o{b}")]
            ranking = [[0], [1]] if first else [[1], [0]]
            made.append(Judgment(options, prompt("context 0"), ranking=ranking, criterion=str(self.labels[a])))
        return Preferences.from_judgments(made)

    def accuracy(self, comparisons: Preferences | None, **settings) -> float:
        at, held = np.arange(LABELED), np.arange(LABELED, LABELED + TESTED)
        classifier = PreferenceClassifier(self.encoder, seed=0, **settings)
        classifier.fit(self.options(at), self.labels[at].tolist(), comparisons)
        return float((np.array(classifier.predict(self.options(held))) == self.labels[held]).mean())


@pytest.mark.slow
def test_comparisons_help_and_random_ones_harm() -> None:
    """Over five seeds 0.754 from labels, 0.768 with comparisons, 0.738 with random ones.

    The order is the claim's; its size, 3 points with comparisons, does not show on 32 features and 60 labels.
    """
    pytest.importorskip("torch")
    found = []
    for seed in range(5):
        texts = Texts(seed)
        sides = (None, texts.comparisons(), texts.comparisons(meaning=False))
        found.append([texts.accuracy(side, units=4) for side in sides])
    labels, compared, random = np.mean(found, axis=0)
    assert labels + 0.005 < compared < labels + 0.03
    assert random < labels - 0.005
    assert compared > random + 0.02


@pytest.mark.slow
def test_what_scorers_disagree_on_is_asked_next() -> None:
    pytest.importorskip("torch")
    texts = Texts(0)
    comparisons = texts.comparisons()
    at = np.arange(LABELED)
    classifier = PreferenceClassifier(texts.encoder, units=4, epochs=30)
    with pytest.raises(InputError, match="not fitted"):
        classifier.prob(texts.options(at))
    classifier.fit(texts.options(at), texts.labels[at].tolist(), comparisons)
    prob = classifier.prob(texts.options(at))
    np.testing.assert_allclose(prob.sum(axis=1), 1)
    assert classifier.labels_ == ("bad", "good")
    asked = classifier.contested(comparisons)
    assert asked.shape == (PAIRS,)
    assert ((asked >= 0) & (asked < 1)).all()
    assert asked.max() > 0.01


def test_what_cannot_be_learned_from_is_refused() -> None:
    pytest.importorskip("torch")
    texts = Texts(1)
    options = texts.options(np.arange(LABELED))
    with pytest.raises(InputError, match="3 labels for 60 options"):
        PreferenceClassifier(texts.encoder).fit(options, ["good"] * 3)
    with pytest.raises(InputError, match="two labels"):
        PreferenceClassifier(texts.encoder).fit(options, ["good"] * LABELED)
    with pytest.raises(InputError, match="no comparison has a label"):
        PreferenceClassifier(texts.encoder).fit(options, ["x", "y"] * (LABELED // 2), texts.comparisons())
