"""Delivery: human preferences between segments of a grid world (Knox et al., Models of Human Preference, 2022).

A segment is a start state and three moves; it becomes an option whose text is the segment as JSON. The label Y is 1
where the second segment was preferred: the differences X are those of the second less the first, because with the
other sign the one goal of the world would be its worst cell.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from llull.judgments.format import Beside, RowFormat
from llull.judgments.record import Judgment, Message, Option, text_option
from llull.judgments.rows import BadRow, Row

_RANKINGS = {0: [[0], [1]], 0.5: [[0, 1]], 1: [[1], [0]]}


def _convert(row: Row, beside: Beside) -> Iterator[Judgment]:
    pair = row.take("segment_pair")
    if not isinstance(pair, list) or len(pair) != 2:
        raise BadRow("its segment_pair is not two segments")
    ranking = row.label("Y", _RANKINGS)
    condition = row.text("condition")
    # Equal answers of different people to one pair would have one id, so ids come from where they stand.
    yield Judgment(
        context=[Message("user", condition)],
        options=[_segment(segment) for segment in pair],
        ranking=[list(tier) for tier in ranking],
        annotator_kind="human",
        tags={"condition": condition},
        id=f"delivery/{condition}/{row.fields['index']}",
    )


def _segment(segment: Any) -> Option:
    if not isinstance(segment, list):
        raise BadRow("a segment is not a list of a start state and moves")
    return text_option(json.dumps(segment))


FORMATS = (
    RowFormat(
        name="delivery",
        title="Delivery: human preferences between trajectory segments (Knox et al., 2022)",
        fields=frozenset({"condition", "index", "Y", "X", "segment_pair"}),
        convert=_convert,
        auxiliary=frozenset({"succ_feats_no_gt"}),
    ),
)
