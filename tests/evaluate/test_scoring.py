import json

import numpy as np
import pytest
from rich.console import Console
from two_tastes import WordCount, make_votes

from llull.errors import InputError
from llull.evaluate import Predictions, evaluate
from llull.evaluate.scoring import clusters, measure
from llull.judgments import Judgment, Preferences, named_option


@pytest.fixture(scope="module")
def votes() -> Preferences:
    return make_votes()


def scored(prob, tie, cluster, group, names):
    """An evaluation of given probabilities, with one key called "group"."""
    n = len(prob)
    votes = Preferences.from_judgments(
        [Judgment([named_option("x"), named_option("y")], ranking=[[0, 1]] if t else [[0], [1]]) for t in tie]
    )
    labels = {"group": (np.array(group, np.int32), names)}
    predictions = Predictions(votes.pairs(), np.array(prob), np.zeros(n, np.int32), np.array(cluster), labels)
    return measure(predictions, model="m", protocol="p")


def test_parts_are_measured_on_their_own_pairs():
    found = scored(
        [0.9, 0.2, 0.6, 0.5, 0.8], [False, False, True, False, False], [0, 1, 2, 3, 4], [0, 0, 0, 1, -1], ("a", "b")
    )
    whole, a, b, none = found.slices
    assert (whole.n_pairs, whole.n_ties, whole.n_undecided, whole.n_contexts) == (5, 1, 1, 5)
    assert whole["accuracy"].value == pytest.approx(2.5 / 4)
    assert (a.by, a.name, a.n_pairs, a.n_ties) == ("group", "a", 3, 1)
    assert a["accuracy"].value == pytest.approx(0.5)
    assert b["accuracy"].value == pytest.approx(0.5)
    assert (none.name, none["accuracy"].value) == ("(none)", 1.0)
    assert a["log_loss"].value == pytest.approx(-(np.log(0.9) + np.log(0.2) + (np.log(0.6) + np.log(0.4)) / 2) / 3)


def test_the_worst_part_is_found_with_a_wider_interval():
    prob = [0.9] * 30 + [0.2] * 20 + [0.9] * 20 + [0.1] * 3
    group = [0] * 30 + [1] * 40 + [2] * 3
    found = scored(prob, [False] * 73, range(73), group, ("fine", "poor", "tiny"))
    (worst,) = found.worst
    assert (worst.by, worst.name, worst.among) == ("group", "poor", 2)
    plain = found.slices[2]["accuracy"]
    assert worst.accuracy.value == plain.value == 0.5
    assert worst.accuracy.low < plain.low
    assert worst.accuracy.high > plain.high


def test_one_part_is_no_worst_part():
    assert scored([0.9] * 50, [False] * 50, range(50), [0] * 50, ("only",)).worst == ()


def test_what_is_not_a_probability_is_refused():
    for bad in (np.nan, 1.2, -0.1):
        with pytest.raises(InputError, match="not a probability"):
            scored([0.5, bad], [False, False], [0, 1], [0, 0], ("a",))


def test_votes_without_context_are_clusters_of_their_own(votes):
    battles = Preferences.from_judgments([Judgment([named_option("x"), named_option("y")], ranking=[[0], [1]])] * 3)
    assert len(np.unique(clusters(battles))) == 3
    assert len(np.unique(clusters(votes))) == 120
    mixed = clusters(Preferences.concat([battles, votes]))
    assert len(np.unique(mixed)) == 123


def test_metrics_can_be_written_as_json(votes):
    found = evaluate(WordCount().fit(votes), votes, by=["taste", "criterion"], train=votes)
    loaded = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert loaded["slices"][0]["scores"]["accuracy"]["value"] == found.overall["accuracy"].value
    assert loaded["ties"]["count"] == found.overall.n_ties > 0
    assert set(loaded["baselines"]) == {"longest", "shortest", "first shown", "most markdown", "majority source"}
    assert {worst["by"] for worst in loaded["worst"]} == {"taste", "criterion"}
    assert loaded["metrics"]["ece"]


def test_the_table_shows_every_part_with_its_best_rule(votes):
    found = evaluate(WordCount().fit(votes), votes, by=["taste"])
    console = Console(width=80, record=True)
    console.print(found.table())
    text = console.export_text()
    for name, rule in (("all", found.best_baseline()[0]), ("taste = long", "longest"), ("taste = short", "shortest")):
        (line,) = [line for line in text.splitlines() if line.strip().startswith(name)]
        assert rule in line
        part = found.slices[["all", "taste = long", "taste = short"].index(name)]
        assert f"{part['accuracy'].value:.3f}" in line
    assert f"{found.overall.n_ties:,} ties" in text
