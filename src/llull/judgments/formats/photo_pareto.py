"""Photo Pareto votes: crowd answers on which of two photos is better in color, sharpness or as a landscape.

A row is a pair of photos under one criterion with up to five answers; each answer is a judgment. Photos are media
with the paths that ``photos`` gives, relative to the folder of the data set.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llull.judgments.format import Beside, RowFormat
from llull.judgments.record import Judgment, Media, Option
from llull.judgments.rows import BadRow, Reject, Row

_RANKINGS = {1: [[0], [1]], 0: [[0, 1]], -1: [[1], [0]]}


def _convert(row: Row, beside: Beside) -> Iterator[Judgment | Reject]:
    criterion = row.text("criterion_name")
    numbers = [row.take("y"), row.take("z")]
    known = beside.table("photos", key="photo")
    photos = [known.get(number, {}) for number in numbers]
    answers = row.take("responses")
    if not isinstance(answers, list):
        raise BadRow("its responses are not a list")
    tags = {"photos": numbers}
    if all(photos):
        tags["photo_features"] = photos
    for place, answer in enumerate(answers):
        if answer not in _RANKINGS:
            yield row.reject(f"answer {place + 1} is {answer!r}, not 1, 0 or -1")
            continue
        yield Judgment(
            options=[_photo(number, photo) for number, photo in zip(numbers, photos, strict=True)],
            ranking=[list(tier) for tier in _RANKINGS[answer]],
            criterion=criterion,
            annotator_kind="human",
            tags={**tags, "answer": place},
            id=f"photo-pareto/{criterion}/{numbers[0]}/{numbers[1]}/{place}",
        )


def _photo(number: Any, photo: dict[str, Any]) -> Option:
    name = f"photo {number}"
    return Option(media=[Media("image", photo["file"])], source=name) if "file" in photo else Option(source=name)


FORMATS = (
    RowFormat(
        name="photo-pareto",
        title="Photo Pareto votes: pairs of photos under three criteria",
        fields=frozenset({"criterion", "criterion_name", "y", "z", "responses"}),
        convert=_convert,
        auxiliary=frozenset({"photos"}),
    ),
)
