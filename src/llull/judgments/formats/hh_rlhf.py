"""Anthropic HH-RLHF: human choices between two continuations of a dialogue (Bai et al., 2022).

Each row has two whole transcripts as text. The context is what they share, cut back to the last
``Assistant:`` turn; what follows is an option, which holds several messages where a transcript goes on
after the two have parted. Turns are never counted, because replies contain literal ``Human:`` markers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llull.judgments.format import Beside, RowFormat, Sample, Writer
from llull.judgments.formats.conversations import option_of
from llull.judgments.formats.row_writing import DoesNotFit, refuse_media, winning_pairs, write_rows
from llull.judgments.preferences import Preferences
from llull.judgments.record import Judgment, Message
from llull.judgments.rows import BadRow, Row

_TURN = re.compile(r"\n\n(Human|Assistant):")
_REPLY = re.compile(r"\n\nAssistant:")
_ROLES = {"Human": "user", "Assistant": "assistant"}
_MARKERS = {"user": "\n\nHuman:", "assistant": "\n\nAssistant:"}


def transcripts(judgment: Judgment) -> list[str]:
    """Each option's whole transcript, as HH-RLHF writes it.

    >>> from llull.judgments import prompt, text_option
    >>> transcripts(Judgment([text_option("Yes."), text_option("No.")], prompt("Is it?"), ranking=[[0], [1]]))
    ['\\n\\nHuman: Is it?\\n\\nAssistant: Yes.', '\\n\\nHuman: Is it?\\n\\nAssistant: No.']
    """
    kept = judgment.tags.get("transcripts")
    return kept or [_transcript([*judgment.context, *option.messages]) for option in judgment.options]


def is_transcript(value: Any) -> bool:
    """Whether a value is a dialogue as one text with turn markers."""
    return isinstance(value, str) and value.startswith("\n\nHuman:")


def _is_hh(sample: Sample) -> bool:
    return all(is_transcript(row["chosen"]) and "prompt" not in row for row in sample.rows)


def _convert(row: Row, beside: Beside) -> Iterator[Judgment]:
    sides = [row.text("chosen"), row.text("rejected")]
    if not all(_TURN.match(side) for side in sides):
        raise BadRow("a transcript does not begin with a turn marker")
    shared = _shared_end(*sides)
    context = _messages(sides[0][:shared])
    continuations = [_messages(side[shared:]) for side in sides]
    if any(len(messages) > 1 for messages in continuations):
        row.note("a transcript holds further turn markers after the two have parted")
    judgment = Judgment(
        context=context,
        options=[option_of(messages) for messages in continuations],
        ranking=[[0], [1]],
        annotator_kind="human",
    )
    if transcripts(judgment) != sides:
        # The record holds no marker without its space, so such transcripts are kept as they are.
        row.note("a turn marker without a space after it")
        judgment.tags["transcripts"] = sides
    yield judgment


def _shared_end(chosen: str, rejected: str) -> int:
    """Where the last reply begins that both transcripts reach by the same text."""
    for mark in reversed(list(_REPLY.finditer(chosen))):
        if rejected.startswith(chosen[: mark.end()]):
            return mark.start()
    raise BadRow("the two transcripts share no turn that the assistant could answer")


def _messages(transcript: str) -> list[Message]:
    marks = list(_TURN.finditer(transcript))
    ends = [mark.start() for mark in marks[1:]] + [len(transcript)]
    return [
        Message(_ROLES[mark[1]], transcript[mark.end() : end].removeprefix(" "))
        for mark, end in zip(marks, ends, strict=True)
    ]


def _transcript(messages: list[Message]) -> str:
    return "".join(f"{_MARKERS[message.role]} {message.content}" for message in messages)


def _rows_of(judgment: Judgment) -> Iterator[dict[str, str]]:
    messages = [*judgment.context, *(message for option in judgment.options for message in option.messages)]
    refuse_media(messages)
    if not all(message.role in _MARKERS for message in messages):
        raise DoesNotFit("with turns of others than user and assistant")
    if not judgment.context or not all(option.messages for option in judgment.options):
        raise DoesNotFit("without a context or with an option that has no text")
    texts = transcripts(judgment)
    for better, worse in winning_pairs(judgment):
        yield {"chosen": texts[better], "rejected": texts[worse]}


def _write(preferences: Preferences, path: Path) -> Counter[str]:
    return write_rows("hh-rlhf", preferences, path, _rows_of)


FORMATS = (
    RowFormat(
        name="hh-rlhf",
        title="Anthropic HH-RLHF (Bai et al., 2022)",
        fields=frozenset({"chosen", "rejected"}),
        check=_is_hh,
        convert=_convert,
    ),
)

WRITERS = (
    Writer(
        name="hh-rlhf",
        title="Anthropic HH-RLHF: two transcripts as text",
        write=_write,
        loses="annotators, groups, strengths, ratings, reasons, ties, tags; turn markers in a text become turns",
    ),
)
