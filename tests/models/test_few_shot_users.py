"""A few judgments as features of who is asked: new people read without a fit, and what shows that they were read."""

from __future__ import annotations

import numpy as np
import pytest
from tastes import Crowd

from llull.models import PreferenceModel, PreferenceTokens, Shared
from llull.models.catalog import named


def people_of_four_types(seed: int) -> Crowd:
    """650 people of 30 judgments with hardly any noise; tastes of types are orthogonal."""
    rng = np.random.default_rng(seed)
    tastes = np.linalg.qr(rng.normal(size=(64, 4)))[0].T * 8.0
    return Crowd(tastes[rng.integers(4, size=650)], 30, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_four_judgments_say_who_is_asked(seed: int) -> None:
    """The sheet of FSPO (099), 600 people learned from.

    It asks for .65 at most of one taste for all, but with four orthogonal tastes without noise that is .667 by itself.
    """
    crowd = people_of_four_types(seed)
    place, seen = np.arange(len(crowd.annotator)) % 30, crowd.annotator < 600
    asked = crowd.preferences(np.flatnonzero(~seen & (place >= 8)))
    fit = crowd.preferences(np.flatnonzero(seen))
    model = named("few-shot").make(crowd.encoder).fit(fit)
    assert isinstance(model, PreferenceModel)
    assert isinstance(model.population, PreferenceTokens)
    shared = PreferenceModel(crowd.encoder, population=Shared()).fit(fit).score(asked)
    told = {n: crowd.preferences(np.flatnonzero(~seen & (place < n))) for n in (1, 2, 4, 8)}
    accuracy = [model.score(asked)] + [model.adapt(few).score(asked) for few in told.values()]
    assert accuracy[3] >= 0.8
    assert accuracy[3] > shared + 0.1
    assert accuracy == sorted(accuracy)
    # Where each judgment is of a person drawn anew, judgments say nothing of who is asked.
    crowd.annotator = np.where(seen, np.random.default_rng(seed).integers(600, size=len(seen)), crowd.annotator)
    loose = named("few-shot").make(crowd.encoder).fit(crowd.preferences(np.flatnonzero(seen)))
    assert loose.adapt(told[4]).score(asked) < shared + 0.03
