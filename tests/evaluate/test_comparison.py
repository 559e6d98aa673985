import json

import numpy as np
import pytest
from rich.console import Console
from two_tastes import WordCount, make_votes

from llull.errors import InputError
from llull.evaluate import (
    compare,
    compared,
    cross_validate,
    evaluate,
    lead_over_rule,
    mean_interval,
    paired_differences,
)
from llull.judgments import Preferences


@pytest.fixture(scope="module")
def votes() -> Preferences:
    return make_votes()


def test_differences_say_for_whom_one_model_is_not_enough(votes):
    found = compare(votes, {"shared": WordCount(), "per taste": WordCount("taste")}, by="taste")
    change = {(d.name, d.metric): d for d in found.differences}
    assert change["", "accuracy"].verdict == "per taste"
    assert change["", "log_loss"].verdict == "per taste"
    assert change["", "log_loss"].change.value < 0
    names = [e.model for e in found.evaluations]
    assert names == ["shared", "per taste"]
    assert json.dumps(found.to_dict(), allow_nan=False)


def test_a_difference_is_that_of_the_two_values_with_its_own_interval(votes):
    found = compare(votes, {"a": WordCount(), "b": WordCount("taste")}, by=["taste"])
    first, second = found.evaluations
    for difference in found.differences:
        (a,) = [s for s in first.slices if (s.by, s.name) == (difference.by, difference.name)]
        (b,) = [s for s in second.slices if (s.by, s.name) == (difference.by, difference.name)]
        assert difference.change.value == pytest.approx(b[difference.metric].value - a[difference.metric].value)
    right = [e.predictions.prob > 0.5 for e in found.evaluations]
    decided = ~first.predictions.pairs.tie
    by_hand = mean_interval((right[1] * 1.0 - right[0])[decided], first.predictions.cluster[decided])
    assert found.differences[0].change.low == pytest.approx(by_hand.low)


def test_a_model_differs_from_itself_by_nothing(votes):
    found = compare(votes, [WordCount(), WordCount()])
    assert [e.model for e in found.evaluations] == ["WordCount 1", "WordCount 2"]
    for difference in found.differences:
        assert difference.change.value == 0
        assert difference.verdict == ""


def test_lead_over_the_best_rule_is_the_difference_of_their_accuracies(votes):
    found = cross_validate(WordCount("taste"), votes, by=["taste"])
    rule, lead = lead_over_rule(found)
    best = found.best_baseline()[1]["accuracy"].value
    assert lead.value == pytest.approx(found.overall["accuracy"].value - best)
    assert lead.low > 0.2
    assert best == max(parts[0]["accuracy"].value for parts in found.baselines.values())
    rule, lead = lead_over_rule(found, "taste", "long")
    assert rule == "longest"
    assert lead.low <= 0 <= lead.high


def test_the_table_shows_both_and_the_difference(votes):
    found = compare(votes, {"shared": WordCount(), "each": WordCount("taste")}, by="taste")
    console = Console(width=150, record=True)
    console.print(found.table())
    text = console.export_text()
    assert "each minus shared" in text
    assert f"{found.differences[0].change.value:+.3f}" in text


def test_other_pairs_cannot_be_compared(votes):
    model = WordCount().fit(votes)
    halves = [evaluate(model, votes.select(np.arange(start, start + 90))) for start in (0, 90)]
    with pytest.raises(InputError, match="different pairs"):
        compared(halves)


def test_one_model_is_no_comparison(votes):
    with pytest.raises(InputError, match="at least two"):
        compare(votes, [WordCount()])


def test_paired_differences_are_sharper_than_the_two_intervals(votes):
    class Nearly(WordCount):
        def prob(self, pairs):
            return np.clip(super().prob(pairs) + 0.01, 0, 1)

    one, other = cross_validate(WordCount("taste"), votes), cross_validate(Nearly("taste"), votes)
    brier = next(d for d in paired_differences(one, other) if d.metric == "brier")
    alone = one.overall["brier"]
    assert brier.change.high - brier.change.low < (alone.high - alone.low) / 5
