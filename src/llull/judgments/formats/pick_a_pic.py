"""Pick-a-Pic: people choose between two generated pictures, or neither (Kirstain et al., 2023).

``label_0`` and ``label_1`` are 1 for the choice, 0 for the other and 0.5 each for no preference. Pictures are kept by
their addresses; their bytes, where a file holds them, are left out, with a note.
"""

from __future__ import annotations

from collections.abc import Iterator

from llull.judgments.format import Beside, RowFormat
from llull.judgments.formats.nested_values import is_missing
from llull.judgments.formats.timestamps import take_time
from llull.judgments.record import Judgment, Media, Option, prompt
from llull.judgments.rows import BadRow, Row

_NO_PREFERENCE = 0.5


def _convert(row: Row, beside: Beside) -> Iterator[Judgment]:
    if row.fields.get("has_label") in (False, "False", "false"):
        raise BadRow("nobody has labelled it")
    labels = row.number("label_0"), row.number("label_1")
    if sorted(labels) not in ([0.0, 1.0], [_NO_PREFERENCE, _NO_PREFERENCE]):
        raise BadRow(f"its labels {labels} are neither 0 and 1 nor 0.5 each")
    for key in ("jpg_0", "jpg_1"):
        if row.take(key, None) is not None:
            row.note("the bytes of a picture are left out; its address is kept")
    user = row.take("user_id", None)
    yield Judgment(
        context=prompt(row.text("caption")),
        options=[_option(row, side) for side in (0, 1)],
        ranking=[[0, 1]] if labels[0] == labels[1] else [[0], [1]] if labels[0] > labels[1] else [[1], [0]],
        annotator=None if is_missing(user) else str(user),
        annotator_kind="human",
        time=take_time(row, "created_at"),
    )


def _option(row: Row, side: int) -> Option:
    uid = row.fields[f"image_{side}_uid"]
    address = row.take(f"image_{side}_url", None)
    return Option(media=[Media("image", address or str(uid))], source=row.take(f"model_{side}", None))


FORMATS = (
    RowFormat(
        name="pick-a-pic",
        title="Pick-a-Pic: choices between generated pictures (Kirstain et al., 2023)",
        fields=frozenset({"caption", "image_0_uid", "image_1_uid", "label_0", "label_1"}),
        convert=_convert,
    ),
)
