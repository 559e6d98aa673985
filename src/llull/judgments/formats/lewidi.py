"""Le-Wi-Di, learning with disagreement: each annotator's labels of texts (Leonardelli et al., 2023 and 2025).

A row is a text with the labels of its annotators; each label is a judgment that rates the text. In a text of several
parts the last part is rated and the others are its context. The 2023 edition lists labels as text in the order of
the annotators; the 2025 edition maps annotators to labels and describes them in a file beside it.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator
from typing import Any

from llull.judgments.format import Beside, RowFormat
from llull.judgments.record import Judgment, Message, Option, Rating, text_option
from llull.judgments.rows import BadRow, Reject, Row, as_number

_SCALES = {
    "hate speech detection": (0.0, 1.0),
    "misogyny and sexism detection in Arabic tweets": (0.0, 1.0),
    "offensiveness detection": (0.0, 1.0),
    "irony detection": (0.0, 1.0),
    "abusivness detection": (-3.0, 1.0),
    "sarcasm detection": (1.0, 6.0),
    "paraphrase detection": (-5.0, 5.0),
}
"""Lowest and highest label of each task, in the words of the release. Abuse runs from -3, very strong, to 1, none."""
_INFERENCE = "natural language inference"
_INFERENCES = ("entailment", "neutral", "contradiction")
_WITHDRAWN = "DATA_EXPIRED"
_NAMES = frozenset({"ArMIS", "CSC", "ConvAbuse", "HS-Brexit", "MD-Agreement", "MP", "Paraphrase", "VariErrNLI"})


def _convert(row: Row, beside: Beside) -> Iterator[Judgment | Reject]:
    task = str(row.fields.get("annotation task"))
    if task not in _SCALES and task != _INFERENCE:
        raise BadRow(f"the scale of the task {task!r} is not known")
    names = row.text("annotators").split(",")
    labels = _labels(row.take("annotations"), names)
    context, option, parts = _text(row.take("text"))
    info = row.fields.get("other_info") or {}
    tags = {"text_parts": parts} if parts else {}
    people = beside.table(f"{beside.split_name}_annotators_meta", _person_key)
    for place, (name, label) in enumerate(labels):
        try:
            yield Judgment(
                context=context,
                options=[option],
                verdict="rated",
                ratings=[*_ratings(task, label), *_further(info, place, len(labels))],
                rationale=_explanation(info, names, name),
                # Ann1 is another person in each of the sets.
                annotator=f"{beside.split_name}/{name}",
                annotator_kind="human",
                groups=_groups(people.get(name), info, name, place),
                tags=dict(tags),
            )
        except BadRow as bad:
            yield row.reject(str(bad))


def _labels(annotations: Any, names: list[str]) -> list[tuple[str, str]]:
    """Who gave which label. A person named twice gave two labels in 2023, and one label of two parts in 2025."""
    if isinstance(annotations, dict):
        return list(annotations.items())
    if not isinstance(annotations, str) or annotations.count(",") + 1 != len(names):
        raise BadRow(f"its annotations do not match its {len(names)} annotators")
    return list(zip(names, annotations.split(","), strict=True))


def _text(text: Any) -> tuple[list[Message], Option, list[str]]:
    """The context, the part that is rated, and the names of all parts."""
    if isinstance(text, str) and text.startswith('{"'):
        text = json.loads(text)
    if isinstance(text, str):
        return [], text_option(text, role="user"), []
    if not isinstance(text, dict) or not text:
        raise BadRow("its text is neither text nor an object with parts")
    *before, (_, rated) = text.items()
    context = [Message("assistant" if part.endswith("agent") else "user", said) for part, said in before]
    return context, text_option(rated, role="user"), list(text)


def _ratings(task: str, label: str) -> list[Rating]:
    if task != _INFERENCE:
        low, high = _SCALES[task]
        value = as_number(label, "label")
        if not low <= value <= high:
            raise BadRow(f"the label {label!r} is outside {low:g} to {high:g}, the scale of {task}")
        return [Rating(0, task, value, low, high)]
    chosen = label.split(",")
    if unknown := set(chosen) - set(_INFERENCES):
        raise BadRow(f"the label {', '.join(sorted(unknown))!r} is not one of {', '.join(_INFERENCES)}")
    return [Rating(0, name, float(name in chosen), 0.0, 1.0) for name in _INFERENCES]


def _further(info: dict[str, Any], place: int, count: int) -> Iterator[Rating]:
    """The same annotator's labels under further aspects, all of them yes or no."""
    for aspect, text in (info.get("other_annotations") or info.get("other annotations") or {}).items():
        values = text.split(",")
        if len(values) == count and values[place] in ("0", "1"):
            yield Rating(0, aspect, float(values[place]), 0.0, 1.0)


def _explanation(info: dict[str, Any], names: list[str], name: str) -> str | None:
    explanations = info.get("explanations") or []
    if len(explanations) != len(names):
        return None
    return "\n".join(said for who, said in zip(names, explanations, strict=True) if who == name) or None


def _groups(person: dict[str, Any] | None, info: dict[str, Any], name: str, place: int) -> dict[str, str]:
    groups: dict[str, str] = {}
    for key, value in (person or {}).items():
        if key != "annotator" and value not in (None, "", _WITHDRAWN):
            groups[key] = f"{value:g}" if isinstance(value, float) else str(value)
    memberships = info.get("annotators group")
    if isinstance(memberships, str) and memberships.count(",") >= place:
        membership = memberships.split(",")[place]
        groups["community"] = info.get(membership, membership)
    elif isinstance(info.get(name), str):
        groups["community"] = info[name]
    return groups


def _person_key(fields: dict[str, Any]) -> Hashable:
    # One of the files has bare numbers where its texts have Ann0, Ann1 ...
    return "Ann" + str(fields["annotator"]).removeprefix("Ann")


FORMATS = (
    RowFormat(
        name="lewidi",
        title="Le-Wi-Di: learning with disagreement (Leonardelli et al., 2023, 2025)",
        fields=frozenset(
            {
                *("item_id", "text", "annotation task", "number of annotations", "annotations", "annotators"),
                *("soft_label", "split", "lang", "other_info"),
            }
        ),
        auxiliary=frozenset(f"{name}_annotators_meta" for name in _NAMES),
        convert=_convert,
    ),
)
