"""UltraFeedback binarized: the best completion and another one, with the scores that decided it.

Each side is a whole conversation; ``messages`` repeats the chosen one and is kept only where it differs.
"""

from __future__ import annotations

from collections.abc import Iterator

from llull.judgments.format import Beside, RowFormat
from llull.judgments.formats.trl import pair_of
from llull.judgments.record import Judgment, Rating
from llull.judgments.rows import Row, as_number


def _convert(row: Row, beside: Beside) -> Iterator[Judgment]:
    judgment = pair_of(row)
    if row.fields["messages"] == row.fields["chosen"]:
        row.take("messages")
    scores = [row.take(key) for key in ("score_chosen", "score_rejected")]
    if scores[0] == scores[1]:
        row.note("chosen and rejected have the same score, so which was chosen says nothing")
    yield Judgment(
        context=judgment.context,
        options=judgment.options,
        ranking=judgment.ranking,
        ratings=[
            Rating(option, "score", as_number(score, "score"), 1.0, 10.0)
            for option, score in enumerate(scores)
            if score is not None
        ],
        annotator="gpt-4",
        annotator_kind="model",
        tags=judgment.tags,
    )


FORMATS = (
    RowFormat(
        name="ultrafeedback-binarized",
        title="UltraFeedback binarized (Tunstall et al., 2023)",
        fields=frozenset({"prompt", "prompt_id", "chosen", "rejected", "messages", "score_chosen", "score_rejected"}),
        convert=_convert,
    ),
)
