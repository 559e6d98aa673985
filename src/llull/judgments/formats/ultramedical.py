"""UltraMedical-Preference: pairs of medical answers ranked by GPT-4 (Zhang et al., 2024).

Each side is a whole conversation. Where ``metadata`` names the model of a side, it becomes the option's source;
all of ``metadata`` stays in the tags.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from llull.judgments.format import Beside, RowFormat
from llull.judgments.formats.trl import pair_of
from llull.judgments.record import Judgment
from llull.judgments.rows import Row


def _convert(row: Row, beside: Beside) -> Iterator[Judgment]:
    judgment = pair_of(row)
    models = [_model(row.fields["metadata"], side) for side in ("chosen", "rejected")]
    yield Judgment(
        context=judgment.context,
        options=[replace(option, source=model) for option, model in zip(judgment.options, models, strict=True)],
        ranking=judgment.ranking,
        annotator="gpt-4",
        annotator_kind="model",
        tags=judgment.tags,
    )


def _model(metadata: Any, side: str) -> str | None:
    of_side = metadata.get(side) if isinstance(metadata, dict) else None
    model = of_side.get("model") if isinstance(of_side, dict) else None
    return model if isinstance(model, str) else None


FORMATS = (
    RowFormat(
        name="ultramedical-preference",
        title="UltraMedical-Preference (Zhang et al., 2024)",
        fields=frozenset({"prompt_id", "label_type", "prompt", "chosen", "rejected", "metadata"}),
        convert=_convert,
    ),
)
