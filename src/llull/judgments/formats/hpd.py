"""Human Preference Dataset v2: people choose among generated pictures, or rank them (Wu et al., 2023).

``train.json`` marks the preferred pictures, and each is better than each of the others (see `choices`); ``test.json``
holds each person's ranks, smaller is better, and their mean, which stays in the tags. Pictures are kept by their
paths.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llull.judgments.format import Beside, RowFormat, Sample
from llull.judgments.formats.choices import best_of
from llull.judgments.formats.nested_values import is_missing, take_list, tiers_by_rank, without
from llull.judgments.record import Judgment, Media, Option, prompt
from llull.judgments.rows import BadRow, Reject, Row, as_number

_PATHS = ("file_path", "image_path")
_CHOSEN = {1: True, 0: False}


def _convert_choice(row: Row, beside: Beside) -> Iterator[Judgment]:
    options = _options(row)
    marks = take_list(row, "human_preference")
    if len(marks) != len(options):
        raise BadRow(f"it marks {len(marks)} of {len(options)} pictures")
    if any(mark not in _CHOSEN for mark in marks):
        raise BadRow(f"its marks {marks} are not all 0 or 1")
    best = [index for index, mark in enumerate(marks) if _CHOSEN[mark]]
    if not best:
        raise BadRow("it prefers no picture")
    others = [index for index in range(len(marks)) if index not in best]
    user = row.take("user_hash", None)
    choice = Judgment(
        context=prompt(row.text("prompt")),
        options=options,
        ranking=[best, others] if others else [best],
        annotator=None if is_missing(user) else str(user),
        annotator_kind="human",
    )
    yield from best_of(choice) if others else [choice]


def _convert_ranks(row: Row, beside: Beside) -> Iterator[Judgment | Reject]:
    context, options = prompt(row.text("prompt")), _options(row)
    for annotation in take_list(row, "raw_annotations"):
        user, ranks = annotation.get("user_hash"), annotation.get("rank")
        if not isinstance(ranks, list) or len(ranks) != len(options):
            yield row.reject(f"the ranks of {user!r} are not one for each of {len(options)} pictures")
            continue
        yield Judgment(
            context=context,
            options=options,
            ranking=tiers_by_rank((index, as_number(rank, "rank")) for index, rank in enumerate(ranks)),
            annotator=None if is_missing(user) else str(user),
            annotator_kind="human",
            tags={"ranks": ranks, **without(annotation, ("user_hash", "rank"))},
        )


def _options(row: Row) -> list[Option]:
    paths: list[Any] = take_list(row, next((key for key in _PATHS if key in row), _PATHS[0]))
    return [Option(media=[Media("image", path)]) for path in paths]


def _has_pictures(sample: Sample) -> bool:
    return all(any(isinstance(row.get(key), list) for key in _PATHS) for row in sample.rows)


FORMATS = (
    RowFormat(
        name="hpd",
        title="Human Preference Dataset v2: choices (Wu et al., 2023)",
        fields=frozenset({"prompt", "human_preference"}),
        check=_has_pictures,
        convert=_convert_choice,
    ),
    RowFormat(
        name="hpd-ranks",
        title="Human Preference Dataset v2: rankings of each person (Wu et al., 2023)",
        fields=frozenset({"prompt", "image_path", "raw_annotations"}),
        check=_has_pictures,
        convert=_convert_ranks,
    ),
)
