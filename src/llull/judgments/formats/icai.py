"""ICAI: annotated pairs, many annotators on one pair, and its plain input table (Findeis et al., 2024).

Annotators are people, models, columns of a table, or principles on which a model voted; a principle's text is the
criterion. A preference that does not apply is a ``cannot_judge``; an invalid one is a reject. ICAI knows no ties: Llull
writes one as no preference with the reason ``tie``, ``both_good`` or ``both_bad``, and reads it again.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llull.errors import InputError
from llull.judgments import files
from llull.judgments.format import Beside, RowFormat, Sample, Writer
from llull.judgments.formats.nested_values import is_missing, nested_label, without
from llull.judgments.formats.row_writing import DoesNotFit, only_text
from llull.judgments.preferences import Preferences
from llull.judgments.record import AnnotatorKind, Judgment, Option, Verdict, content_hash, prompt, text_option
from llull.judgments.rows import Reject, Row

_Outcome = tuple[list[list[int]], Verdict]
_CHOICES: dict[str, _Outcome] = {
    "a": ([[0], [1]], "ranked"),
    "b": ([[1], [0]], "ranked"),
    "text_a": ([[0], [1]], "ranked"),
    "text_b": ([[1], [0]], "ranked"),
}
_UNDECIDED: dict[str, _Outcome | None] = {
    "not_applicable": ([], "cannot_judge"),
    "tie": ([[0, 1]], "ranked"),
    "both_good": ([[0, 1]], "both_good"),
    "both_bad": ([[0, 1]], "both_bad"),
    "invalid": None,
}
_KINDS: dict[str, AnnotatorKind] = {
    "human": "human",
    "principle": "model",
    "model": "model",
    "ai": "model",
    "rule": "rule",
}
_UNNAMED = "unknown"
_VERSION = "2.0"
_RESPONSES = ("response_a", "response_b")
_OWN_TAGS = frozenset({"source", "metadata", "comparison", "annotator_name", "annotator_description", "annotator_type"})


def _convert_pairs(row: Row, beside: Beside) -> Iterator[Judgment | Reject]:
    annotators: dict[str, dict[str, Any]] = row.take("annotators")
    for comparison in row.take("comparisons"):
        name = comparison.get("id")
        context = [] if is_missing(comparison.get("prompt")) else prompt(comparison["prompt"])
        options = [_option(comparison[side]) for side in _RESPONSES]
        kept = {"comparison": name, **(comparison.get("metadata") or {})}
        kept |= {side: more for side in _RESPONSES if (more := without(comparison[side], ("text", "model")))}
        if not comparison["annotations"]:
            yield row.reject(f"nobody annotated comparison {name!r}")
        for annotator, annotation in comparison["annotations"].items():
            outcome = _outcome(row, annotation)
            if outcome is None:
                yield row.reject(f"the annotation of {annotator!r} on comparison {name!r} is invalid")
                continue
            about = annotators.get(annotator, {})
            kind = about.get("type")
            ranking, verdict = outcome
            yield Judgment(
                context=context,
                options=options,
                ranking=[list(tier) for tier in ranking],
                verdict=verdict,
                criterion=annotation.get("criterion") or (about.get("description") if kind == "principle" else None),
                rationale=annotation.get("rationale"),
                strength=annotation.get("strength"),
                annotator=None if annotator == _UNNAMED else annotator,
                annotator_kind=_KINDS.get(kind or ""),
                tags={
                    **kept,
                    **{f"annotator_{key}": value for key, value in about.items()},
                    **without(annotation, ("pref", "no_pref_reason", "criterion", "rationale", "strength")),
                },
            )


def _outcome(row: Row, annotation: dict[str, Any]) -> _Outcome | None:
    given = annotation.get("pref")
    if given is None:
        reason = annotation.get("no_pref_reason") or "not_applicable"
        return nested_label(row, {"no_pref_reason": reason}, "no_pref_reason", _UNDECIDED)
    return nested_label(row, annotation, "pref", {**_CHOICES, **_UNDECIDED})


def _option(response: dict[str, Any]) -> Option:
    return text_option(response["text"], response.get("model"))


def _convert_table(row: Row, beside: Beside) -> Iterator[Judgment]:
    asked = row.take("input", None)
    options = [text_option(row.text(f"text_{side}"), row.take(f"model_{side}", None) or None) for side in "ab"]
    columns = [key for key, value in row.fields.items() if value in ("text_a", "text_b") and key != "preferred_text"]
    for column in ("preferred_text", *columns):
        ranking, verdict = row.label(column, _CHOICES)
        yield Judgment(
            context=[] if is_missing(asked) else prompt(asked),
            options=options,
            ranking=[list(tier) for tier in ranking],
            verdict=verdict,
            annotator=None if column == "preferred_text" else column,
        )


def _is_document(sample: Sample) -> bool:
    return all(isinstance(row["comparisons"], list) and isinstance(row["annotators"], dict) for row in sample.rows)


def _write(preferences: Preferences, path: Path) -> Counter[str]:
    if files.ending(path) != ".json":
        raise InputError(f"{path}: icai is written as one JSON document; give it a name that ends in .json or .json.gz")
    unfit: Counter[str] = Counter()
    annotators: dict[str, dict[str, Any]] = {}
    comparisons: dict[str, list[dict[str, Any]]] = {}
    metadata: dict[str, Any] = {}
    for judgment in preferences:
        try:
            comparison, annotator, annotation = _parts(judgment)
        except DoesNotFit as reason:
            unfit[str(reason)] += 1
            continue
        metadata = metadata or judgment.tags.get("metadata") or {}
        annotators.setdefault(annotator, _about(judgment))
        same = comparisons.setdefault(content_hash(comparison), [])
        # An annotator who judged a pair twice needs a second entry: one entry holds one annotation of each.
        entry = next((held for held in same if annotator not in held["annotations"]), None)
        if entry is None:
            entry = {**comparison, "annotations": {}}
            same.append(entry)
        entry["annotations"][annotator] = annotation
    if not comparisons:
        raise InputError(f"{path}: icai can hold none of the {len(preferences):,} judgments")
    document = {
        "metadata": {"version": _VERSION, "default_annotator": next(iter(annotators)), **metadata},
        "annotators": annotators,
        "comparisons": [entry for same in comparisons.values() for entry in same],
    }
    with (
        gzip.open(path, "wt", encoding="utf-8") if path.suffix == ".gz" else path.open("w", encoding="utf-8") as stream
    ):
        json.dump(document, stream, ensure_ascii=False, indent=1)
    return unfit


def _parts(judgment: Judgment) -> tuple[dict[str, Any], str, dict[str, Any]]:
    """The comparison without annotations, the annotator's id and the annotation."""
    tags, options = judgment.tags, judgment.options
    if len(options) != 2 or len(judgment.ranking) > 2 or sum(map(len, judgment.ranking)) == 1:
        raise DoesNotFit("that do not compare exactly two options")
    if judgment.verdict == "rated":
        raise DoesNotFit("that only rate")
    texts = [only_text(option.messages, "assistant", "option") for option in options]
    asked = only_text(judgment.context, "user", "context") if judgment.context else None
    responses = {
        side: {"text": text, **({"model": option.source} if option.source else {}), **tags.get(side, {})}
        for side, text, option in zip(_RESPONSES, texts, options, strict=True)
    }
    named = tags.get("comparison") or content_hash([asked, texts])
    comparison: dict[str, Any] = {"id": named, "prompt": asked, **responses}
    if rest := without(tags, (*_OWN_TAGS, *_RESPONSES)):
        comparison["metadata"] = rest
    annotation: dict[str, Any] = {"pref": None}
    if judgment.verdict == "cannot_judge":
        annotation["no_pref_reason"] = "not_applicable"
    elif len(judgment.ranking) == 1:
        annotation["no_pref_reason"] = "tie" if judgment.verdict == "ranked" else judgment.verdict
    else:
        annotation["pref"] = "ab"[judgment.ranking[0][0]]
    is_principle = tags.get("annotator_type") == "principle"
    more = {
        "criterion": None if is_principle else judgment.criterion,
        "rationale": judgment.rationale,
        "strength": judgment.strength,
    }
    return comparison, judgment.annotator or _UNNAMED, annotation | {k: v for k, v in more.items() if v is not None}


def _about(judgment: Judgment) -> dict[str, Any]:
    tags = judgment.tags
    about = {key: tags[f"annotator_{key}"] for key in ("name", "description", "type") if f"annotator_{key}" in tags}
    return about or {"name": judgment.annotator or _UNNAMED, "type": judgment.annotator_kind or _UNNAMED}


FORMATS = (
    RowFormat(
        name="icai",
        title="ICAI annotated pairs (Findeis et al., 2024)",
        fields=frozenset({"metadata", "annotators", "comparisons"}),
        check=_is_document,
        convert=_convert_pairs,
    ),
    RowFormat(
        name="icai-table",
        title="ICAI input table (Findeis et al., 2024)",
        fields=frozenset({"text_a", "text_b", "preferred_text"}),
        convert=_convert_table,
    ),
)

WRITERS = (
    Writer(
        name="icai",
        title="ICAI annotated pairs, with every annotator",
        write=_write,
        loses="groups, ratings, weights, times, the order shown, systems and earlier turns; the kind 'behavior'",
    ),
)
