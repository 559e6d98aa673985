"""Judgments as an Arrow table, and rows of that table as judgments.

The columns are those of `llull.judgments.record.Judgment`, plus ``context_id``: the content hash of the
context, stored so that views can compare contexts without reading their text. Maps are lists of
key and value, because Hugging Face ``datasets`` has no map type; values of ``tags`` are JSON texts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from llull.judgments.record import Judgment, Media, Message, Option, Rating, context_id

MEDIA = pa.list_(pa.struct([("type", pa.string()), ("uri", pa.string())]))
MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string()), ("media", MEDIA)]))
OPTION = pa.struct(
    [
        ("id", pa.string()),
        ("messages", MESSAGES),
        ("media", MEDIA),
        ("source", pa.string()),
        ("parent", pa.int32()),
        ("followup", pa.string()),
    ]
)
RATING = pa.struct(
    [
        ("option", pa.int32()),
        ("aspect", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
    ]
)
ENTRIES = pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))
TIME = pa.timestamp("us", tz="UTC")

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("context_id", pa.string()),
        ("context", MESSAGES),
        ("options", pa.list_(OPTION)),
        ("ranking", pa.list_(pa.list_(pa.int32()))),
        ("verdict", pa.string()),
        ("shown", pa.list_(pa.int32())),
        ("strength", pa.float64()),
        ("ratings", pa.list_(RATING)),
        ("criterion", pa.string()),
        ("rationale", pa.string()),
        ("annotator", pa.string()),
        ("annotator_kind", pa.string()),
        ("groups", ENTRIES),
        ("weight", pa.float64()),
        ("time", TIME),
        ("tags", ENTRIES),
    ]
)

_encode = json.JSONEncoder(ensure_ascii=False, default=str).encode
_BATCH_ROWS = 20_000


def to_table(judgments: Iterable[Judgment]) -> pa.Table:
    """Lay judgments out in columns; the result has `SCHEMA`."""
    batches: list[pa.RecordBatch] = []
    columns = _Columns()
    for judgment in judgments:
        columns.add(judgment)
        if len(columns.ids) == _BATCH_ROWS:
            batches.append(columns.batch())
            columns = _Columns()
    if columns.ids or not batches:
        batches.append(columns.batch())
    return pa.Table.from_batches(batches, SCHEMA)


def from_row(row: dict[str, Any]) -> Judgment:
    """Make one judgment from one row as Arrow or ``datasets`` gives it."""
    return Judgment(
        id=row["id"],
        context=_messages(row["context"]),
        options=[
            Option(
                id=option["id"],
                messages=_messages(option["messages"]),
                media=_media(option["media"]),
                source=option["source"],
                parent=option["parent"],
                followup=option["followup"],
            )
            for option in row["options"]
        ],
        ranking=[list(tier) for tier in row["ranking"]],
        verdict=row["verdict"],
        shown=list(row["shown"]),
        strength=row["strength"],
        ratings=[Rating(**rating) for rating in row["ratings"]],
        criterion=row["criterion"],
        rationale=row["rationale"],
        annotator=row["annotator"],
        annotator_kind=row["annotator_kind"],
        groups={entry["key"]: entry["value"] for entry in row["groups"]},
        weight=row["weight"],
        time=row["time"],
        tags={entry["key"]: json.loads(entry["value"]) for entry in row["tags"]},
    )


def iterate(table: pa.Table) -> Iterator[Judgment]:
    """Yield the judgments of a table in order, one batch in memory at a time."""
    for batch in table.to_batches(max_chunksize=2_000):
        for row in batch.to_pylist():
            yield from_row(row)


def _messages(rows: list[dict[str, Any]] | None) -> list[Message]:
    return [Message(m["role"], m["content"], _media(m["media"])) for m in rows or ()]


def _media(rows: list[dict[str, Any]] | None) -> list[Media]:
    return [Media(m["type"], m["uri"]) for m in rows or ()]


class _Columns:
    """Flat columns that grow one judgment at a time.

    Arrow takes a flat list about ten times faster than the same values as nested dictionaries.
    """

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.context_ids: list[str] = []
        self.context = _MessageColumns()
        self.options = _OptionColumns()
        self.tiers = _Offsets()
        self.tier_members = _Offsets()
        self.tier_indexes: list[int] = []
        self.verdicts: list[str] = []
        self.shown = _Offsets()
        self.shown_indexes: list[int] = []
        self.scalars: dict[str, list[Any]] = {
            name: [] for name in ("strength", "criterion", "rationale", "annotator", "annotator_kind", "weight", "time")
        }
        self.ratings = _Offsets()
        self.rating_fields: dict[str, list[Any]] = {name: [] for name in ("option", "aspect", "value", "low", "high")}
        self.groups = _EntryColumns()
        self.tags = _EntryColumns()

    def add(self, judgment: Judgment) -> None:
        self.ids.append(judgment.id)
        self.context_ids.append(context_id(judgment.context))
        self.context.add(judgment.context)
        self.options.add(judgment.options)
        for tier in judgment.ranking:
            self.tier_indexes.extend(tier)
            self.tier_members.close(len(self.tier_indexes))
        self.tiers.close(len(self.tier_members.ends) - 1)
        self.verdicts.append(judgment.verdict)
        self.shown_indexes.extend(judgment.shown)
        self.shown.close(len(self.shown_indexes))
        for name, values in self.scalars.items():
            values.append(getattr(judgment, name))
        for rating in judgment.ratings:
            for name, values in self.rating_fields.items():
                values.append(getattr(rating, name))
        self.ratings.close(len(self.rating_fields["option"]))
        self.groups.add(judgment.groups.items())
        self.tags.add((key, _tag_text(value)) for key, value in judgment.tags.items())

    def batch(self) -> pa.RecordBatch:
        ratings = pa.StructArray.from_arrays(
            [_column(self.rating_fields[field.name], field.type) for field in RATING], fields=list(RATING)
        )
        tiers = self.tier_members.wrap(pa.array(self.tier_indexes, pa.int32()))
        scalars = {name: _column(values, SCHEMA.field(name).type) for name, values in self.scalars.items()}
        columns: dict[str, pa.Array] = {
            "id": _texts(self.ids),
            "context_id": _texts(self.context_ids),
            "context": self.context.array(),
            "options": self.options.array(),
            "ranking": self.tiers.wrap(tiers),
            "verdict": _texts(self.verdicts),
            "shown": self.shown.wrap(pa.array(self.shown_indexes, pa.int32())),
            "ratings": self.ratings.wrap(ratings),
            "groups": self.groups.array(),
            "tags": self.tags.array(),
            **scalars,
        }
        return pa.RecordBatch.from_arrays(
            [columns[name].cast(SCHEMA.field(name).type) for name in SCHEMA.names], schema=SCHEMA
        )


class _Offsets:
    """Where each list of a list column ends."""

    def __init__(self) -> None:
        self.ends = [0]

    def close(self, end: int) -> None:
        self.ends.append(end)

    def wrap(self, values: pa.Array) -> pa.ListArray:
        return pa.ListArray.from_arrays(pa.array(self.ends, pa.int32()), values)


class _MediaColumns:
    def __init__(self) -> None:
        self.lists = _Offsets()
        self.types: list[str] = []
        self.uris: list[str] = []

    def add(self, media: list[Media]) -> None:
        for medium in media:
            self.types.append(medium.type)
            self.uris.append(medium.uri)
        self.lists.close(len(self.types))

    def array(self) -> pa.Array:
        values = pa.StructArray.from_arrays([_texts(self.types), _texts(self.uris)], names=["type", "uri"])
        return self.lists.wrap(values)


class _MessageColumns:
    def __init__(self) -> None:
        self.lists = _Offsets()
        self.roles: list[str] = []
        self.contents: list[str] = []
        self.media = _MediaColumns()

    def add(self, messages: list[Message]) -> None:
        for message in messages:
            self.roles.append(message.role)
            self.contents.append(message.content)
            self.media.add(message.media)
        self.lists.close(len(self.roles))

    def array(self) -> pa.Array:
        values = pa.StructArray.from_arrays(
            [_texts(self.roles), _texts(self.contents), self.media.array()],
            names=["role", "content", "media"],
        )
        return self.lists.wrap(values)


class _OptionColumns:
    def __init__(self) -> None:
        self.lists = _Offsets()
        self.ids: list[str] = []
        self.messages = _MessageColumns()
        self.media = _MediaColumns()
        self.sources: list[str | None] = []
        self.parents: list[int | None] = []
        self.followups: list[str | None] = []

    def add(self, options: list[Option]) -> None:
        for option in options:
            self.ids.append(option.id)
            self.messages.add(option.messages)
            self.media.add(option.media)
            self.sources.append(option.source)
            self.parents.append(option.parent)
            self.followups.append(option.followup)
        self.lists.close(len(self.ids))

    def array(self) -> pa.Array:
        values = pa.StructArray.from_arrays(
            [
                _texts(self.ids),
                self.messages.array(),
                self.media.array(),
                _texts(self.sources),
                pa.array(self.parents, pa.int32()),
                _texts(self.followups),
            ],
            names=[field.name for field in OPTION],
        )
        return self.lists.wrap(values)


class _EntryColumns:
    def __init__(self) -> None:
        self.lists = _Offsets()
        self.keys: list[str] = []
        self.values: list[str] = []

    def add(self, entries: Iterable[tuple[str, str]]) -> None:
        for key, value in entries:
            self.keys.append(key)
            self.values.append(value)
        self.lists.close(len(self.keys))

    def array(self) -> pa.Array:
        values = pa.StructArray.from_arrays([_texts(self.keys), _texts(self.values)], names=["key", "value"])
        return self.lists.wrap(values)


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    return _texts(values) if kind == pa.string() else pa.array(values, kind)


def _texts(values: list[Any]) -> pa.Array:
    """Texts as Arrow holds them: half a surrogate pair, which UTF-8 cannot spell, becomes the sign U+FFFD."""
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:
        # Joined first, so that two halves that JSON wrote apart make their character again.
        whole = [v if v is None else v.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for v in values]
        return pa.array(whole, pa.string())


def _tag_text(value: Any) -> str:
    if type(value) is int:
        return str(value)
    if isinstance(value, datetime):
        value = value.astimezone(UTC).isoformat()
    return _encode(value)
