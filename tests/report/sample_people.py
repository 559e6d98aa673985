"""What a report says of people, with every part filled and hostile names."""

from __future__ import annotations

from llull.report.people_content import (
    AdaptationCurve,
    Attribute,
    Communities,
    Community,
    Disagreement,
    Disputed,
    Landmark,
    PeopleFound,
    PeopleMap,
    Person,
    Question,
    Range,
    ToldCount,
    Typical,
    Verdict,
)

FIRST, SECOND = "terse <b>", "long & winding"


def question(first: float, second: float, seen: bool = True) -> Question:
    shares = (Range(first, first - 0.02, first + 0.02), Range(second, second - 0.03, second + 0.03))
    return Question("why <i>?", "because & so", "for no reason", shares, (0.875, float("nan")) if seen else (), 9)


def people(found_in_judgments: bool = True, of_people: bool = True) -> PeopleFound:
    told = tuple(
        ToldCount(n, Range(value, value - 0.04, value + 0.04), (0.4, 0.5, value, 0.7, 0.8))
        for n, value in ((0, 0.52), (4, 0.58), (16, 0.61))
    )
    communities = Communities(
        (
            Community(FIRST, Range(0.625, 0.55, 0.7), 50 if of_people else None, 1234, 0.75),
            Community(SECOND, Range(0.375, 0.3, 0.45), 30 if of_people else None, 567, 0.4),
        ),
        "" if found_in_judgments else "side <b>",
        of_people,
        False,
        (
            Attribute("length & size", "how long <it> is", (Range(-0.5, -0.6, -0.4), Range(0.25, 0.15, 0.35))),
            Attribute("lists", "", (Range(0.01, -0.1, 0.12), Range(0.02, -0.1, 0.14))),
        ),
        "attributes of their text",
        (question(0.125, 0.9375), question(0.75, 0.25, seen=False)),
        (Typical(0, "why <i>?", "no", "well, that depends", (0.9, 0.2)), Typical(1, "how?", "so", "no", (0.1, 0.8))),
    )
    return PeopleFound(
        communities,
        PeopleMap(
            tuple(Person(i / 10 - 1, i / 20 - 0.5, 0.3, 0.6, -0.4, 3 + i, i % 2) for i in range(20)),
            200,
            f"more as {FIRST}",
            "agrees more",
            0.9,
            (Landmark(FIRST, 0.7, 0.0), Landmark(SECOND, -1.4, 0.0)),
        ),
        (AdaptationCurve("mixture <i>", told, 12), AdaptationCurve("shared", told[:1] * 3, 12)),
        Verdict("Circles <b>?", "No sign of circles & such.", (("triples <i>", "12"),), ("tea over <b> coffee",)),
        Disagreement(
            (
                *(Disputed(0.8, 0.1, 0.9, 9),) * 12,
                *(Disputed(0.05, 0.9, 0.8, 9),) * 24,
                *(Disputed(0.1, 0.2, 0.25, 9),) * 4,
            ),
            80,
            "pair",
            (question(0.1, 0.9),),
            (question(0.5, 0.52),),
        ),
    )
