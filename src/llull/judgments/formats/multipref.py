"""MultiPref: crowd workers and experts compare two replies on four aspects (Miranda et al., 2024).

Each annotator and aspect is one judgment. The strength is 2 for clearly better, 1 for slightly, 0 for a tie.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llull.judgments.format import Beside, RowFormat
from llull.judgments.formats.nested_values import is_missing, nested_label, take_list, unpacked, without
from llull.judgments.formats.timestamps import utc_time
from llull.judgments.record import Judgment, prompt, text_option
from llull.judgments.rows import BadRow, Reject, Row

_ASPECTS = ("overall", "helpful", "truthful", "harmless")
_WORKERS = ("normal", "expert")
_PREFERENCES = {
    "A-is-clearly-better": ([[0], [1]], 2.0),
    "A-is-slightly-better": ([[0], [1]], 1.0),
    "Tie": ([[0, 1]], 0.0),
    "B-is-slightly-better": ([[1], [0]], 1.0),
    "B-is-clearly-better": ([[1], [0]], 2.0),
}
_OF_ASPECT = ("pref", "confidence", "checked_reasons", "own_reason")


def _convert(row: Row, beside: Beside) -> Iterator[Judgment | Reject]:
    context = prompt(row.text("text"))
    options = [
        text_option(row.text("completion_a"), row.take("model_a", None)),
        text_option(row.text("completion_b"), row.take("model_b", None)),
    ]
    for worker in _WORKERS:
        for annotation in take_list(row, f"{worker}_worker_annotations"):
            if not isinstance(annotation, dict):
                yield row.reject(f"an annotation by a worker of kind {worker!r} is not an object")
                continue
            own = [f"{aspect}_{part}" for aspect in _ASPECTS for part in _OF_ASPECT]
            about = without(annotation, (*own, "evaluator"))
            for aspect in _ASPECTS:
                if is_missing(annotation.get(f"{aspect}_pref")):
                    yield row.reject(f"annotator {annotation.get('evaluator')!r} gave no preference on {aspect!r}")
                    continue
                tiers, strength = nested_label(row, annotation, f"{aspect}_pref", _PREFERENCES)
                checked, reason = _reasons(annotation, aspect)
                yield Judgment(
                    context=context,
                    options=options,
                    ranking=[list(tier) for tier in tiers],
                    strength=strength,
                    criterion=aspect,
                    rationale=reason,
                    annotator=_name(annotation.get("evaluator")),
                    annotator_kind="human",
                    groups={"worker": worker},
                    time=utc_time(annotation.get("timestamp")),
                    tags={
                        "confidence": annotation.get(f"{aspect}_confidence"),
                        "checked_reasons": checked,
                        "strength_range": [0, 2],
                        **about,
                    },
                )


def _reasons(annotation: dict[str, Any], aspect: str) -> tuple[list[Any], str | None]:
    held = annotation.get(f"{aspect}_checked_reasons")
    try:
        checked = unpacked(held, "checked_reasons")
    except BadRow:
        checked = held
    checked = [] if is_missing(checked) else checked if isinstance(checked, list) else [checked]
    own = annotation.get(f"{aspect}_own_reason")
    said = [*(str(reason) for reason in checked), *([] if is_missing(own) else [str(own)])]
    return checked, "; ".join(said) or None


def _name(value: Any) -> str | None:
    return None if is_missing(value) else str(value)


FORMATS = (
    RowFormat(
        name="multipref",
        title="MultiPref: crowd workers and experts on four aspects (Miranda et al., 2024)",
        fields=frozenset(
            {
                "comparison_id",
                "text",
                "completion_a",
                "completion_b",
                "normal_worker_annotations",
                "expert_worker_annotations",
            }
        ),
        convert=_convert,
    ),
)
