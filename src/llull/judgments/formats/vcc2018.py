"""Voice Conversion Challenge 2018: how natural listeners find converted speech (Lorenzo-Trueba et al., 2018).

A row is one listener's score of one clip, 1 to 5. The clip's system is the beginning of its file name.
"""

from __future__ import annotations

from collections.abc import Iterator

from llull.judgments.format import Beside, RowFormat
from llull.judgments.record import Judgment, Media, Option, Rating
from llull.judgments.rows import Row


def _convert(row: Row, beside: Beside) -> Iterator[Judgment]:
    clip = row.text("WAV_PATH")
    yield Judgment(
        options=[Option(media=[Media("audio", clip)], source=clip.split("/")[-1].split("_")[0])],
        verdict="rated",
        ratings=[Rating(0, "naturalness", row.number("MOS"), 1.0, 5.0)],
        annotator=row.text("JUDGE"),
        annotator_kind="human",
    )


FORMATS = (
    RowFormat(
        name="vcc2018",
        title="Voice Conversion Challenge 2018: naturalness scores (Lorenzo-Trueba et al., 2018)",
        fields=frozenset({"split", "WAV_PATH", "MEAN", "MOS", "JUDGE"}),
        convert=_convert,
    ),
)
