"""Scores of named capabilities, learned from pairs that say which option is better under each."""

from __future__ import annotations

import numpy as np

from llull.encoders import Encoder
from llull.errors import InputError
from llull.judgments import Preferences
from llull.judgments.views import Pairs
from llull.models.aspects import AspectScores
from llull.models.model import PreferenceModel


def capability_scores(
    preferences: Preferences | Pairs, base: Encoder, l2: float | None = None, seed: int = 0
) -> AspectScores:
    """An encoder whose features are utilities under each criterion that judgments name.

    For every criterion a linear Bradley-Terry model is fitted to its judgments. The scores are features for another
    model, of judgments that say which option is better in all: with the head `Experts` and inner units, the two layers
    of DMoERM (Quan, 2024), whose second is to be fitted to judgments that the first did not see; with `Linear`, what
    counts for how much. `AspectScores.learn` does the same for ratings.

    Args:
        preferences: judgments with criteria.
        base: encoder of the options.
        l2: of each model, chosen if not given.
        seed: of the models.

    Raises:
        InputError: no judgment names a criterion.
    """
    pairs = preferences if isinstance(preferences, Pairs) else preferences.pairs()
    named = [code for code, name in enumerate(pairs.criteria) if name and (pairs.criterion == code).any()]
    if not named:
        raise InputError("no judgment says under which criterion it was made; capabilities are learned by criterion")
    base = base.fit(pairs.options)
    weights, offset = [], []
    for code in named:
        model = PreferenceModel(base, l2=l2, seed=seed).fit(pairs.select(pairs.criterion == code))
        weights.append(np.asarray(model.coef_) / model.scaling_.scale)
        offset.append(-float(model.scaling_.center @ weights[-1]))
    width = len(weights[0])
    found = AspectScores(base, [pairs.criteria[code] for code in named])
    found.learned = {
        "center": np.zeros(width),
        "scale": np.ones(width),
        "weights": np.stack(weights, axis=1),
        "offset": np.array(offset),
        "take_off": np.zeros(len(named)),
    }
    return found
