"""The demonstration holds what it says: two opposed tastes, and the planted faults."""

from __future__ import annotations

import re

import numpy as np

from llull.judgments.simulate import ATTRIBUTES, demo, worded_options
from llull.judgments.simulate.demonstration import COMMUNITIES, demo_truth
from llull.judgments.viewing import options
from llull.judgments.views import Options


def test_the_words_show_the_attributes():
    pool = worded_options(seed=1)
    texts = options(pool.table)[0].texts()
    assert len(pool) == 240
    assert len(texts) == 960 == len(set(zip(np.repeat(np.arange(240), 4), texts, strict=True)))
    length, politeness, structure, hedging, refusal = pool.attributes.T
    for row, text in enumerate(texts):
        assert bool(re.search(r"cannot give|rather not|can't help", text)) == refusal[row]
        assert text.startswith("I am sorry.") or not (refusal[row] and politeness[row])
        assert bool(re.search(r"^1\. ", text, re.MULTILINE)) == structure[row]
        assert bool(re.search(r"not certain|depends on|could be wrong", text)) == hedging[row]
        assert " my " not in text
    assert set(np.unique(length)) == {-1.5, -1.0, -0.5, 0.0, 0.5, 1.0}
    assert ATTRIBUTES[0] == "length"


def test_the_communities_are_opposed_in_what_they_chose():
    simulated = demo_truth(seed=0)
    pool = worded_options(seed=0)
    pairs = simulated.preferences.pairs(group="community")
    attributes = pool.attributes[pool.find(pairs.options)]
    gain = attributes[pairs.winner] - attributes[pairs.loser]
    for community in COMMUNITIES:
        of = (pairs.group == pairs.groups.index(community.name)) & ~pairs.tie
        assert of.sum() > 500
        assert np.array_equal(np.sign(gain[of].mean(axis=0)), np.sign(community.weights))


def test_the_planted_faults_are_found_where_they_are():
    votes = demo(seed=0)
    planted = len(votes) - 9
    found = {problem.kind: problem for problem in votes.problems()}
    for kind, rows in {
        "identical options": (planted, planted + 1),
        "empty options": (planted + 2, planted + 3),
        "duplicate judgments": (planted + 4, planted + 5),
        "contradictory repeat votes": (planted + 6,),
        "mojibake": (planted + 7,),
    }.items():
        assert found[kind].rows == rows
    assert "respelled contexts" in found
    assert "position bias" in found
    assert "constant listed side" not in found


def test_there_are_ties_reasons_and_overlap():
    found = demo(seed=0).describe()
    assert 0.05 < found.ties < 0.25
    assert found.rationales > 500
    assert found.overlap.shared > 500
    assert found.verdicts["both_bad"] > 5
    assert set(found.groups["community"]) == {"careful", "direct"}


def test_seeds_make_different_demonstrations_and_repeat():
    assert demo(1).table.equals(demo(1).table)
    assert not demo(1).table.equals(demo(2).table)
    assert isinstance(demo(1).pairs().options, Options)
