"""Axioms as further judgments (158): each raises what it is about, and takes next to nothing from the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from llull.encoders import Encoder
from llull.errors import InputError
from llull.judgments import Judgment, Preferences, prompt, text_option
from llull.judgments.views import Options
from llull.models import PreferenceModel
from llull.models.axioms import Changed, Combined, Relevance, with_axioms, without_axioms

STYLE, TOPICS = 4, 12


def numbers(text: str) -> np.ndarray:
    return np.array([float(word) for word in text.split()])


def written(values: np.ndarray) -> str:
    return " ".join(f"{value:.4f}" for value in values)


class Overlap(Encoder):
    """Of answers written as numbers: style, product of their topic with the question's, evidence and errors."""

    @property
    def names(self) -> tuple[str, ...]:
        topics = tuple(f"topic {k}" for k in range(TOPICS))
        return (*(f"style {k}" for k in range(STYLE)), *topics, "evidence", "errors")

    @property
    def fingerprint(self) -> str:
        return "overlap"

    @property
    def encodes_contexts(self) -> bool:
        return True

    def encode(self, options: Options, progress: bool = True) -> np.ndarray:
        rows = np.stack([numbers(text) for text in options.texts()])
        rows[:, STYLE : STYLE + TOPICS] *= self.encode_contexts(options)[options.context]
        return rows.astype(np.float32)

    def encode_contexts(self, options: Options, progress: bool = True) -> np.ndarray:
        return np.stack([numbers(text) for text in options.contexts()]).astype(np.float32)

    def config(self) -> dict[str, Any]:
        return {}


class Forum:
    """Questions with two answers that differ in style alone as far as votes tell, for both are to the point."""

    def __init__(self, seed: int, questions: int = 600) -> None:
        self.random = np.random.default_rng(seed)
        self.taste = self.random.normal(size=STYLE)
        fields = self.random.normal(size=(12, TOPICS))
        made = []
        for number in range(questions):
            topic = fields[number % 12] + self.random.normal(size=TOPICS)
            topic *= 2 / np.linalg.norm(topic)
            answers = [self.answer(topic) for _ in range(2)]
            lead = 1.5 * (answers[0] - answers[1])[:STYLE] @ self.taste
            first = self.random.random() < 1 / (1 + np.exp(-lead))
            ranking = [[0], [1]] if first else [[1], [0]]
            options = [text_option(written(values)) for values in answers]
            made.append(Judgment(options, prompt(written(topic)), ranking=ranking))
        cut = questions * 2 // 3
        self.fit, self.held = Preferences.from_judgments(made[:cut]), Preferences.from_judgments(made[cut:])

    def answer(self, topic: np.ndarray) -> np.ndarray:
        about = topic + 0.1 * self.random.normal(size=TOPICS)
        return np.concatenate([self.random.normal(size=STYLE), about, 0.05 * self.random.normal(size=2)])

    def axioms(self) -> dict[str, Any]:
        def moved(place: int, by: float) -> Any:
            def change(asked: str, text: str) -> str:
                values = numbers(text)
                values[:STYLE] += 0.3 * self.random.normal(size=STYLE)
                values[place] += by
                return written(values)

            return change

        return {
            "relevance": Relevance(Overlap()),
            "grounding": Changed(moved(-2, 1.0), better="changed", name="grounding"),
            "truthfulness": Changed(moved(-1, 1.0)),
        }

    def probes(self) -> dict[str, Preferences]:
        made = {"votes": self.held}
        for name, axiom in self.axioms().items():
            both = with_axioms(self.held, [axiom]).preferences
            made[name] = both.select(np.arange(len(both)) >= len(self.held))
        return made


def accuracies(forum: Forum, names: tuple[str, ...], probes: dict[str, Preferences], weight: float = 0.1) -> np.ndarray:
    axioms = [axiom for name, axiom in forum.axioms().items() if name in names]
    judged = with_axioms(forum.fit, axioms, weight=weight).preferences if axioms else forum.fit
    model = PreferenceModel(Overlap()).fit(judged)
    return np.array([model.score(probe) for probe in probes.values()])


@pytest.mark.slow
def test_each_axiom_raises_its_own_probe_and_no_other_falls() -> None:
    order = ("relevance", "grounding", "truthfulness")
    found = []
    for seed in range(3):
        forum = Forum(seed)
        probes = forum.probes()
        found.append([accuracies(forum, order[:count], probes) for count in range(4)])
    mean = np.mean(found, axis=0)
    change = np.diff(mean, axis=0)
    for step in range(3):
        own = 1 + step
        assert change[step, own] >= 0.10, mean
        assert np.delete(change[step], own).min() >= -0.02, mean


def test_axioms_that_weigh_as_much_as_people_drown_their_taste_out() -> None:
    """Not in the claim: in judgments of relevance style is noise, and enough of them teach that it does not count."""
    votes = []
    for seed in range(3):
        forum = Forum(seed)
        probes = {"votes": forum.held}
        votes.append([accuracies(forum, names, probes, 1.0)[0] for names in ((), ("relevance",))])
    before, after = np.mean(votes, axis=0)
    assert after < before - 0.03


def test_what_axioms_make_is_marked_and_weighed() -> None:
    forum = Forum(0, questions=30)
    made = with_axioms(forum.fit, list(forum.axioms().values()), weight=0.5)
    assert made.counts == {"relevance": 20, "grounding": 40, "truthfulness": 40}
    extra = made.preferences.select(np.arange(len(made.preferences)) >= len(forum.fit))
    for name in made.counts:
        mine = [one for one in extra if one.tags["axiom"] == name]
        assert sum(one.weight for one in mine) == pytest.approx(0.5 * len(forum.fit))
        assert {(one.annotator, one.annotator_kind) for one in mine} == {(f"axiom: {name}", "rule")}
        assert {tuple(one.ranking[0]) for one in mine} == {(0,), (1,)}
    assert [one.id for one in without_axioms(made.preferences)] == [one.id for one in forum.fit]
    assert len(without_axioms(forum.fit)) == len(forum.fit)
    again = with_axioms(forum.fit, [forum.axioms()["relevance"]], weight=0.5).preferences
    same = with_axioms(forum.fit, [forum.axioms()["relevance"]], weight=0.5).preferences
    assert [one.id for one in again] == [one.id for one in same]


def test_near_questions_give_the_other_answers() -> None:
    forum = Forum(0, questions=90)
    made = with_axioms(forum.fit, [Relevance(Overlap(), nearest=1)]).preferences
    own = {one.context[0].content: {option.id for option in one.options} for one in forum.fit}
    asked_by = {option.id: one.context[0].content for one in forum.fit for option in one.options}
    topics = np.stack([numbers(text) for text in own])
    unit = topics / np.linalg.norm(topics, axis=1, keepdims=True)
    texts = list(own)
    for one in list(made)[len(forum.fit) :]:
        winner, loser = (one.options[tier[0]] for tier in one.ranking)
        here, there = one.context[0].content, asked_by[loser.id]
        assert winner.id in own[here]
        near = unit @ unit[texts.index(here)]
        near[texts.index(here)] = -2
        assert texts[int(near.argmax())] == there


def test_two_answers_combined_are_better_than_each() -> None:
    options = [text_option("short"), text_option("long"), text_option("other")]
    judged = Preferences.from_judgments([Judgment(options, prompt("q"), ranking=[[1], [0], [2]])])
    made = with_axioms(judged, [Combined(lambda asked, a, b: f"{a} and {b}", source="joined")]).preferences
    said = [[one.options[tier[0]].text for tier in one.ranking] for one in list(made)[1:]]
    assert said == [["long and short", "long"], ["long and short", "short"]]
    assert made[1].options[made[1].ranking[0][0]].source == "joined"


def test_what_makes_no_sense_is_refused() -> None:
    judged = Preferences.from_judgments(
        [Judgment([text_option("a"), text_option("b")], prompt("q"), ranking=[[0], [1]])]
    )
    same = Changed(lambda asked, text: text)
    with pytest.raises(InputError, match="makes no judgment"):
        with_axioms(judged, [same])
    with pytest.raises(InputError, match="name them apart"):
        with_axioms(judged, [same, same])
    with pytest.raises(InputError, match="not a share above 0"):
        with_axioms(judged, [same], weight=0.0)
    with pytest.raises(InputError, match="there is only one"):
        with_axioms(judged, [Relevance(Overlap())])
    with pytest.raises(InputError, match="leaves no other question"):
        Relevance(Overlap(), nearest=0)
