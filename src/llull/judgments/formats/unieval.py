"""UniEval's human scores: dialogue responses and sentences made from data, on several aspects (Zhong et al., 2022).

Scores are means over annotators. The scales are those of the data sets they come from: Topical-Chat (USR) and
SFRES/SFHOT.
"""

from __future__ import annotations

from collections.abc import Iterator

from llull.judgments.format import Beside, RowFormat, Sample
from llull.judgments.record import Judgment, Message, Rating, text_option
from llull.judgments.rows import BadRow, Row, as_number

_DIALOGUE_SCALES = {
    "understandability": (0.0, 1.0),
    "groundedness": (0.0, 1.0),
    "naturalness": (1.0, 3.0),
    "coherence": (1.0, 3.0),
    "engagingness": (1.0, 3.0),
    "overall": (1.0, 5.0),
}
_DATA_SCALES = dict.fromkeys(("informativeness", "naturalness", "overall"), (1.0, 6.0))
_UNKNOWN = (None, None)


def _has_scores(sample: Sample) -> bool:
    return all(isinstance(row["scores"], dict) for row in sample.rows)


def _convert(row: Row, beside: Beside) -> Iterator[Judgment]:
    scores = row.take("scores")
    if not isinstance(scores, dict):
        raise BadRow("its scores are not an object of aspect and score")
    scales = _DIALOGUE_SCALES if "engagingness" in scores else _DATA_SCALES
    context = [Message("user", row.text("source"))]
    if "context" in row:
        # The fact that a dialogue response is to rest on is given to the model, not said by the user.
        context.insert(0, Message("system", row.text("context")))
    yield Judgment(
        context=context,
        options=[text_option(row.text("system_output"), source=row.take("system_id", None))],
        verdict="rated",
        ratings=[
            Rating(0, aspect, as_number(value, aspect), *scales.get(aspect, _UNKNOWN))
            for aspect, value in scores.items()
        ],
        annotator_kind="human",
        tags={"source": beside.split_name},
    )


FORMATS = (
    RowFormat(
        name="unieval",
        title="UniEval: human scores of dialogue and data-to-text (Zhong et al., 2022)",
        fields=frozenset({"source", "system_output", "scores"}),
        check=_has_scores,
        convert=_convert,
    ),
)
