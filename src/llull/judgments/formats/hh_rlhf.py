"""Anthropic HH-RLHF: human choices between two continuations of a dialogue (Bai et al., 2022).

Each row has two whole transcripts as text. The context is what they share, cut back to the last
``Assistant:`` turn; turns are never counted, because replies contain literal ``Human:`` markers.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from llull.judgments.format import Beside, RowFormat, Sample
from llull.judgments.record import Judgment, Message, text_option
from llull.judgments.rows import BadRow, Row

_TURN = re.compile(r"\n\n(Human|Assistant):")
_REPLY = "\n\nAssistant:"
_ROLES = {"Human": "user", "Assistant": "assistant"}


def _is_transcript(sample: Sample) -> bool:
    return all(isinstance(row["chosen"], str) and row["chosen"].startswith("\n\nHuman:") for row in sample.rows)


def _convert(row: Row, beside: Beside) -> Iterator[Judgment]:
    chosen, rejected = row.text("chosen"), row.text("rejected")
    shared = os.path.commonprefix([chosen, rejected])
    if chosen == rejected:
        shared = chosen[: chosen.rfind(_REPLY) + len(_REPLY)]
    cut = shared.rfind(_REPLY)
    if cut < 0:
        raise BadRow("the two transcripts share no turn that the assistant could answer")
    if cut + len(_REPLY) < len(shared) and _TURN.search(chosen, cut + len(_REPLY)):
        row.note("a reply holds a literal turn marker")
    split = cut + len(_REPLY)
    yield Judgment(
        context=_messages(chosen[:cut]),
        options=[text_option(chosen[split:].strip()), text_option(rejected[split:].strip())],
        ranking=[[0], [1]],
        annotator_kind="human",
        tags={"source": beside.split_name},
    )


def _messages(transcript: str) -> list[Message]:
    marks = list(_TURN.finditer(transcript))
    ends = [mark.start() for mark in marks[1:]] + [len(transcript)]
    return [
        Message(_ROLES[mark[1]], transcript[mark.end() : end].strip()) for mark, end in zip(marks, ends, strict=True)
    ]


FORMATS = (
    RowFormat(
        name="hh-rlhf",
        title="Anthropic HH-RLHF (Bai et al., 2022)",
        fields=frozenset({"chosen", "rejected"}),
        check=_is_transcript,
        convert=_convert,
    ),
)
