"""Jester: 5,000 people rate up to 100 jokes on a continuous scale (Goldberg et al., 2001).

One person's ratings are one judgment with as many options as jokes rated. So `ratings()` gives every rating, and
``pairs(rating="funny")`` compares jokes within a person, which is the only comparison that a private scale allows;
one judgment for each rating would be seventy times as many rows and would make no pairs.
"""

from __future__ import annotations

from collections.abc import Iterator

from llull.judgments.format import Beside, RowFormat, Sample
from llull.judgments.record import Judgment, Option, Rating, named_option, text_option
from llull.judgments.rows import BadRow, Row, as_number

_LOW, _HIGH = -10.0, 10.0


def _is_jester(sample: Sample) -> bool:
    return all(isinstance(row["ratings"], dict) for row in sample.rows)


def _convert(row: Row, beside: Beside) -> Iterator[Judgment]:
    given = row.take("ratings")
    if not isinstance(given, dict):
        raise BadRow("its ratings are not an object of joke and rating")
    jokes = beside.table("jokes", key="item")
    yield Judgment(
        options=[_joke(item, jokes) for item in given],
        verdict="rated",
        ratings=[
            Rating(place, "funny", as_number(value, item), _LOW, _HIGH)
            for place, (item, value) in enumerate(given.items())
        ],
        annotator=str(row.take("user")),
        annotator_kind="human",
    )


def _joke(item: str, jokes: dict[str, dict[str, str]]) -> Option:
    return text_option(jokes[item]["text"], source=item) if item in jokes else named_option(item)


FORMATS = (
    RowFormat(
        name="jester",
        title="Jester: ratings of jokes (Goldberg et al., 2001)",
        fields=frozenset({"user", "ratings"}),
        check=_is_jester,
        convert=_convert,
        auxiliary=frozenset({"jokes"}),
    ),
)
