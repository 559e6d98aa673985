"""ArmoRM (046): aspects from ratings with gaps, freed of verbosity, gated by the context; CPM (203): weighed by all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr
from tastes import TableWithContexts

from llull.cli import main
from llull.encoders import Concat
from llull.errors import InputError
from llull.judgments import Judgment, Preferences, named_option, prompt, text_option
from llull.judgments.record import Rating
from llull.models import Gated, Learning, PreferenceModel, load_model
from llull.models.aspects import AspectScores

ASPECTS = ("right", "clear", "safe", "verbose")
WIDTH, RATED, PAIRS = 48, 600, 1600


class World:
    """Options with four aspects, three of them correlated with verbosity; three types of question, each wants one."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        n = RATED + 2 * PAIRS
        self.rows = rng.normal(size=(n, WIDTH))
        directions = np.linalg.qr(rng.normal(size=(WIDTH, 4)))[0]
        self.aspects = self.rows @ directions
        self.aspects[:, :3] = 0.8 * self.aspects[:, :3] + 0.6 * self.aspects[:, 3:]
        self.kind = rng.integers(3, size=PAIRS)
        self.contexts = np.eye(3)[self.kind] + 0.1 * rng.normal(size=(PAIRS, 3))
        self.encoder = TableWithContexts(self.rows.tolist(), self.contexts.tolist())
        self.rng = rng

    def ratings(self) -> Preferences:
        made = []
        for i in range(RATED):
            values = self.aspects[i] + 0.5 * self.rng.normal(size=4)
            there = self.rng.random(4) > 0.6
            given = [Rating(0, name, float(values[k])) for k, name in enumerate(ASPECTS) if there[k]]
            if given:
                made.append(Judgment([named_option(f"o{i}")], ratings=given, verdict="rated"))
        return Preferences.from_judgments(made)

    def pairs(self, which: range) -> Preferences:
        made = []
        for p in which:
            i, j = RATED + 2 * p, RATED + 2 * p + 1
            lead = 4 * (self.aspects[i] - self.aspects[j])[self.kind[p]]
            first = self.rng.random() < 1 / (1 + np.exp(-lead))
            options = [named_option(f"o{i}"), named_option(f"o{j}")]
            made.append(Judgment(options, prompt(f"question {p}"), ranking=[[0], [1]] if first else [[1], [0]]))
        return Preferences.from_judgments(made)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_gates_on_learned_aspects_beat_fixed_weights(seed: int, tmp_path: Path) -> None:
    world = World(seed)
    scores = AspectScores.learn(world.ratings(), world.encoder, freed_of="verbose")
    fit, held = world.pairs(range(1200)), world.pairs(range(1200, PAIRS))
    gated = PreferenceModel(scores, Gated(learning=Learning(1e-2, restarts=2))).fit(fit)
    fixed = PreferenceModel(scores).fit(fit)
    assert gated.score(held) > fixed.score(held) + 0.05
    assert {one.feature for one in fixed.coefficients()} == set(ASPECTS)
    again = load_model(gated.save(tmp_path))
    np.testing.assert_allclose(again.prob(held), gated.prob(held), atol=1e-9)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_scores_are_freed_of_verbosity(seed: int) -> None:
    world = World(seed)
    ratings, options = world.ratings(), world.pairs(range(PAIRS)).options()

    def correlation(freed_of: str) -> np.ndarray:
        scores = AspectScores.learn(ratings, world.encoder, ASPECTS, freed_of=freed_of).encode(options)
        return np.array([spearmanr(scores[:, k], scores[:, 3]).statistic for k in range(3)])

    assert (correlation("") > 0.4).all()
    # On options that it was not learned from.
    assert (np.abs(correlation("verbose")) < 0.12).all()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_aspects_need_fewer_pairs_than_all_features(seed: int) -> None:
    """Domain features (020) and compositional models (203): few numbers that matter, few judgments to weigh them."""
    world = World(seed)
    world.kind[:] = 0
    scores = AspectScores.learn(world.ratings(), world.encoder)
    fit, held = world.pairs(range(60)), world.pairs(range(400, PAIRS))
    composed, raw = (PreferenceModel(e).fit(fit).score(held) for e in (scores, world.encoder))
    assert composed > raw + 0.05


def test_regressions_are_those_of_scikit_learn() -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    from llull.models.aspects import _STRENGTHS, _ridge

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(80, 20))
    value = rows[:, 0] + rng.normal(size=80)
    weights, offset = _ridge(rows, value)
    peer = linear.RidgeCV(_STRENGTHS).fit(rows, value)
    np.testing.assert_allclose(weights, peer.coef_, rtol=1e-6, atol=1e-9)
    assert offset == pytest.approx(peer.intercept_)


def test_aspects_are_learned_where_a_model_is_fitted(tmp_path: Path) -> None:
    """Held-out ratings are answers too: each fold learns its aspects from its own judgments."""
    world = World(0)
    ratings = world.ratings()
    both = Preferences.concat([ratings, world.pairs(range(200))])
    encoder = AspectScores(world.encoder)
    assert encoder.reads_answers
    assert Concat([encoder, world.encoder]).reads_answers
    model = PreferenceModel(encoder).fit(both)
    assert not model.encoder_.reads_answers
    known = AspectScores.learn(ratings, world.encoder)
    held = world.pairs(range(200, 400))
    np.testing.assert_allclose(model.encoder_.encode(held.options()), known.encode(held.options()), atol=1e-5)
    assert known.fit(both.options()) is known
    again = load_model(model.save(tmp_path))
    np.testing.assert_allclose(again.prob(held), model.prob(held), atol=1e-9)
    with pytest.raises(InputError, match="have not learned"):
        encoder.encode(held.options())


def test_the_command_line_fits_aspects(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ratings of length, and preferences for what is short: the model is explained by the aspects."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(80):
        texts = [" ".join(rng.choice(["one", "two", "three"], rng.integers(3, 40))) for _ in range(2)]
        ratings = [Rating(k, "long", float(len(text))) for k, text in enumerate(texts)]
        ratings += [Rating(k, "odd", float(rng.random())) for k in range(2)]
        ranking = [[0], [1]] if len(texts[0]) < len(texts[1]) else [[1], [0]]
        options = [text_option(text) for text in texts]
        made.append(Judgment(options, prompt(f"question {number}"), ranking=ranking, ratings=ratings))
    Preferences.from_judgments(made).save(tmp_path / "judgments.parquet")
    words = ["fit", str(tmp_path / "judgments.parquet"), "--model.features", "AspectScores"]
    words += ["--model.features.base", "TextStatistics", "--learning", "false", "--out", str(tmp_path / "run")]
    assert main(words) == 0
    capsys.readouterr()
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    found = {one["feature"]: one["coefficient"] for one in metrics["coefficients"]}
    assert set(found) == {"long", "odd"}
    assert found["long"] < -abs(found["odd"])


def test_what_is_not_rated_is_refused() -> None:
    world = World(0)
    with pytest.raises(InputError, match="nothing is rated for 'kind'"):
        AspectScores.learn(world.ratings(), world.encoder, ["kind"])
    with pytest.raises(InputError, match="a regression needs 10"):
        AspectScores.learn(world.ratings().select(range(5)), world.encoder)
