"""Every named model fits, predicts, is saved, is told new people where it has people, and has a proof."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tastes import Crowd

from llull.cli import main
from llull.errors import InputError
from llull.judgments import Judgment, Preferences, Rating
from llull.models.catalog import CATALOG, named

HERE = Path(__file__).parent


def judged() -> tuple[Crowd, Preferences]:
    crowd = Crowd(np.tile([1.0, -1.0, 0.5], (8, 1)), 12, 0)
    felt = crowd.rows @ [1.0, -1.0, 0.5] + np.random.default_rng(1).logistic(size=len(crowd.rows))
    levels = np.clip(2 + felt, 0, 4).round().reshape(-1, 2)
    with_groups = [
        Judgment(
            one.options,
            one.context,
            ranking=[[0, 1]] if number % 10 == 0 else one.ranking,
            annotator=one.annotator,
            groups={"club": "ab"[number % 2]},
            criterion=f"criterion {number % 3}",
            strength=1.0 + number % 3,
            ratings=[Rating(i, "quality", float(level), 0.0, 4.0) for i, level in enumerate(levels[number])],
        )
        for number, one in enumerate(crowd.preferences())
    ]
    return crowd, Preferences.from_judgments(with_groups)


@pytest.mark.parametrize("name", CATALOG)
def test_it_has_a_proof_that_names_its_parts(name: str) -> None:
    text = (HERE / CATALOG[name].proof).read_text()
    parts = CATALOG[name].axes.split(" x ")
    plain = {"Linear", "Logistic", "Shared"}
    assert set(parts) <= plain or any(part in text for part in parts if part not in plain)


@pytest.mark.slow
@pytest.mark.parametrize("name", CATALOG)
def test_it_does_all_that_a_model_does(name: str, tmp_path: Path) -> None:
    crowd, preferences = judged()
    model = named(name).make(crowd.encoder, "club").fit(preferences)
    prob = model.prob(preferences)
    assert ((prob > 0) & (prob < 1)).all()
    assert (model.uncertainty(preferences) >= 0).all()
    assert model.score(preferences) > 0.5
    again = named(name).load(model.save(tmp_path))
    np.testing.assert_allclose(again.prob(preferences), prob, atol=1e-12)
    told = model.adapt(preferences.select(range(12)))
    assert np.isfinite(told.prob(preferences)).all()


def test_the_list_says_what_each_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    said = capsys.readouterr().out
    assert all(f"\n{name}\n" in f"\n{said}" for name in CATALOG)
    assert "SkewEmbedding x Logistic x Shared" in said
    with pytest.raises(InputError, match="no model 'best'"):
        named("best")
    with pytest.raises(InputError, match="--groups"):
        CATALOG["per-group"].make(judged()[0].encoder)
