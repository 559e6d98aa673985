"""Paired comparisons of the R package psychotools (Zeileis, Strobl and Wickelmaier): parties, and sound formats.

A row is one respondent (in one session) with the results of all pairs; each result is a judgment. The same results
split by the order of presentation (``ordered.pref``) are kept in tags.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from llull.judgments.format import Beside, RowFormat, Sample
from llull.judgments.formats.prefmod import pair_order
from llull.judgments.record import Judgment, Message, named_option
from llull.judgments.rows import BadRow, Reject, Row

_RANKINGS = {1: [[0], [1]], 0: [[0, 1]], -1: [[1], [0]]}
_PERSON = ("gender", "age", "education", "crisis")


def _compared(
    row: Row, context: list[Message], criterion: str, annotator: str, where: str, groups: dict[str, str]
) -> Iterator[Judgment | Reject]:
    held = row.take("preference")
    labels, values = held["labels"], held["values"]
    pairs = pair_order(labels)
    if len(pairs) != len(values):
        raise BadRow(f"it has {len(values)} results for the {len(pairs)} pairs of {len(labels)} items")
    for place, (pair, value) in enumerate(zip(pairs, values, strict=True)):
        if value is None:
            row.note("a pair that was not answered")
        elif value not in _RANKINGS:
            yield row.reject(f"the result of pair {place + 1} is {value!r}, not 1, 0 or -1")
        else:
            yield Judgment(
                context=context,
                options=[named_option(name) for name in pair],
                ranking=[list(tier) for tier in _RANKINGS[value]],
                criterion=criterion,
                annotator=annotator,
                annotator_kind="human",
                groups=groups,
                tags={"mscale": held["mscale"]},
                # A respondent who answers a pair twice alike would otherwise give the same judgment twice.
                id=f"{where}/{place}",
            )


def _convert_parties(row: Row, beside: Beside) -> Iterator[Judgment | Reject]:
    person = {name: row.take(name) for name in _PERSON}
    groups = {name: str(value) for name, value in person.items() if value is not None}
    criterion = "party to vote for"
    where = f"{beside.split_name}/{row.line}"
    yield from _compared(row, [Message("user", criterion)], criterion, f"respondent {row.line}", where, groups)


def _convert_sound(row: Row, beside: Beside) -> Iterator[Judgment | Reject]:
    heard = row.text("progmat")
    annotator = str(row.take("id"))
    where = f"{beside.split_name}/{row.line}"
    yield from _compared(row, [Message("user", heard)], "sound quality", annotator, where, {})


def _is_comparison(sample: Sample) -> bool:
    return all(isinstance(row["preference"], dict) and "labels" in row["preference"] for row in sample.rows)


def _format(set_name: str, about: str, columns: set[str], convert: Callable[..., Any]) -> RowFormat:
    return RowFormat(
        name=f"psychotools-{set_name}",
        title=f"psychotools {set_name}: {about} (Zeileis et al.)",
        fields=frozenset({"preference", *columns}),
        check=_is_comparison,
        convert=convert,
    )


FORMATS = (
    _format("parties", "Germans compare parties before the election of 2009", set(_PERSON), _convert_parties),
    _format("sound", "listeners compare eight sound formats", {"id", "progmat", "repet", "session"}, _convert_sound),
)
