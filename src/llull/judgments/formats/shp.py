"""Stanford Human Preferences: which of two comments on a post has more votes (Ethayarajh et al., 2022).

Nobody compared the two: the preference is observed behavior, the strength is the ratio of the two scores.
"""

from __future__ import annotations

from collections.abc import Iterator

from llull.judgments.format import Beside, RowFormat
from llull.judgments.record import Judgment, Rating, prompt, text_option
from llull.judgments.rows import Row, as_number

_RANKINGS = {1: [[0], [1]], 0: [[1], [0]], "1": [[0], [1]], "0": [[1], [0]]}


def _convert(row: Row, beside: Beside) -> Iterator[Judgment]:
    scores = [row.take("score_A"), row.take("score_B")]
    ratio = row.take("score_ratio")
    yield Judgment(
        context=prompt(row.text("history")),
        options=[text_option(row.text("human_ref_A")), text_option(row.text("human_ref_B"))],
        ranking=[list(tier) for tier in row.label("labels", _RANKINGS)],
        strength=None if ratio is None else as_number(ratio, "score_ratio"),
        ratings=[
            Rating(option, "score", as_number(score, "score"))
            for option, score in enumerate(scores)
            if score is not None
        ],
        annotator_kind="behavior",
        tags={"source": row.fields["domain"], "strength_range": [1, None]},
    )


FORMATS = (
    RowFormat(
        name="shp",
        title="Stanford Human Preferences (Ethayarajh et al., 2022)",
        fields=frozenset(
            {
                "post_id",
                "domain",
                "history",
                "human_ref_A",
                "human_ref_B",
                "labels",
                "score_A",
                "score_B",
                "score_ratio",
            }
        ),
        convert=_convert,
    ),
)
