"""Pairs out of ratings, against a plain loop."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from llull.errors import InputError
from llull.judgments import Judgment, Preferences, Rating, named_option, prompt


def rate(person: str | None, values: dict[str, float], context: str = "jokes", aspect: str = "fun") -> Judgment:
    options = [named_option(name) for name in values]
    ratings = [Rating(i, aspect, value) for i, value in enumerate(values.values())]
    return Judgment(
        options, prompt(context), verdict="rated", ratings=ratings, annotator=person, groups={"g": str(person)}
    )


def found(preferences: Preferences) -> set[tuple[str | None, str, str, float]]:
    pairs = preferences.pairs()
    ids = pairs.options.ids
    people = [*pairs.annotators, None]
    return {
        (people[a], ids[w], ids[lo], s)
        for a, w, lo, s in zip(pairs.annotator, pairs.winner, pairs.loser, pairs.strength, strict=True)
    }


def expected(judgments: list[Judgment]) -> set[tuple[str | None, str, str, float]]:
    groups: dict[object, list[tuple[str, float]]] = {}
    for number, judgment in enumerate(judgments):
        key = (judgment.annotator, judgment.context[0].content) if judgment.annotator else number
        rated = [(judgment.options[r.option].id, r.value) for r in judgment.ratings if r.aspect == "fun"]
        groups.setdefault((judgment.annotator, key), []).extend(rated)
    return {
        (person, *((a[0], b[0]) if a[1] > b[1] else (b[0], a[0])), abs(a[1] - b[1]))
        for (person, _), rated in groups.items()  # pyright: ignore[reportGeneralTypeIssues]
        for a, b in itertools.combinations(rated, 2)
        if a[1] != b[1] and a[0] != b[0]
    }


def test_all_couples_that_differ_within_a_person_and_context():
    judgments = [
        rate("ann", {"a": 3.0, "b": 1.0, "c": 3.0}),
        rate("ann", {"d": 2.0}),
        rate("ann", {"e": 9.0}, context="songs"),
        rate("bob", {"a": 1.0}),
        rate("bob", {"b": 2.0}),
        rate(None, {"a": 1.0, "b": 2.0}),
        rate(None, {"c": 7.0}),
        rate("ann", {"z": 0.0}, aspect="taste"),
    ]
    assert found(Preferences.from_judgments(judgments).paired_by("fun")) == expected(judgments)


def test_random_ratings_agree_with_the_loop():
    rng = np.random.default_rng(3)
    judgments = [
        rate(
            f"p{rng.integers(4)}",
            {f"o{o}": float(rng.integers(3)) for o in rng.choice(9, rng.integers(1, 4), replace=False)},
        )
        for _ in range(30)
    ]
    assert found(Preferences.from_judgments(judgments).paired_by("fun", most=10_000)) == expected(judgments)


def test_many_possible_pairs_are_drawn_at_random_up_to_a_limit():
    judgments = [rate(person, {f"o{i}": float(i) for i in range(60)}) for person in ("ann", "bob")]
    votes = Preferences.from_judgments(judgments).paired_by("fun", most=15, seed=1)
    pairs = votes.pairs()
    assert np.bincount(pairs.annotator).tolist() == [15, 15]
    assert found(votes) <= expected(judgments)
    assert len(found(votes)) == 30
    again = Preferences.from_judgments(judgments).paired_by("fun", most=15, seed=1)
    assert list(again) == list(votes)
    other = Preferences.from_judgments(judgments).paired_by("fun", most=15, seed=2)
    assert found(other) != found(votes)


def test_groups_and_context_stay_and_the_listed_order_says_nothing():
    judgments = [rate(f"p{i}", {"a": 1.0, "b": 0.0}) for i in range(200)]
    votes = Preferences.from_judgments(judgments).paired_by("fun")
    assert {vote.groups["g"] for vote in votes} == {f"p{i}" for i in range(200)}
    first_wins = np.mean([vote.ranking[0] == [0] for vote in votes])
    assert 0.35 < first_wins < 0.65  # 200 fair coins fall outside with probability 2e-5


def test_errors_name_the_aspect():
    votes = Preferences.from_judgments([rate("ann", {"a": 1.0, "b": 1.0})])
    with pytest.raises(InputError, match="'speed'; there is fun"):
        votes.paired_by("speed")
    with pytest.raises(InputError, match="no two ratings of 'fun'"):
        votes.paired_by("fun")


def test_pairs_may_keep_the_two_ratings_they_are_made_of():
    made = [
        Judgment(
            [named_option(f"o{i}")], verdict="rated", ratings=[Rating(0, "fun", float(i % 3), 0, 4)], annotator="a"
        )
        for i in range(7)
    ]
    pairs = Preferences.from_judgments(made).paired_by("fun", keep_ratings=True)
    assert len(pairs) == 16
    for pair in pairs:
        said = {pair.options[rating.option].source: rating.value for rating in pair.ratings}
        assert said == {f"o{i}": float(i % 3) for i in range(7) if f"o{i}" in said}
        assert len(said) == 2
        assert (pair.ratings[0].aspect, pair.ratings[0].low, pair.ratings[0].high) == ("fun", 0, 4)
