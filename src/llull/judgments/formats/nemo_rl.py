"""NeMo-RL's preference files: a context and its ranked completions, rank 0 best, ties allowed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llull.judgments.format import Beside, RowFormat, Sample, Writer
from llull.judgments.formats.conversations import is_plain, option_of, to_messages, to_turns
from llull.judgments.formats.row_writing import DoesNotFit, refuse_media, write_rows
from llull.judgments.preferences import Preferences
from llull.judgments.record import Judgment
from llull.judgments.rows import BadRow, Row, as_number


def _convert(row: Row, beside: Beside) -> Iterator[Judgment]:
    tags: dict[str, Any] = {}
    turns, completions = row.take("context"), row.take("completions")
    context = to_messages(turns, "context")
    if not is_plain(turns):
        tags["context"] = turns
    if not isinstance(completions, list) or not completions:
        raise BadRow("field 'completions' is not a list of ranked completions")
    tiers: dict[float, list[int]] = {}
    for index, entry in enumerate(completions):
        if entry.get("rank") is not None:
            tiers.setdefault(as_number(entry["rank"], "rank"), []).append(index)
    options = [option_of(to_messages(entry["completion"], "completion")) for entry in completions]
    if any(entry.keys() != {"rank", "completion"} or not is_plain(entry["completion"]) for entry in completions):
        tags["completions"] = completions
    ranking = [tiers[rank] for rank in sorted(tiers)]
    yield Judgment(context=context, options=options, ranking=ranking, tags=tags)


def _holds_ranks(sample: Sample) -> bool:
    entries = [
        row["completions"][0] for row in sample.rows if isinstance(row["completions"], list) and row["completions"]
    ]
    return any(isinstance(entry, dict) and {"rank", "completion"} <= entry.keys() for entry in entries)


def _rows_of(judgment: Judgment) -> Iterator[dict[str, Any]]:
    if not judgment.ranking or judgment.verdict != "ranked":
        raise DoesNotFit("that are not a ranking")
    rank = {index: place for place, tier in enumerate(judgment.ranking) for index in tier}
    options = judgment.options
    refuse_media([*judgment.context, *(message for option in options for message in option.messages)])
    if any(option.media or not option.messages for option in options):
        raise DoesNotFit("with an option that has no text, or media")
    row: dict[str, Any] = {
        "context": to_turns(judgment.context),
        "completions": [
            {"rank": rank[index], "completion": to_turns(option.messages)}
            for index, option in enumerate(options)
            if index in rank
        ],
    }
    if "task_name" in judgment.tags:
        row["task_name"] = judgment.tags["task_name"]
    yield row


def _write(preferences: Preferences, path: Path) -> Counter[str]:
    return write_rows("nemo-rl", preferences, path, _rows_of)


FORMATS = (
    RowFormat(
        name="nemo-rl",
        title="NeMo-RL ranked completions",
        fields=frozenset({"context", "completions"}),
        check=_holds_ranks,
        convert=_convert,
    ),
)

WRITERS = (
    Writer(
        name="nemo-rl",
        title="NeMo-RL ranked completions: context, completions of rank and turns",
        write=_write,
        loses="options that were not ranked, strengths, annotators, groups, criteria, ratings, reasons, tags",
    ),
)
