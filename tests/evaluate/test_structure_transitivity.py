"""Circles are found where there are some; chance, and votes on the same bad answer, are not called circles."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.special import expit

import llull.judgments
from llull.evaluate.structure import cyclic_gain, transitivity
from llull.evaluate.structure.transitivity import cycle_strength
from llull.judgments import Judgment, Preferences, named_option, prompt, text_option


def league(seed: int, margin: np.ndarray, games: int) -> Preferences:
    rng = np.random.default_rng(seed)
    votes = []
    for i, j in combinations(range(len(margin)), 2):
        for _ in range(games):
            first = rng.random() < expit(margin[i, j])
            options = [named_option(f"p{i}"), named_option(f"p{j}")]
            votes.append(Judgment(options, ranking=[[0], [1]] if first else [[1], [0]]))
    return Preferences.from_judgments(votes)


def line(rng: np.random.Generator, players: int) -> np.ndarray:
    strength = rng.normal(size=players)
    return strength[:, None] - strength


def ring(players: int, by: float) -> np.ndarray:
    """Each beats the players that follow it within half a circle."""
    ahead = (np.arange(players) - np.arange(players)[:, None]) % players
    return by * np.where(ahead == 0, 0, np.where(ahead <= players // 2, 1.0, -1.0))


def test_chance_is_called_circles_as_often_as_said() -> None:
    values = [
        transitivity(league(s, line(np.random.default_rng(s), 8), 6).pairs(), draws=99, seed=s).p for s in range(60)
    ]
    assert np.mean(np.array(values) <= 0.05) <= 0.12
    assert np.mean(values) > 0.4


def test_rock_paper_scissors_is_found() -> None:
    for seed in range(5):
        found = transitivity(league(seed, ring(7, 1.0), 20).pairs(), draws=99, seed=seed)
        assert found.found
        assert found.cycles > 2 * found.expected
        assert "beyond chance" in found.verdict
        first = found.most[0]
        assert min(first.shares) > 0.5


def test_strength_of_cycles_against_three_loops() -> None:
    rng = np.random.default_rng(0)
    wins = rng.integers(0, 9, (6, 6)).astype(float)
    np.fill_diagonal(wins, 0)
    triples = np.array(list(combinations(range(6), 3)))
    for (i, j, k), found in zip(triples, cycle_strength(wins, triples), strict=True):
        lead = [
            (wins[a, b] - wins[b, a]) / np.sqrt(max(wins[a, b] + wins[b, a], 1)) for a, b in ((i, j), (j, k), (k, i))
        ]
        if min(lead) > 0:
            assert found == pytest.approx(min(lead))
        elif max(lead) < 0:
            assert found == pytest.approx(max(lead))
        else:
            assert found == 0


def answered(seed: int) -> Preferences:
    """Models of one strength each; ten people see each couple of answers, and some answers are bad."""
    rng = np.random.default_rng(seed)
    strength = rng.normal(size=8) * 0.5
    votes = []
    for i, j in combinations(range(8), 2):
        for question in rng.choice(10, 2, replace=False):
            margin = strength[i] - strength[j] + rng.normal() * 1.5
            for _ in range(10):
                first = rng.random() < expit(margin)
                options = [text_option(f"{i} to {question}", f"m{i}"), text_option(f"{j} to {question}", f"m{j}")]
                ranking = [[0], [1]] if first else [[1], [0]]
                votes.append(Judgment(options, prompt(f"question {question}"), ranking=ranking))
    return Preferences.from_judgments(votes)


def test_many_votes_on_one_bad_answer_are_not_called_circles() -> None:
    values = [transitivity(answered(s).pairs(), draws=99, seed=s).p for s in range(25)]
    # Were votes taken as independent, three quarters of these would be below 0.05.
    assert np.mean(np.array(values) <= 0.05) <= 0.15


def test_nothing_is_said_of_options_that_never_met_again() -> None:
    votes = [Judgment([named_option(f"a{i}"), named_option(f"b{i}")], ranking=[[0], [1]]) for i in range(9)]
    found = transitivity(Preferences.from_judgments(votes).pairs())
    assert "cannot tell" in found.verdict
    assert found.to_dict()["p"] is None


@pytest.mark.slow
def test_a_model_with_circles_helps_only_where_there_are_some() -> None:
    from llull.encoders import Encoder

    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 100)
    rows = np.stack([np.cos(angle), np.sin(angle), rng.normal(size=100)], axis=1)

    class Rows(Encoder):
        names = ("x", "y", "z")
        fingerprint = "rows"

        def encode(self, options, progress=True):
            return rows[[int(str(name)[1:]) for name in options.sources]].astype(np.float32)

        def config(self):
            return {}

    def votes(circles: bool) -> Preferences:
        made = []
        for number in range(500):
            i, j = rng.choice(100, 2, replace=False)
            margin = 4 * np.sin(angle[j] - angle[i]) if circles else 2 * (rows[i, 2] - rows[j, 2])
            first = rng.random() < expit(margin)
            options = [named_option(f"o{i}"), named_option(f"o{j}")]
            made.append(Judgment(options, prompt(f"c{number}"), ranking=[[0], [1]] if first else [[1], [0]]))
        return Preferences.from_judgments(made)

    round_about, straight = (cyclic_gain(votes(kind), Rows(), folds=2) for kind in (True, False))
    assert round_about.found
    assert round_about.accuracy.low > 0.1
    assert not straight.found


def test_battles_of_language_models_are_no_circles(real_data) -> None:
    votes = llull.judgments.read(str(real_data / "llmfao" / "crowd-comparisons.jsonl.gz"))
    found = transitivity(votes.pairs())
    assert found.triples > 1000
    assert found.p > 0.05
