"""Sources of judgments that share a taste and differ in one direction: what balancing their gradients keeps (MORE)."""

from __future__ import annotations

import numpy as np
import pytest
from tastes import TableWithContexts

from llull.errors import InputError
from llull.judgments import Judgment, Preferences, named_option, prompt
from llull.models import PreferenceModel, load_model
from llull.models.populations import balanced
from llull.models.populations.balanced import Balanced, shortest

SHARED, OWN, EACH, HELD = 8, 16, 600, 6000


def sources(seed: int, leans: tuple[float, ...]) -> tuple[TableWithContexts, Preferences, Preferences]:
    """600 judgments of each source, whose taste leans so far in a direction of its own, and some by the shared one."""
    rng = np.random.default_rng(seed)
    taste = np.concatenate([rng.normal(size=SHARED), np.zeros(OWN)])
    taste *= 1.5 / np.linalg.norm(taste)
    lean = np.concatenate([np.zeros(SHARED), rng.normal(size=OWN)])
    lean /= np.linalg.norm(lean)
    n = EACH * len(leans) + HELD
    rows = rng.normal(size=(2 * n, SHARED + OWN))
    source = np.concatenate([np.repeat(np.arange(len(leans)), EACH), np.full(HELD, len(leans))])
    own = taste + np.array([*leans, 0.0])[source][:, None] * lean
    first = rng.random(n) < 1 / (1 + np.exp(-((rows[::2] - rows[1::2]) * own).sum(1)))
    made = [
        Judgment(
            [named_option(f"o{2 * i}"), named_option(f"o{2 * i + 1}")],
            prompt(f"context {i}"),
            ranking=[[0], [1]] if first[i] else [[1], [0]],
            groups={"source": f"s{source[i]}"},
        )
        for i in range(n)
    ]
    cut = EACH * len(leans)
    encoder = TableWithContexts(rows, np.zeros((n, 1)))
    return encoder, Preferences.from_judgments(made[:cut]), Preferences.from_judgments(made[cut:])


def measured(seed: int, leans: tuple[float, ...], steps: int) -> tuple[float, float]:
    """Accuracy and calibration error on judgments by the shared taste."""
    encoder, fit, held = sources(seed, leans)
    model = PreferenceModel(encoder, population=Balanced("source", steps)).fit(fit)
    pairs = model.pairs(held)
    prob = model.prob(pairs)
    # Winners stand first, so every prediction is one of a win.
    sure, right = np.maximum(prob, 1 - prob), prob > 0.5
    bins = np.minimum(((sure - 0.5) * 20).astype(int), 9)
    gaps = [abs(sure[bins == b].sum() - right[bins == b].sum()) for b in np.unique(bins)]
    return float(right.mean()), float(np.sum(gaps) / len(prob))


def both(leans: tuple[float, ...], steps: int, monkeypatch: pytest.MonkeyPatch, seeds: int = 3) -> np.ndarray:
    """Mean accuracy and calibration error, balanced and with every source counting the same: [2, 2]."""
    kept = [measured(seed, leans, steps) for seed in range(seeds)]
    with monkeypatch.context() as patched:
        patched.setattr(balanced, "shortest", lambda vectors: np.full(len(vectors), 1 / len(vectors)))
        even = [measured(seed, leans, steps) for seed in range(seeds)]
    return np.array([np.mean(kept, axis=0), np.mean(even, axis=0)])


@pytest.mark.slow
def test_what_one_source_opposes_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three sources lean far one way and one a little the other.

    Accuracy by the shared taste rises by 7 points. The claim that the calibration error is halved does not show: it
    falls from 0.071 to 0.051, of which 0.02 are what 6,000 judgments in ten bins have by chance.
    """
    kept, even = both((3.0, 3.0, 3.0, -1.0), 60, monkeypatch)
    assert kept[0] >= even[0] + 0.03
    assert 0.5 * even[1] < kept[1] <= even[1] - 0.01


@pytest.mark.slow
@pytest.mark.parametrize("leans", [(0.0, 0.0, 0.0, 0.0), (2.0, 2.0, -1.0, -1.0)])
def test_where_sources_agree_or_cancel_out_nothing_changes(
    leans: tuple[float, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, even = both(leans, 60, monkeypatch)
    assert abs(kept[0] - even[0]) < 0.01
    assert abs(kept[1] - even[1]) < 0.01


def test_the_shortest_mean_of_two_is_the_foot_of_a_perpendicular() -> None:
    one, other = np.array([1.0, 0.0]), np.array([0.0, 2.0])
    # On the line between them, the point nearest to 0 is (0.8, 0.4).
    np.testing.assert_allclose(shortest(np.stack([one, other])), [0.8, 0.2], atol=1e-9)
    np.testing.assert_allclose(shortest(np.stack([one, 3 * one])), [1.0, 0.0], atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_shortest_mean_goes_down_for_all(seed: int) -> None:
    """At the optimum no vector has a smaller product with the mean than the mean itself."""
    vectors = np.random.default_rng(seed).normal(size=(5, 8))
    shares = shortest(vectors)
    mean = shares @ vectors
    assert (shares >= 0).all()
    assert shares.sum() == pytest.approx(1)
    assert (vectors @ mean).min() >= mean @ mean - 1e-6


def test_one_taste_serves_all_sources(tmp_path) -> None:
    encoder, fit, held = sources(0, (1.0, -1.0))
    model = PreferenceModel(encoder, population=Balanced("source", 30)).fit(fit)
    pairs = model.pairs(held)
    assert model.score(pairs) > 0.7
    assert (model.uncertainty(pairs) > 0).all()
    again = load_model(model.save(tmp_path))
    np.testing.assert_allclose(again.prob(pairs), model.prob(pairs), atol=1e-12)
    assert model.adapt(held, strength=5.0).score(pairs) > model.score(pairs)
    with pytest.raises(InputError, match="steps=0"):
        Balanced("source", 0)
