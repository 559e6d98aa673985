"""OpenRLHF's preference files: whole conversations or texts, ``chosen`` and ``rejected``, with a ``margin``.

OpenRLHF is told the name of the prompt column and by default expects none. A file with a column named
``prompt`` is also a TRL file and is recognised as one; both readers make the same judgments of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llull.judgments.format import Beside, RowFormat, Sample, Writer
from llull.judgments.formats.conversations import to_turns
from llull.judgments.formats.row_writing import DoesNotFit, margin_of, refuse_media, winning_pairs, write_rows
from llull.judgments.formats.trl import pair_of
from llull.judgments.preferences import Preferences
from llull.judgments.record import Judgment
from llull.judgments.rows import Row

_PROMPT_KEYS = ("prompt", "context_messages", "input", "question", "instruction")


def _convert(row: Row, beside: Beside) -> Iterator[Judgment]:
    yield pair_of(row, next((key for key in _PROMPT_KEYS if key in row), "prompt"))


def _has_no_prompt(sample: Sample) -> bool:
    return not any("prompt" in row for row in sample.rows)


def _rows_of(judgment: Judgment) -> Iterator[dict[str, Any]]:
    pairs = winning_pairs(judgment)
    refuse_media(judgment.context)
    context = to_turns(judgment.context)
    for option in judgment.options:
        # OpenRLHF takes all turns but the last as the prompt.
        if len(option.messages) != 1 or option.messages[0].media or option.media:
            raise DoesNotFit("with an option that is not one message of text")
    for better, worse in pairs:
        yield {
            "chosen": context + to_turns(judgment.options[better].messages),
            "rejected": context + to_turns(judgment.options[worse].messages),
            "margin": margin_of(judgment),
        }


def _write(preferences: Preferences, path: Path) -> Counter[str]:
    return write_rows("openrlhf", preferences, path, _rows_of)


FORMATS = (
    RowFormat(
        name="openrlhf",
        title="OpenRLHF preference pairs",
        fields=frozenset({"chosen", "rejected", "margin"}),
        check=_has_no_prompt,
        convert=_convert,
    ),
)

WRITERS = (
    Writer(
        name="openrlhf",
        title="OpenRLHF pairs of whole conversations (train with apply_chat_template and no prompt key)",
        write=_write,
        loses="annotators, groups, criteria, ratings, reasons, ties, tags; longer rankings become their pairs",
    ),
)
