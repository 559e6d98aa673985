"""Rankings of the R package PlackettLuce (Turner et al., 2020): bean varieties, NASCAR races, chocolate puddings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llull.judgments.format import Beside, RowFormat
from llull.judgments.record import Judgment, Message, named_option
from llull.judgments.rows import BadRow, Reject, Row

_LETTERS = "ABC"
_LOCAL = "local variety"
_AGAINST_LOCAL = {"Better": [[0], [1]], "Worse": [[1], [0]]}


def _convert_beans(row: Row, beside: Beside) -> Iterator[Judgment | Reject]:
    """A farmer's order of three varieties, then each of them against the farmer's own."""
    varieties = [row.text(f"variety_{letter.lower()}") for letter in _LETTERS]
    best, worst = row.text("best"), row.text("worst")
    if best not in _LETTERS or worst not in _LETTERS or best == worst:
        raise BadRow(f"best {best!r} and worst {worst!r} are not two of A, B and C")
    order = [best, *(letter for letter in _LETTERS if letter not in (best, worst)), worst]
    common: dict[str, Any] = {
        "context": [Message("user", f"farm {row.line}")],
        "annotator": f"farmer {row.line}",
        "annotator_kind": "human",
        "criterion": "overall",
    }
    against = [row.take(f"var_{letter.lower()}", None) for letter in _LETTERS]
    yield Judgment(
        options=[named_option(variety) for variety in varieties],
        ranking=[[_LETTERS.index(letter)] for letter in order],
        **common,
    )
    for letter, variety, verdict in zip(_LETTERS, varieties, against, strict=True):
        if verdict is None:
            yield row.reject(f"variety {letter} was not compared with the local one")
            continue
        yield Judgment(
            options=[named_option(variety), named_option(_LOCAL)],
            ranking=[list(tier) for tier in row.label(f"var_{letter.lower()}", _AGAINST_LOCAL)],
            **common,
        )


def _convert_nascar(row: Row, beside: Beside) -> Iterator[Judgment]:
    order = row.take("race_order")
    if not isinstance(order, list):
        raise BadRow("its race_order is not a list")
    drivers = [number for number in order if number != 0]
    yield Judgment(
        context=[Message("user", f"race {row.line}")],
        options=[named_option(f"driver {number}") for number in drivers],
        ranking=[[place] for place in range(len(drivers))],
        annotator_kind="behavior",
    )


def _convert_pudding(row: Row, beside: Beside) -> Iterator[Judgment]:
    options = [named_option(f"pudding {row.take(side)}") for side in "ij"]
    counts = {"w_ij": [[0], [1]], "w_ji": [[1], [0]], "t_ij": [[0, 1]]}
    for column in counts:
        row.take(column)
    for column, ranking in counts.items():
        # One judgment stands for all the people who judged so.
        yield Judgment(
            context=[Message("user", "chocolate pudding")],
            options=options,
            ranking=[list(tier) for tier in ranking],
            annotator_kind="human",
            weight=row.number(column),
            tags={"count": column},
        )


FORMATS = (
    RowFormat(
        name="plackettluce-beans",
        title="PlackettLuce beans: farmers rank three varieties (Turner et al., 2020)",
        fields=frozenset({f"variety_{x}" for x in "abc"} | {f"var_{x}" for x in "abc"} | {"best", "worst"}),
        convert=_convert_beans,
    ),
    RowFormat(
        name="plackettluce-nascar",
        title="PlackettLuce nascar: finishing orders of races (Hunter, 2004)",
        fields=frozenset({"race_order"}),
        convert=_convert_nascar,
    ),
    RowFormat(
        name="plackettluce-pudding",
        title="PlackettLuce pudding: counts of paired comparisons with ties (Davidson, 1970)",
        fields=frozenset({"i", "j", "r_ij", "w_ij", "w_ji", "t_ij"}),
        convert=_convert_pudding,
    ),
)
