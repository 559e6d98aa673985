"""ImageReward: experts rank and rate the pictures made for one prompt (Xu et al., 2023).

ImageRewardDB has one picture a row; the rows of a prompt are one judgment. Its test file has one prompt a row. A
smaller rank is better and pictures may tie; ratings go from 1 to 7. Pictures are kept by their paths.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llull.judgments.format import Beside, GroupFormat, RowFormat, Sample
from llull.judgments.formats.nested_values import is_missing, take_list, tiers_by_rank
from llull.judgments.record import Judgment, Media, Option, Rating, prompt
from llull.judgments.rows import BadRow, Row, as_number

_ASPECTS = ("overall_rating", "image_text_alignment_rating", "fidelity_rating")
_RATING = (1.0, 7.0)


def _convert_pictures(rows: list[Row], beside: Beside) -> Iterator[Judgment]:
    asked = [row.text("prompt") for row in rows]
    if len(set(asked)) != 1:
        raise BadRow("the pictures of one prompt id have different prompts")
    ranks = [(index, row.number("rank")) for index, row in enumerate(rows)]
    ratings = [
        Rating(index, aspect.removesuffix("_rating"), as_number(value, aspect), *_RATING)
        for aspect in _ASPECTS
        for index, row in enumerate(rows)
        if not is_missing(value := row.take(aspect, None))
    ]
    for row in rows:
        if row.take("image", None) is not None:
            row.note("the bytes of a picture are left out; its path is kept")
    yield Judgment(
        context=prompt(asked[0]),
        options=[_option(row.take("image_path")) for row in rows],
        ranking=tiers_by_rank(ranks),
        ratings=ratings,
        annotator_kind="human",
    )


def _convert_prompt(row: Row, beside: Beside) -> Iterator[Judgment]:
    paths, ranks = take_list(row, "generations"), take_list(row, "ranking")
    if len(paths) != len(ranks):
        raise BadRow(f"it has {len(paths)} pictures and {len(ranks)} ranks")
    yield Judgment(
        context=prompt(row.text("prompt")),
        options=[_option(path) for path in paths],
        ranking=tiers_by_rank((index, as_number(rank, "ranking")) for index, rank in enumerate(ranks)),
        annotator_kind="human",
    )


def _option(path: Any) -> Option:
    if not isinstance(path, str):
        raise BadRow("the path of a picture is not text")
    return Option(media=[Media("image", path)])


def _has_lists(sample: Sample) -> bool:
    return all(isinstance(row["ranking"], list) and isinstance(row["generations"], list) for row in sample.rows)


FORMATS = (
    GroupFormat(
        name="image-reward",
        title="ImageRewardDB: one picture a row (Xu et al., 2023)",
        fields=frozenset({"prompt_id", "prompt", "image_path", "rank", "overall_rating"}),
        together=lambda fields: fields["prompt_id"],
        convert=_convert_pictures,
    ),
    RowFormat(
        name="image-reward-test",
        title="ImageReward: ranked pictures of a prompt (Xu et al., 2023)",
        fields=frozenset({"prompt", "ranking", "generations"}),
        check=_has_lists,
        convert=_convert_prompt,
    ),
)
