"""A report on a small simulated world, with every section filled."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
from scipy.special import expit

from llull.evaluate import cross_validate, learning_curve
from llull.judgments import Judgment, Preferences, Rating, prompt, text_option
from llull.judgments.describing import describe
from llull.judgments.reading import FileReading, Reading
from llull.judgments.rows import Reject
from llull.report import Report, Reproduction

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)> & "quoted"'


class LikesLength:
    """Believes that one community likes long answers and, if told to, that the other likes short ones."""

    def __init__(self, opposed: bool) -> None:
        self.opposed = opposed

    def pairs(self, preferences):
        return preferences.pairs(group="community" if self.opposed else None)

    def fit(self, preferences):
        return self

    def prob(self, pairs):
        length = np.array([len(text) for text in pairs.options.texts()], float)
        taste = np.ones(len(pairs))
        if self.opposed:
            taste = np.array([-1.0 if name.startswith("terse") else 1.0 for name in pairs.groups] + [1.0])[pairs.group]
        return expit(taste * (length[pairs.winner] - length[pairs.loser]) / 40)


def make_votes() -> Preferences:
    generator = np.random.default_rng(0)
    judgments = []
    for context in range(90):
        lengths = generator.choice(np.arange(1, 40), 2, replace=False)
        answers = [
            text_option(f"{HOSTILE} {context} " + "word " * n, source=f"model-{i}") for i, n in enumerate(lengths)
        ]
        longer = int(np.argmax(lengths))
        for vote in range(2):
            community = "terse <b>" if generator.random() < 0.4 else "talkative"
            best = longer if (community == "talkative") == (generator.random() < 0.85) else 1 - longer
            tied = generator.random() < 0.1
            judgments.append(
                Judgment(
                    answers,
                    prompt(f"question {context} {HOSTILE} " + "and so on " * 90),
                    ranking=[[0, 1]] if tied else [[best], [1 - best]],
                    verdict="both_bad" if tied else "ranked",
                    shown=[0, 1],
                    ratings=[Rating(0, "clear", float(generator.integers(1, 6)), 1, 5)],
                    annotator=f"annotator-{vote}",
                    annotator_kind="human",
                    groups={"community": community},
                    criterion="overall",
                )
            )
    return Preferences.from_judgments(judgments)


@cache
def sample() -> Report:
    votes = make_votes()
    reading = Reading(
        [
            FileReading(
                "votes<1>.jsonl",
                "plain",
                rows=181,
                rows_judged=180,
                rows_rejected=1,
                judgments=180,
                rejects=[Reject("votes<1>.jsonl", 7, HOSTILE)],
            )
        ]
    )
    reading.files[0].notes["a note & more"] += 3
    effects = [
        SimpleNamespace(member=m, feature=f, description=d, coefficient=c, low=c - 0.1, high=c + 0.1)
        for m in ("terse <b>", "talkative")
        for f, d, c in (("reading ease", "how easy", 0.75), ("a & b", "a & b", -0.25), ("dim 3", "", 2.0))
    ]
    return Report(
        title=f"Simulated {HOSTILE}",
        evaluations=[
            cross_validate(LikesLength(True), votes, by=["community", "criterion"], name="each <i>"),
            cross_validate(LikesLength(False), votes, by=["community", "criterion"], name="shared"),
        ],
        description=describe(votes.table),
        reading=reading,
        coefficients=effects,
        learning=learning_curve(LikesLength(True), votes, repeats=2, name="each <i>"),
        problems=[SimpleNamespace(kind=f"kind {HOSTILE}", count=12, share=12 / 180, meaning="means <little>")],
        reproduction=Reproduction(
            f"llull fit 'votes.jsonl' --title '{HOSTILE}'",
            17,
            "0123456789abcdef",
            "seed: 17\n",
            {"numpy": "2.0"},
            "today",
        ),
    )


def bare(report: Report) -> Report:
    """Only an evaluation, and nothing else known."""
    return replace(
        report,
        evaluations=report.evaluations[:1],
        description=None,
        reading=None,
        coefficients=(),
        learning=None,
        problems=None,
        reproduction=None,
    )
