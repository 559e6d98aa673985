from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from llull.judgments import Judgment, Rating, named_option, prompt
from llull.judgments.formats.choices import best_of, whole


def choice(chosen, others, **given):
    options = [named_option(name) for name in "abcdef"[: len(chosen) + len(others)]]
    return Judgment(options, prompt("Q"), [chosen, others], tags={"source": "s"}, **given)


def test_a_choice_weighs_as_much_as_one_pair():
    for chosen, others in (([1], [0, 2, 3]), ([0, 3], [1, 2, 4])):
        made = list(best_of(choice(chosen, others, weight=3.0, annotator="ann", rationale="Kinder.")))
        assert [judgment.ranking for judgment in made] == [[[better], [worse]] for better in chosen for worse in others]
        assert abs(sum(judgment.weight for judgment in made) - 3.0) < 1e-12
        assert all(len(judgment.options) == len(chosen) + len(others) for judgment in made)
        assert {(judgment.annotator, judgment.rationale) for judgment in made} == {("ann", "Kinder.")}
        assert all(first.tags == second.tags and first.id != second.id for first, second in pairwise(made))
        assert not any(judgment.problem() for judgment in made)


def test_a_choice_between_two_is_a_pair():
    pair = choice([1], [0])
    assert list(best_of(pair)) == [pair]
    assert "choice" not in pair.tags


def test_ratings_are_said_once():
    made = list(best_of(choice([1], [0, 2], ratings=[Rating(0, "score", 3.0)])))
    assert [judgment.verdict for judgment in made] == ["rated", "ranked", "ranked"]
    assert [len(judgment.ratings) for judgment in made] == [1, 0, 0]
    assert len({judgment.tags["choice"] for judgment in made}) == 1
    assert not any(judgment.problem() for judgment in made)


def test_whole_undoes_it():
    first = choice([1], [0, 2, 3], ratings=[Rating(0, "score", 3.0)])
    pair, second = choice([0], [1]), choice([0, 1], [2, 3])
    made = [judgment for whole_one in (first, pair, second, second) for judgment in best_of(whole_one)]
    assert list(whole(made)) == [(first, 4), (pair, 1), (second, 4), (second, 4)]


def test_a_choice_whose_parts_list_the_options_differently_stays_in_parts():
    first, *rest = best_of(choice([1], [0, 2]))
    turned = replace(first, options=first.options[::-1], ranking=[[1], [2]])
    assert list(whole([turned, *rest])) == [(turned, 1), *((judgment, 1) for judgment in rest)]


def test_a_choice_that_lacks_a_pair_stays_in_parts():
    made = list(best_of(choice([0, 1], [2, 3])))[:3]
    assert list(whole(made)) == [(judgment, 1) for judgment in made]
