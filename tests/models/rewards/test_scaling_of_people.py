"""Rewards that people share a scale for: the model's chance to beat references, in place of utilities (VPL, 082)."""

from __future__ import annotations

import numpy as np
import pytest
from tastes import Crowd

from llull.models import PerAnnotator, PreferenceModel
from llull.models.rewards import chance_to_beat


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_one_who_is_surer_does_not_outvote_nine(seed: int) -> None:
    """Nine mildly want one thing and a tenth wants the opposite, always: utilities add up to the wish of the tenth."""
    taste = np.random.default_rng(seed).normal(size=4)
    taste /= np.linalg.norm(taste)
    crowd = Crowd(np.array([taste * 1.5] * 9 + [-taste * 40]), 150, seed)
    model = PreferenceModel(crowd.encoder, population=PerAnnotator(), l2=1e-3).fit(crowd.preferences())
    options = model.pairs(crowd.preferences()).options
    utilities = np.stack([model.utility(options, annotator=f"a{person}") for person in range(10)])
    everything = np.zeros(len(options), int)
    some = np.random.default_rng(seed).permutation(len(options))[:50]
    scaled = np.stack([chance_to_beat(u, everything, u[some], everything[some]) for u in utilities])
    worth = crowd.encoder.encode(options) @ taste
    assert ((scaled >= 0) & (scaled <= 1)).all()
    # The order of options is each person's own, before and after.
    assert all((np.diff(s[np.argsort(u)]) >= -1e-12).all() for u, s in zip(utilities, scaled, strict=True))
    spread = utilities.std(axis=1)
    assert spread[9] > 4 * spread[:9].mean()
    assert scaled.std(axis=1)[9] < 3 * scaled.std(axis=1)[:9].mean()
    raw, fair = (np.corrcoef(total.sum(axis=0), worth)[0, 1] for total in (utilities, scaled))
    assert fair > 0.9
    assert fair > raw
    assert worth[scaled.sum(axis=0).argmax()] >= worth[utilities.sum(axis=0).argmax()]
