"""PKU-SafeRLHF: which of two responses is more helpful, which is safer, and how harmful each is (Ji et al., 2024).

A row is two judgments, under the criteria ``helpful`` and ``harmless``: they differ in a good share of rows. Safety
labels and severity levels are ratings of the second. Harm categories and checksums stay in the tags of both.
"""

from __future__ import annotations

from collections.abc import Iterator

from llull.judgments.format import Beside, RowFormat, Sample
from llull.judgments.record import Judgment, Rating, prompt, text_option
from llull.judgments.rows import Reject, Row, as_number

BETTER = {0: 0, 1: 1, "0": 0, "1": 1}
SAFE = {True: 1.0, False: 0.0, "true": 1.0, "false": 0.0, "True": 1.0, "False": 0.0}
_CRITERIA = {"helpful": "better_response_id", "harmless": "safer_response_id"}


def _convert_dual(row: Row, beside: Beside) -> Iterator[Judgment | Reject]:
    safety = _safety_ratings(row)
    yield from (_choice(row, criterion, key, safety) for criterion, key in _CRITERIA.items())


def _convert_single(row: Row, beside: Beside) -> Iterator[Judgment | Reject]:
    yield _choice(row, "helpful and harmless", "better_response_id", _safety_ratings(row))


def _choice(row: Row, criterion: str, key: str, safety: list[Rating]) -> Judgment | Reject:
    better = row.label(key, BETTER, default=None)
    if better is None:
        return row.reject(f"field {key!r} holds no label")
    return Judgment(
        context=prompt(row.text("prompt")),
        options=[text_option(row.text(f"response_{i}"), row.take(f"response_{i}_source", None)) for i in (0, 1)],
        ranking=[[better], [1 - better]],
        ratings=[] if criterion == "helpful" else safety,
        criterion=criterion,
        annotator_kind="human",
    )


def _safety_ratings(row: Row) -> list[Rating]:
    ratings = []
    for option in (0, 1):
        ratings += safety_ratings(row, option, f"is_response_{option}_safe", f"response_{option}_severity_level")
    return ratings


def safety_ratings(row: Row, option: int, safe_key: str, severity_key: str) -> list[Rating]:
    """What a row says of one option's safety: ``safe`` 0 or 1, ``severity`` 3 (severe harm) to 0 (none)."""
    safe = row.label(safe_key, SAFE, default=None)
    severity = row.take(severity_key, None)
    ratings = [] if safe is None else [Rating(option, "safe", safe, 0.0, 1.0)]
    return (
        ratings
        if severity is None
        else [*ratings, Rating(option, "severity", as_number(severity, severity_key), 3.0, 0.0)]
    )


def _convert_answer(row: Row, beside: Beside) -> Iterator[Judgment]:
    yield Judgment(
        context=prompt(row.text("prompt")),
        options=[text_option(row.text("response"), row.take("response_source", None))],
        ratings=safety_ratings(row, 0, "is_safe", "severity_level"),
        verdict="rated",
        criterion="harmless",
        annotator_kind="human",
    )


def _has_one_choice(sample: Sample) -> bool:
    return not any("safer_response_id" in row for row in sample.rows)


_DUAL = frozenset(
    {
        "prompt",
        "response_0",
        "response_1",
        "is_response_0_safe",
        "is_response_1_safe",
        "better_response_id",
        "safer_response_id",
    }
)

FORMATS = (
    RowFormat(
        name="pku-saferlhf",
        title="PKU-SafeRLHF, also its first release with BeaverTails (Ji et al., 2023 and 2024)",
        fields=_DUAL,
        convert=_convert_dual,
    ),
    RowFormat(
        name="pku-saferlhf-single-dimension",
        title="PKU-SafeRLHF, one choice that weighs help against harm (Ji et al., 2024)",
        fields=frozenset({"prompt", "response_0", "response_1", "better_response_id"}),
        check=_has_one_choice,
        convert=_convert_single,
    ),
    RowFormat(
        name="pku-saferlhf-qa",
        title="PKU-SafeRLHF safety labels of single answers (Ji et al., 2024)",
        fields=frozenset({"prompt", "response", "is_safe", "harm_category", "severity_level"}),
        convert=_convert_answer,
    ),
)
