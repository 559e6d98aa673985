"""Each kind of problem, planted and found, and nothing found in a clean set."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pytest
from generated_judgments import many
from hypothesis import given, settings

from llull.judgments import Judgment, Message, Option, Preferences, Rating, named_option, prompt, text_option
from llull.judgments.formats.choices import best_of
from llull.judgments.record import context_id


def clean(n: int = 60, seed: int = 0) -> list[Judgment]:
    """Judgments with nothing wrong: sides balanced, texts whole, nobody asked twice."""
    generator = np.random.default_rng(seed)
    judgments = []
    for i in range(n):
        best = int(i % 2)
        shown = [0, 1] if generator.random() < 0.5 else [1, 0]
        judgments.append(
            Judgment(
                [text_option(f"answer {i} a"), text_option(f"answer {i} b")],
                prompt(f"question {i}"),
                ranking=[[best], [1 - best]],
                shown=shown,
                annotator=f"w{i % 7}",
            )
        )
    return judgments


def kinds(judgments: list[Judgment]) -> dict[str, tuple[int, ...]]:
    return {p.kind: p.rows for p in Preferences.from_judgments(judgments).problems()}


def test_a_clean_set_has_no_problems():
    assert kinds(clean()) == {}
    assert Preferences.from_judgments([]).problems() == []


def vote(*texts: str, who: str | None = "zoe", best: int = 0, question: str = "q", **more) -> Judgment:
    ranking = [[best], [i for i in range(len(texts)) if i != best]]
    return Judgment([text_option(t) for t in texts], prompt(question), ranking=ranking, annotator=who, **more)


PLANTED = {
    "identical options": [vote("same", "same")],
    "empty options": [vote("", "yes"), vote("no", " \n", question="p")],
    "replacement characters": [vote("caf\ufffd", "yes")],
    "mojibake": [
        vote("voilÃ\xa0 le cafÃ©", "yes"),
        vote("itâ€™s", "no", question="p"),
        vote("a", "b", question="Ã‰tÃ©?"),
        vote("c", "d", question="r", rationale="Ã¼ber"),
    ],
    "control characters": [vote("bell\x07", "yes"), vote("next\x85", "no", question="p")],
    "options under several contexts": [vote("I cannot.", "no"), vote("I cannot.", "so", question="p")],
}


@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_fault_is_found_where_it_is(kind):
    planted = PLANTED[kind]
    assert kinds(clean() + planted) == {kind: tuple(range(60, 60 + len(planted)))}


def test_what_only_looks_like_a_fault_is_none():
    fine = [
        vote("São Paulo, NÃO", "naïve Â", question="tab\tnew\nline"),
        Judgment([named_option("model-x"), named_option("model-y")], ranking=[[0], [1]], annotator="zoe"),
        Judgment([named_option("model-x"), named_option("model-y")], prompt("p"), ranking=[[0], [1]], annotator="zoe"),
        vote("a", "b", who=None, question="s"),
        vote("b", "a", who=None, question="s"),
        vote("ja", "nein", question="t", criterion="helpful"),
        vote("ja", "nein", question="t", criterion="harmless"),
    ]
    assert kinds(clean() + fine) == {}


def test_repeats_are_told_apart():
    first = vote("a", "b")
    found = kinds([*clean(), first, vote("a", "b"), vote("b", "a", best=1), vote("a", "b", best=1)])
    assert found == {
        "duplicate judgments": (61,),
        "repeat votes": (62,),
        "contradictory repeat votes": (63,),
    }


def test_a_later_vote_of_the_same_kind_is_a_repeat_and_not_a_duplicate():
    times = [datetime(2024, 1, day, tzinfo=UTC) for day in (1, 2)]
    assert set(kinds(clean() + [vote("a", "b", time=time) for time in times])) == {"repeat votes"}


def test_rating_options_one_after_another_is_no_repeat():
    def rate(index: int, aspect: str, value: float) -> Judgment:
        return Judgment(
            [text_option("a"), text_option("b")],
            prompt("q"),
            verdict="rated",
            ratings=[Rating(index, aspect, value)],
            annotator="zoe",
        )

    assert kinds([*clean(), rate(0, "truth", 1), rate(1, "truth", 2), rate(0, "style", 2)]) == {}
    assert set(kinds([*clean(), rate(0, "truth", 1), rate(0, "truth", 2)])) == {"contradictory repeat votes"}


def test_a_constant_listed_side_is_found_in_the_file_that_has_it():
    judgments = clean()
    for judgment in judgments:
        judgment.tags["source"] = "balanced"
    constant = [vote(f"x{i}", f"y{i}", question=f"constant {i}", tags={"source": "constant"}) for i in range(25)]
    assert kinds(judgments + constant) == {"constant listed side": (60, 61, 62, 63, 64)}
    assert kinds(judgments + constant[:19]) == {}
    shuffled = Preferences.from_judgments(judgments + constant).shuffle_sides(0)
    assert shuffled.problems() == []


def test_a_constant_shown_side_and_a_biased_one():
    always = clean(100)
    for judgment in always:
        judgment.shown = [judgment.ranking[0][0], judgment.ranking[1][0]]
    assert set(kinds(always)) == {"constant shown side"}
    often = clean(100)
    for i, judgment in enumerate(often):
        best, worst = judgment.ranking[0][0], judgment.ranking[1][0]
        judgment.shown = [best, worst] if i % 4 else [worst, best]
    (problem,) = Preferences.from_judgments(often).problems()
    assert (problem.kind, problem.count, problem.share) == ("position bias", 100, 1.0)
    assert "75.0%" in problem.meaning


def test_respelled_contexts_are_found():
    planted = [vote("a", "b", question="Why?"), vote("c", "d", question="why"), vote("e", "f", question="Why not")]
    assert kinds(clean() + planted) == {"respelled contexts": (60, 61)}


@given(many(max_size=10))
@settings(max_examples=40, deadline=None)
def test_plain_counts_over_generated_judgments(judgments):
    found = {p.kind: p for p in Preferences.from_judgments(judgments).problems()}

    def check(kind: str, rows: list[int]) -> None:
        assert (found[kind].count if kind in found else 0) == len(rows)
        if kind in found:
            assert found[kind].rows == tuple(rows[:5])

    check("identical options", [i for i, j in enumerate(judgments) if len({o.id for o in j.options}) < len(j.options)])

    def is_empty(option: Option) -> bool:
        said = any(m.content.strip() or m.media for m in option.messages) or option.media
        return not said and not (option.source and not option.messages)

    check("empty options", [i for i, j in enumerate(judgments) if any(is_empty(o) for o in j.options)])

    def asked(j: Judgment) -> object:
        rated = sorted((j.options[r.option].id, r.aspect) for r in j.ratings)
        compared = sorted(j.options[i].id for tier in j.ranking for i in tier)
        offered = sorted(o.id for o in j.options)
        return (context_id(j.context), offered, compared or offered, rated, j.annotator, j.criterion)

    def answered(j: Judgment) -> object:
        tiers = [sorted(j.options[i].id for i in tier) for tier in j.ranking]
        return (tiers, sorted((j.options[r.option].id, r.aspect, r.value) for r in j.ratings), j.verdict)

    def all_of_it(j: Judgment) -> object:
        order = ([o.id for o in j.options], j.shown)
        return (asked(j), answered(j), order, j.strength, j.rationale, j.time)

    duplicates, repeats, contradictions = [], [], []
    for i, j in enumerate(judgments):
        before = [k for k in range(i) if asked(judgments[k]) == asked(j)]
        if any(all_of_it(judgments[k]) == all_of_it(j) for k in range(i)):
            duplicates.append(i)
        elif before and j.annotator:
            (repeats if answered(judgments[before[0]]) == answered(j) else contradictions).append(i)
    check("duplicate judgments", duplicates)
    check("repeat votes", repeats)
    check("contradictory repeat votes", contradictions)


def test_the_judgments_of_one_choice_are_no_repeats():
    options = [text_option(text) for text in "abcd"]
    choice = list(best_of(Judgment(options, prompt("q"), [[1], [0, 2, 3]], annotator="w")))
    other = list(best_of(Judgment(options, prompt("q"), [[2], [0, 1, 3]], annotator="w")))
    once = {problem.kind for problem in Preferences.from_judgments([*clean(), *choice]).problems()}
    assert once.isdisjoint({"duplicate judgments", "repeat votes", "contradictory repeat votes"})
    twice = {problem.kind: problem.count for problem in Preferences.from_judgments([*choice, *other]).problems()}
    # Of the second choice, one judgment compares the two that the first compared, the other way around.
    assert twice["contradictory repeat votes"] == 1


def test_a_problem_says_what_and_where():
    (problem,) = Preferences.from_judgments([*clean(), Judgment([Option([Message("assistant", "")]), text_option("a")],
                                             prompt("q"), ranking=[[1], [0]])]).problems()  # fmt: skip
    assert str(problem).startswith("empty options: 1 judgments (1.6%), as in row 60. ")
    assert json.loads(json.dumps(problem.to_dict()))["rows"] == [60]
