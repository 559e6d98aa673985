"""Every count of a description against loops over judgments."""

from __future__ import annotations

import json
import math
from collections import Counter
from statistics import median

import numpy as np
import pytest
from generated_judgments import many
from hypothesis import given, settings
from rich.console import Console

from llull.judgments import Judgment, Preferences, Rating, named_option, prompt, text_option
from llull.judgments.describing import share
from llull.judgments.record import context_id


@given(many(max_size=10))
@settings(max_examples=40, deadline=None)
def test_counts_equal_a_plain_count(judgments):
    found = Preferences.from_judgments(judgments).describe()
    assert found.judgments == len(judgments)
    assert found.contexts == len({context_id(j.context) for j in judgments if j.context})
    assert found.options == len({(context_id(j.context), o.id, o.source) for j in judgments for o in j.options})
    assert found.options_per_judgment == Counter(len(j.options) for j in judgments)
    assert found.verdicts == Counter(j.verdict for j in judgments)
    assert found.annotator_kinds == Counter(j.annotator_kind or "unknown" for j in judgments)
    assert found.criteria == Counter(j.criterion for j in judgments if j.criterion)
    assert found.rationales == sum(j.rationale is not None for j in judgments)
    for key in ("country", "age"):
        assert found.groups.get(key, {}) == Counter(j.groups[key] for j in judgments if key in j.groups)
    done = Counter(j.annotator for j in judgments if j.annotator)
    assert found.annotators.number == len(done)
    assert found.annotators.unknown == sum(j.annotator is None for j in judgments)
    if done:
        assert (found.annotators.median, found.annotators.largest) == (median(done.values()), max(done.values()))
    lengths = [sum(len(m.content) for m in o.messages) for j in judgments for o in j.options]
    written = [length for length in lengths if length]
    assert found.characters == pytest.approx(median(written) if written else math.nan, nan_ok=True)
    for aspect in ("accept", "clarity", "truth"):
        values = [r.value for j in judgments for r in j.ratings if r.aspect == aspect]
        if values:
            rated = found.ratings[aspect]
            assert (rated.count, rated.low, rated.high) == (len(values), min(values), max(values))
            assert rated.mean == pytest.approx(sum(values) / len(values))
        else:
            assert aspect not in found.ratings


@given(many(max_size=10))
@settings(max_examples=40, deadline=None)
def test_sides_and_lengths_equal_a_plain_count(judgments):
    longer, shown, listed, ties, pairs = [], [], [], 0, 0
    for j in judgments:
        tier_of = {index: tier for tier, members in enumerate(j.ranking) for index in members}
        for a in tier_of:
            for b in tier_of:
                if a < b:
                    pairs += 1
                    ties += tier_of[a] == tier_of[b]
                if tier_of[a] < tier_of[b]:
                    size = [sum(len(m.content) for m in j.options[i].messages) for i in (a, b)]
                    if size[0] != size[1] and j.options[a].messages and j.options[b].messages:
                        longer.append(size[0] > size[1])
                    if a in j.shown and b in j.shown:
                        shown.append(j.shown.index(a) < j.shown.index(b))
                    listed.append(a < b)
    found = Preferences.from_judgments(judgments).describe()
    assert found.pairs == pairs
    assert found.ties == pytest.approx(ties / pairs if pairs else math.nan, nan_ok=True)
    for ours, plain in (
        (found.longer_wins, longer),
        (found.first_shown_wins, shown),
        (found.first_listed_wins, listed),
    ):
        assert (ours is None) == (not plain)
        if ours is not None:
            assert (ours.count, ours.share) == (len(plain), pytest.approx(sum(plain) / len(plain)))
            assert 0 <= ours.low <= ours.share <= ours.high <= 1


@given(many(max_size=6))
@settings(max_examples=40, deadline=None)
def test_every_description_prints_and_is_json(judgments):
    found = Preferences.from_judgments(judgments).describe()
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["judgments"] == len(judgments)
    console = Console(width=400, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(found)
    printed = console.export_text()
    for name, text in found.lines():
        assert name in printed
        assert " ".join(text.split()) in " ".join(printed.split())
        assert name in str(found)


def test_agreement_counts_pairs_in_either_order_once_per_annotator():
    a, b = text_option("a"), text_option("b")

    def vote(options, ranking, who, criterion=None):
        return Judgment(options, prompt("q"), ranking=ranking, annotator=who, criterion=criterion)

    found = Preferences.from_judgments(
        [
            vote([a, b], [[0], [1]], "ann"),
            vote([b, a], [[1], [0]], "bob"),
            vote([a, b], [[1], [0]], "ann"),
            vote([a, b], [[1], [0]], "eve", criterion="harmless"),
        ]
    ).describe()
    assert (found.overlap.items, found.overlap.shared, found.overlap.largest) == (2, 1, 2)
    assert found.agreement is not None
    assert (found.agreement.votes, found.agreement.percent) == (2, 1.0)
    assert found.label_noise == 0.0


def test_agreement_on_ratings():
    one = text_option("one")
    found = Preferences.from_judgments(
        Judgment([one], prompt("q"), verdict="rated", ratings=[Rating(0, "truth", value, 1, 5)], annotator=who)
        for who, value in [("ann", 4.0), ("bob", 4.0), ("eve", 1.0)]
    ).describe()
    rated = found.ratings["truth"]
    assert rated.agreement is not None
    assert rated.agreement.percent == pytest.approx(1 / 3)
    assert (rated.overlap.items, rated.overlap.mean) == (1, 3.0)


def test_the_interval_is_that_of_wilson_for_independent_judgments():
    from scipy.stats import binomtest

    yes = np.arange(200) < 130
    found = share(yes, np.arange(200))
    wilson = binomtest(130, 200).proportion_ci(method="wilson")
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(wilson.low), pytest.approx(wilson.high))


def test_repeating_every_pair_within_its_judgment_narrows_nothing():
    yes = np.arange(50) < 30
    one, many_times = share(yes, np.arange(50)), share(np.tile(yes, 4), np.tile(np.arange(50), 4))
    assert one is not None
    assert many_times is not None
    assert (one.low, one.high) == (pytest.approx(many_times.low), pytest.approx(many_times.high))


def test_the_interval_covers_what_it_should():
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(1000):
        found = share(generator.random(80) < 0.3, np.arange(80))
        assert found is not None
        covered += found.low <= 0.3 <= found.high
    # 95% nominal; the Wilson interval at n = 80 covers within a point of it. Four binomial standard errors are 0.028.
    assert 0.95 - 0.038 < covered / 1000 < 0.95 + 0.038


def test_named_options_have_no_length():
    found = Preferences.from_judgments(
        [Judgment([named_option("x"), named_option("y")], ranking=[[0], [1]])]
    ).describe()
    assert math.isnan(found.characters)
    assert found.longer_wins is None


def test_no_alpha_is_printed_where_all_answers_are_the_same():
    votes = [
        Judgment([named_option("x")], verdict="rated", ratings=[Rating(0, "accept", 1.0, 0.0, 1.0)], annotator=name)
        for name in ("ann", "bob")
    ]
    printed = str(Preferences.from_judgments(votes).describe())
    assert "all answers are the same" in printed
    assert "nan" not in printed
