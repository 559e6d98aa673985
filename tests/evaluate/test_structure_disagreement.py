"""Noise, groups and people: the parts of disagreement that are known from how answers were made."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.special import expit

import llull.judgments
from llull.encoders import Precomputed
from llull.evaluate.structure import disagreement
from llull.evaluate.structure.answers import answers
from llull.evaluate.structure.disagreement import Counts
from llull.judgments import Judgment, Preferences, named_option, prompt

ITEMS, PEOPLE = 150, 12


def votes(seed: int, flip: float, by_group: float, by_person: float, *, again: bool = True) -> Preferences:
    """Everybody judges every pair twice. A pair has a true answer; with chances a group and a person have their own."""
    rng = np.random.default_rng(seed)
    made = []
    for item in range(ITEMS):
        of_group = (rng.random(2) < by_group) & np.array([True, False])
        for person in range(PEOPLE):
            own = of_group[person % 2] ^ (rng.random() < by_person)
            for _ in range(2 if again else 1):
                first = not (own ^ (rng.random() < flip))
                made.append(
                    Judgment(
                        [named_option("a"), named_option("b")],
                        prompt(f"question {item}"),
                        ranking=[[0], [1]] if first else [[1], [0]],
                        annotator=f"p{person}",
                        groups={"side": "left" if person % 2 else "right"},
                    )
                )
    return Preferences.from_judgments(made)


def differ(p: float) -> float:
    return 2 * p * (1 - p)


def with_noise(e: float, f: float) -> float:
    return e * (1 - f) + f * (1 - e)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_parts_are_recovered(seed: int) -> None:
    flip, by_group, by_person = 0.1, 0.5, 0.15
    found = disagreement(votes(seed, flip, by_group, by_person), group="side", seed=seed)
    within = differ(flip)
    in_group = differ(with_noise(by_person, flip))
    chance = with_noise(by_person, flip)
    across = by_group * (chance**2 + (1 - chance) ** 2) + (1 - by_group) * in_group
    same = (PEOPLE / 2 - 1) / (PEOPLE - 1)
    between = same * in_group + (1 - same) * across
    for estimate, truth in (
        (found.within_person, within),
        (found.between_people, between),
        (found.noise, within / between),
        (found.among_groups, 1 - in_group / between),
        (found.among_people, (in_group - within) / between),
    ):
        assert abs(estimate.value - truth) < 3 * estimate.error + 0.005
        assert estimate.error < 0.1
    assert found.repeated == ITEMS * PEOPLE
    assert "is noise" in found.verdict


def test_groups_that_do_not_differ_have_no_part_and_all_is_noise() -> None:
    shares = [disagreement(votes(seed, 0.2, 0.0, 0.0), group="side", seed=seed) for seed in range(3)]
    assert sum(found.among_groups.low > 0 for found in shares) <= 1
    assert sum(found.among_people.low > 0 for found in shares) <= 1
    assert np.mean([found.noise.value for found in shares]) == pytest.approx(1.0, abs=0.05)


def test_nobody_asked_twice_is_said() -> None:
    found = disagreement(votes(0, 0.1, 0.5, 0.1, again=False), group="side")
    assert found.repeated == 0
    assert np.isnan(found.noise.value)
    assert found.among_groups.low > 0
    assert "the data cannot tell" in found.verdict
    assert found.to_dict()["noise"]["value"] is None


def test_pairs_made_from_ratings_are_nobodys_second_answer() -> None:
    found = disagreement(votes(0, 0.1, 0.5, 0.1), from_ratings=True)
    assert found.repeated == 0
    assert np.isnan(found.noise.value)


def test_no_overlap_and_no_names_are_said() -> None:
    lonely = [
        Judgment([named_option(f"a{i}"), named_option(f"b{i}")], ranking=[[0], [1]], annotator=f"p{i}")
        for i in range(20)
    ]
    assert "only 0 pairs" in disagreement(Preferences.from_judgments(lonely)).verdict
    unnamed = [Judgment([named_option("a"), named_option("b")], ranking=[[0], [1]])]
    assert "no judgment names its annotator" in disagreement(Preferences.from_judgments(unnamed)).verdict


def test_couples_against_a_loop() -> None:
    given = answers(votes(3, 0.2, 0.5, 0.2).pairs(group="side")).select(np.arange(0, 2000, 3))
    found = Counts.of(given)
    slow = np.zeros((6, len(found.votes)))
    for i, j in combinations(range(len(given)), 2):
        if given.item[i] != given.item[j]:
            continue
        item, unlike = given.item[i], given.says[i] != given.says[j]
        own = given.annotator[i] == given.annotator[j]
        kind = 2 if own else 0
        slow[kind, item] += 1
        slow[kind + 1, item] += unlike
        if not own and given.group[i] == given.group[j]:
            slow[4, item] += 1
            slow[5, item] += unlike
    fast = (
        found.couples,
        found.differing,
        found.self_couples,
        found.self_differing,
        found.group_couples,
        found.group_differing,
    )
    assert np.array_equal(np.stack(fast), slow)


@pytest.mark.slow
def test_a_taste_of_each_person_foresees_some_of_what_they_disagree_about() -> None:
    def crowd(apart: float) -> tuple[Preferences, Precomputed]:
        rng = np.random.default_rng(0)
        made, vectors = [], {}
        for number in range(1200):
            person = number % 20
            sides = rng.normal(size=(2, 2))
            options = [named_option(f"o{number}x"), named_option(f"o{number}y")]
            first = rng.random() < expit((sides[0] - sides[1]) @ [1.0, apart if person < 10 else -apart])
            ranking = [[0], [1]] if first else [[1], [0]]
            vote = Judgment(options, prompt(f"c{number}"), ranking=ranking, annotator=f"p{person}")
            made.append(vote)
            vectors[f"o{number}x"], vectors[f"o{number}y"] = sides
        preferences = Preferences.from_judgments(made)
        known = preferences.pairs().options
        return preferences, Precomputed(
            {i: vectors[str(name)] for i, name in zip(known.ids, known.sources, strict=True)}
        )

    preferences, features = crowd(1.5)
    found = disagreement(preferences, features=features)
    assert found.predicted.low > 0.05
    preferences, features = crowd(0.0)
    assert disagreement(preferences, features=features).predicted.low <= 0


@pytest.mark.slow
def test_workers_of_ukp_disagree_with_each_other_more_than_with_themselves(real_data) -> None:
    votes = llull.judgments.read(str(real_data / "ukp_convarg" / "convarg1_pairs.jsonl.gz"))
    found = disagreement(votes)
    assert found.repeated >= 100
    assert found.between_people.value > 0.2
    assert found.within_person.high < found.between_people.low
