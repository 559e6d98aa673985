"""Answers drawn from a model by ``llull sample``: options that nobody has judged yet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llull.judgments.format import Beside, RowFormat
from llull.judgments.formats.conversations import to_messages
from llull.judgments.record import Judgment, text_option
from llull.judgments.rows import BadRow, Row

_BY_TOKEN = ("ids", "model_log_probs", "sampling_log_probs")


def _convert(row: Row, beside: Beside) -> Iterator[Judgment]:
    samples: Any = row.take("samples")
    if not isinstance(samples, list) or not samples or not all(isinstance(s, dict) and "text" in s for s in samples):
        raise BadRow('field "samples" is not a list of objects with a text')
    source = row.text("source")
    row.take("context_id")
    yield Judgment(
        context=to_messages(row.take("context"), "context"),
        options=[text_option(sample["text"], source=source) for sample in samples],
        verdict="cannot_judge",
        # Numbers of tokens stay in the file: they are of one tokenizer, and as long as the texts.
        tags={"samples": [{k: v for k, v in sample.items() if k not in ("text", *_BY_TOKEN)} for sample in samples]},
    )


FORMATS = (
    RowFormat(
        name="samples",
        title="Answers drawn by llull sample, not yet judged",
        fields=frozenset({"context_id", "context", "source", "samples"}),
        convert=_convert,
    ),
)
