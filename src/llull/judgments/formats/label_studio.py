"""Label Studio: tasks with the annotations of people and the predictions of models, exported as JSON.

Each result of a kind that compares or rates is one judgment: Pairwise, Ranker (one list), Rating and Choices, but one
among more than two answers makes several (see `choices`). A text area is the reason of the annotation's other
results. Names of the objects compared are looked up in the task's data. A cancelled annotation is a ``cannot_judge``;
results of other kinds (spans, boxes) are rejects.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llull.judgments.format import Beside, RowFormat, Sample
from llull.judgments.formats.choices import best_of
from llull.judgments.formats.nested_values import without
from llull.judgments.formats.platform_records import context_of, index_of, is_tie, option_named, options_of
from llull.judgments.formats.timestamps import utc_time
from llull.judgments.record import Judgment, Option, Rating, named_option, text_option
from llull.judgments.rows import BadRow, Reject, Row, as_number

_SIDES = {"left": 0, "right": 1}
_ITEM_TEXTS = ("body", "text", "html", "title")
_Read = tuple[list[Option], list[list[int]], list[Rating]]


def _convert(row: Row, beside: Beside) -> Iterator[Judgment | Reject]:
    data = row.fields["data"]
    for annotation in row.take("annotations"):
        yield from _annotation(row, data, annotation)
    for prediction in row.take("predictions", None) or []:
        if isinstance(prediction, dict):
            yield from _annotation(row, data, prediction, is_prediction=True)
        else:
            row.note("a prediction given by its number only")


def _annotation(
    row: Row, data: dict[str, Any], held: dict[str, Any], is_prediction: bool = False
) -> Iterator[Judgment | Reject]:
    annotator = held.get("model_version") if is_prediction else _person(held.get("completed_by"))
    results = held.get("result") or []
    reasons = [text for item in results if item.get("type") == "textarea" for text in item["value"]["text"]]
    about = {
        ("prediction" if is_prediction else "annotation"): without(held, ("result", "completed_by", "model_version"))
    }
    compared = [item for item in results if item.get("type") != "textarea"]
    if held.get("was_cancelled"):
        options = list(options_of(data).values())
        if not options:
            yield row.reject("an annotation was cancelled on a task without known answers")
            return
        reads: list[tuple[dict[str, Any], _Read]] = [({}, (options, [], []))]
    else:
        reads = []
        for item in compared:
            try:
                reads.append((item, _read(item, data)))
            except BadRow as bad:
                yield row.reject(str(bad))
        if not compared:
            yield row.reject("an annotation holds no result that compares or rates")
    for item, (options, ranking, ratings) in reads:
        judgment = Judgment(
            context=context_of(data),
            options=options,
            ranking=ranking,
            verdict="ranked" if ranking else "rated" if ratings else "cannot_judge",
            ratings=ratings,
            criterion=item.get("from_name"),
            rationale="\n".join(reasons) or None,
            annotator=None if annotator is None else str(annotator),
            annotator_kind="model" if is_prediction else "human",
            time=utc_time(held.get("created_at")),
            tags={**about, "result": item},
        )
        is_choice = len(ranking) == 2 and item.get("type") == "choices"
        yield from best_of(judgment) if is_choice else [judgment]


def _person(completed_by: Any) -> Any:
    return completed_by.get("id") if isinstance(completed_by, dict) else completed_by


def _read(item: dict[str, Any], data: dict[str, Any]) -> _Read:
    value, kind = item["value"], item.get("type")
    if kind == "pairwise":
        options = _pair(item, data)
        best = _SIDES.get(value["selected"])
        if best is None:
            raise BadRow(f"a pair's selected side is {value['selected']!r}, neither 'left' nor 'right'")
        return options, [[best], [1 - best]], []
    if kind == "ranker":
        return _ranked(value["ranker"], data)
    if kind == "rating":
        option = option_named(str(item.get("to_name")), options_of(data))
        return [option], [], [Rating(0, str(item.get("from_name")), as_number(value["rating"], "rating"))]
    if kind == "choices":
        return _chosen([str(choice) for choice in value["choices"]], options_of(data))
    raise BadRow(f"a result of type {kind!r} neither compares nor rates")


def _pair(item: dict[str, Any], data: dict[str, Any]) -> list[Option]:
    """The two objects by the names that the result gives, else the two answers that the task holds."""
    names, known = str(item.get("to_name", "")).split(","), options_of(data)
    found = [option_named(name.strip(), known) for name in names]
    if len(found) == 2 and all(option.messages for option in found):
        return found
    if len(known) == 2:
        return list(known.values())
    if len(found) != 2:
        raise BadRow(f"it compares {len(found)} objects where a pair has two")
    return found


def _ranked(ranker: Any, data: dict[str, Any]) -> _Read:
    lists = [ranker] if isinstance(ranker, list) else [names for key, names in ranker.items() if key != "_"]
    if len(lists) != 1:
        raise BadRow(f"it sorts items into {len(lists)} lists, which ranks none above another")
    items = {
        str(entry["id"]): entry
        for held in data.values()
        if isinstance(held, list)
        for entry in held
        if isinstance(entry, dict) and "id" in entry
    }
    options = [_item(str(name), items.get(str(name))) for name in lists[0]]
    return options, [[index] for index in range(len(options))], []


def _item(name: str, entry: dict[str, Any] | None) -> Option:
    text = next((entry[key] for key in _ITEM_TEXTS if isinstance(entry.get(key), str)), None) if entry else None
    return named_option(name) if text is None else text_option(text, source=name)


def _chosen(labels: list[str], known: dict[str, Option]) -> _Read:
    options = list(known.values())
    if len(labels) == 1 and len(options) > 1:
        if is_tie(labels[0]):
            return options, [list(range(len(options)))], []
        if (best := index_of(labels[0], known)) is not None:
            return options, [[best], [index for index in range(len(options)) if index != best]], []
    return [named_option(label) for label in labels], [list(range(len(labels)))], []


def _is_export(sample: Sample) -> bool:
    return all(isinstance(row["data"], dict) and isinstance(row["annotations"], list) for row in sample.rows)


FORMATS = (
    RowFormat(
        name="label-studio",
        title="Label Studio: export as JSON",
        fields=frozenset({"id", "data", "annotations"}),
        check=_is_export,
        convert=_convert,
    ),
)
