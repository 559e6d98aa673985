import json
from typing import ClassVar

import numpy as np
import pytest
from two_tastes import WordCount, make_votes

from llull.errors import InputError
from llull.evaluate import learning_curve
from llull.judgments import Preferences


@pytest.fixture(scope="module")
def votes() -> Preferences:
    return make_votes()


class Recording:
    """Remembers the contexts of every fit and of every prediction, and prefers what has more characters."""

    # Of the class and not of the object, because it is a copy of the object that is fitted.
    fitted: ClassVar[list[set[str]]] = []
    asked: ClassVar[list[set[str]]] = []

    def pairs(self, preferences):
        self.asked.append(set(preferences.table["context_id"].to_pylist()))
        return preferences.pairs()

    def fit(self, preferences):
        self.fitted.append(set(preferences.table["context_id"].to_pylist()))
        return self

    def prob(self, pairs):
        lengths = np.array([len(text) for text in pairs.options.texts()])
        return np.where(lengths[pairs.winner] > lengths[pairs.loser], 0.8, 0.2)


def test_sizes_grow_by_whole_contexts_and_hold_one_another(votes):
    model = Recording()
    curve = learning_curve(model, votes, shares=(0.25, 0.5, 1.0), repeats=2, seed=5)
    assert [p.n_contexts for p in curve.points] == [24, 48, 96] * 2
    assert [p.seed for p in curve.points] == [5, 5, 5, 6, 6, 6]
    for point, contexts in zip(curve.points, model.fitted, strict=True):
        assert len(contexts) == point.n_contexts
        assert point.n_judgments == 3 * point.n_contexts
    assert model.fitted[0] < model.fitted[1] < model.fitted[2]
    assert model.asked[0] == model.asked[2] != model.asked[3]
    for fitted, asked in zip(model.fitted, model.asked, strict=True):
        assert not fitted & asked


def test_more_data_help_until_there_is_nothing_left_to_learn(votes):
    curve = learning_curve(WordCount("taste"), votes, shares=(0.1, 1.0), repeats=4)
    small, large = curve.mean("log_loss")
    assert small[0] == 10 == curve.points[0].n_contexts
    assert large[0] == 96
    assert large[1] < small[1]
    assert small[2] <= small[1] <= small[3]
    assert json.dumps(curve.to_dict(), allow_nan=False)


def test_sizes_too_small_to_fit_are_skipped_and_none_left_is_said(votes):
    assert {p.n_contexts for p in learning_curve(WordCount(), votes, shares=(0.01, 0.5), repeats=1).points} == {48}
    with pytest.raises(InputError, match="needs more contexts"):
        learning_curve(WordCount(), votes.select(np.arange(20)))
