"""Data sets of the R package prefmod (Hatzinger and Dittrich, 2012): pairs, ranks and Likert answers of small surveys.

Each set has its own coding, given here as tables. A row is one respondent, whose covariates become groups. Answers to
pairs are one judgment each; a pair or an item that was not answered gives none, and is counted in the notes.
``euro55.2.des`` is a design: a row is a whole order of the sources with the number of people who gave it, its weight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from llull.judgments.format import Beside, RowFormat
from llull.judgments.record import Judgment, Message, Rating, named_option
from llull.judgments.rows import BadRow, Reject, Row, as_number

_FIRST, _TIE, _SECOND = [[0], [1]], [[0, 1]], [[1], [0]]

_CAR_FEATURES = ("price", "exterior", "brand", "tech.equip", "country", "interior")
_SOURCES = ("TV", "RAD", "NEWSP", "SCIMAG", "WWW", "EDINST")
_DANGERS = ("CAR", "IND", "FARM", "WATER", "TEMP", "GENE")
_GENRES = (
    *("bigb", "blug", "coun", "blue", "musi", "clas", "folk", "gosp", "jazz"),
    *("lati", "mood", "newa", "oper", "rap", "regg", "conr", "oldi", "hvym"),
)
_SALADS = ("A", "B", "C", "D")
_UNIVERSITIES = ("London", "Paris", "Milano", "St.Gallen", "Barcelona", "Stockholm")
_DELIVERIES = ("computer", "TV", "paper", "audio", "classroom")
_ISSUES = ("crimRate", "position", "socBurd", "culture")


def pair_order(items: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs in the order of the R packages: (1,2), (1,3), (2,3), (1,4), (2,4) ...

    >>> pair_order("abc")
    [('a', 'b'), ('a', 'c'), ('b', 'c')]
    """
    return [(items[i], items[j]) for i, j in sorted(combinations(range(len(items)), 2), key=lambda pair: pair[::-1])]


def _groups(row: Row, names: Sequence[str]) -> dict[str, str]:
    values = {name: row.take(name) for name in names}
    return {name: _plain(value) for name, value in values.items() if value is not None}


def _plain(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _pairs(
    items: Sequence[str], columns: Sequence[str], coding: Mapping[float, Any], groups: Sequence[str], criterion: str
) -> Callable[[Row, Beside], Iterator[Judgment]]:
    """Rows of answers to all pairs of the items."""

    def convert(row: Row, beside: Beside) -> Iterator[Judgment]:
        belongs = _groups(row, groups)
        for column in columns:
            row.take(column)
        for column, (first, second) in zip(columns, pair_order(items), strict=True):
            if row.fields[column] is None:
                row.note("a pair that was not answered")
                continue
            yield Judgment(
                context=[Message("user", criterion)],
                options=[named_option(first), named_option(second)],
                ranking=[list(tier) for tier in row.label(column, coding)],
                criterion=criterion,
                annotator=f"respondent {row.line}",
                annotator_kind="human",
                groups=belongs,
                tags={"pair": column},
            )

    return convert


def _ranks(
    items: Sequence[str], groups: Sequence[str], criterion: str, best: str = "lowest", count: str | None = None
) -> Callable[[Row, Beside], Iterator[Judgment]]:
    """Rows of ranks, or of scores of which the highest is best; ``count`` names a column of how many gave the row."""

    def convert(row: Row, beside: Beside) -> Iterator[Judgment]:
        given = {place: row.take(item) for place, item in enumerate(items)}
        numbers = {place: as_number(rank, items[place]) for place, rank in given.items() if rank is not None}
        if not numbers:
            raise BadRow("it ranks nothing")
        order = sorted(set(numbers.values()), reverse=best == "highest")
        yield Judgment(
            context=[Message("user", criterion)],
            options=[named_option(item) for item in items],
            ranking=[[place for place, rank in numbers.items() if rank == tier] for tier in order],
            criterion=criterion,
            annotator=None if count else f"respondent {row.line}",
            annotator_kind="human",
            groups=_groups(row, groups),
            weight=row.number(count) if count else 1.0,
        )

    return convert


def _likert(
    items: Sequence[str], groups: Sequence[str], aspect: str, worst: float, best: float
) -> Callable[[Row, Beside], Iterator[Judgment | Reject]]:
    """Rows of one Likert answer for each item."""

    def convert(row: Row, beside: Beside) -> Iterator[Judgment | Reject]:
        given = {item: row.take(item) for item in items}
        answered = {item: as_number(value, item) for item, value in given.items() if value is not None}
        if not answered:
            yield row.reject("it rates nothing")
            return
        if len(answered) < len(items):
            row.note("an item that was not rated")
        yield Judgment(
            context=[Message("user", aspect)],
            options=[named_option(item) for item in answered],
            verdict="rated",
            ratings=[Rating(place, aspect, value, worst, best) for place, value in enumerate(answered.values())],
            criterion=aspect,
            annotator=f"respondent {row.line}",
            annotator_kind="human",
            groups=_groups(row, groups),
        )

    return convert


_NUMBERED = {count: [f"V{n}" for n in range(1, count + 1)] for count in (10, 15)}
_IMMIGRATION = ("V12", "V13", "V23", "V14", "V24", "V34")


def _format(set_name: str, about: str, columns: Sequence[str], convert: Callable[..., Any]) -> RowFormat:
    return RowFormat(
        name=f"prefmod-{set_name}",
        title=f"prefmod {set_name}: {about} (Hatzinger and Dittrich, 2012)",
        fields=frozenset(columns),
        convert=convert,
    )


FORMATS = (
    _format(
        "cemspc",
        "students compare six universities",
        [*_NUMBERED[15], "ENG", "SEX"],
        _pairs(
            _UNIVERSITIES, _NUMBERED[15], {0: _FIRST, 1: _TIE, 2: _SECOND}, ("ENG", "SEX"), "university to study at"
        ),
    ),
    _format(
        "trdel",
        "trainees compare five ways of delivering training",
        [*_NUMBERED[10], "ltype", "age", "sex"],
        _pairs(_DELIVERIES, _NUMBERED[10], {1: _FIRST, 2: _SECOND}, ("ltype", "age", "sex"), "delivery of training"),
    ),
    _format(
        "immig",
        "students compare four concerns about immigration",
        [*_IMMIGRATION, "SEX", "AGE", "NAT"],
        _pairs(
            _ISSUES, _IMMIGRATION, {1: _FIRST, 0: _TIE, -1: _SECOND}, ("SEX", "AGE", "NAT"), "concern about immigration"
        ),
    ),
    _format(
        "carconf",
        "users of a car configurator rank six features",
        [*_CAR_FEATURES, "sex", "age", "segment"],
        _ranks(_CAR_FEATURES, ("sex", "age", "segment"), "importance of a car's feature"),
    ),
    _format("salad", "judges rank four salad dressings", _SALADS, _ranks(_SALADS, (), "tartness of a salad dressing")),
    _format(
        "euro55.2.des",
        "Europeans order sources of science news",
        ["y", *_SOURCES, "SEX", "AGE4"],
        _ranks(_SOURCES, ("SEX", "AGE4"), "source of science news", best="highest", count="y"),
    ),
    _format(
        "issp2000",
        "people say how dangerous six things are for the environment",
        [*_DANGERS, "SEX", "URB", "AGE", "CNTRY", "EDU"],
        _likert(_DANGERS, ("SEX", "URB", "AGE", "CNTRY", "EDU"), "harmless for the environment", 1.0, 5.0),
    ),
    _format(
        "music",
        "Americans rate eighteen genres of music",
        [*_GENRES, "age", "educ", "sex"],
        _likert(_GENRES, ("age", "educ", "sex"), "liking", 5.0, 1.0),
    ),
)
