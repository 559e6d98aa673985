"""Shuffled sides say the same thing in another order."""

from __future__ import annotations

from collections import Counter

import numpy as np
from generated_judgments import many
from hypothesis import given, settings
from hypothesis import strategies as st

from llull.judgments import Judgment, Preferences, named_option, text_option


def meaning(judgment: Judgment) -> object:
    """A judgment with options named by their content instead of their place."""

    def name(index: int) -> str:
        option = judgment.options[index]
        parent = judgment.options[option.parent].id if option.parent is not None else None
        return repr((option.id, option.messages, option.media, option.source, option.followup, parent))

    rest = [judgment.verdict, judgment.strength, judgment.annotator, judgment.tags, judgment.groups, judgment.id]
    return (
        Counter(name(i) for i in range(len(judgment.options))),
        [Counter(name(i) for i in tier) for tier in judgment.ranking],
        [name(i) for i in judgment.shown],
        Counter((name(r.option), r.aspect, r.value, r.low, r.high) for r in judgment.ratings),
        rest,
    )


@given(many(max_size=8), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_everything_that_names_an_option_follows_it(judgments, seed):
    preferences = Preferences.from_judgments(judgments)
    shuffled = preferences.shuffle_sides(seed)
    assert [j.problem() for j in shuffled] == [None] * len(judgments)
    assert [meaning(j) for j in shuffled] == [meaning(j) for j in preferences]
    assert shuffled.table.schema == preferences.table.schema
    assert shuffled.table.equals(preferences.shuffle_sides(seed).table)


def test_the_listed_order_carries_no_information_afterwards():
    names = [named_option(name) for name in "abc"]
    preferences = Preferences.from_judgments(Judgment(names, ranking=[[0], [1, 2]]) for _ in range(3000))
    assert preferences.describe().first_listed_wins.share == 1.0
    orders = Counter("".join(o.source for o in j.options) for j in preferences.shuffle_sides(seed=4))
    # Six orders, 500 each; the 99.9% point of chi-square with 5 degrees of freedom is 20.5.
    assert sum((count - 500) ** 2 / 500 for count in orders.values()) < 20.5
    assert len(orders) == 6
    tied = [j.ranking[1] for j in preferences.shuffle_sides(seed=4)]
    assert all(tier == sorted(tier) for tier in tied)


def test_a_filtered_set_can_be_shuffled():
    preferences = Preferences.from_judgments(
        Judgment([text_option(f"a{i}"), text_option(f"b{i}")], ranking=[[0], [1]]) for i in range(10)
    )
    some = preferences.select(np.array([7, 2]))
    assert [meaning(j) for j in some.shuffle_sides(1)] == [meaning(preferences[7]), meaning(preferences[2])]
