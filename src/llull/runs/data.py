"""The commands that only look at data: ``read`` and ``describe``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rich.console import Console

import llull.judgments
from llull.errors import InputError
from llull.judgments import Preferences
from llull.runs.folder import REJECTS, fingerprint
from llull.runs.printing import problems_table, reading_table

_SHOWN_VALUES = 20
"""How many values an error lists."""


def read(
    data: list[str],
    out: str | None = None,
    format: str | None = None,
    strict: bool = False,
    columns: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    groups: list[str] | None = None,
    where: dict[str, str] | None = None,
) -> None:
    """Read preference files of any known format and say what became of every row.

    Args:
        data: files, folders, patterns, or hub:org/name; each may name its format first (hh-rlhf:train.jsonl.gz).
        out: folder to write judgments.parquet and rejects.jsonl to; without it nothing is written.
        format: format of all the files, instead of finding it from their first rows.
        strict: stop at the first bad row instead of setting it aside.
        columns: for plain tables, which column holds what, as {prompt: question, a: answer_1, winner: vote}.
        labels: for plain tables, what the values of the winner column mean, as {left: a, right: b, same: tie}.
        groups: for plain tables, the columns that hold annotators' groups.
        where: keep only judgments with these values of groups, columns or tags, as {language: deu, task: news}.
    """
    console = Console()
    preferences = llull.judgments.read(
        *data, format=format, strict=strict, columns=columns, labels=labels, groups=groups
    )
    print_reading(preferences, console)
    if where:
        preferences = matching(preferences, where)
    console.print(f"{len(preferences):,} judgments, fingerprint {fingerprint(preferences)}")
    if out is None:
        return
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: this is a file; name a folder with --out")
    path = preferences.save(folder / "judgments.parquet")
    console.print(f"wrote {path}")
    if preferences.reading is not None:
        preferences.reading.write_rejects(folder / REJECTS)
        console.print(f"wrote {folder / REJECTS} ({len(preferences.reading.rejects):,} rejects)")


def describe(data: list[str], format: str | None = None, json: str | None = None) -> None:
    """Say who judged what, how far they agree, and what is wrong with the data.

    Args:
        data: files, folders, patterns or hub names, as for `llull read`.
        format: format of all the files, instead of finding it from their first rows.
        json: file to write the same facts to.
    """
    from json import dumps

    console = Console()
    preferences = llull.judgments.read(*data, format=format)
    print_reading(preferences, console)
    description = preferences.describe()
    problems = preferences.problems()
    console.print(description)
    console.print(problems_table(problems))
    if json is not None:
        content = {"description": description.to_dict(), "problems": [problem.to_dict() for problem in problems]}
        Path(json).write_text(dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        console.print(f"wrote {json}")


def matching(preferences: Preferences, where: Mapping[str, str]) -> Preferences:
    """The judgments that have all of these values of groups, columns or tags; ``reading`` stays that of the whole.

    Raises:
        InputError: no judgment has the key, or the value, or all values at once.
    """
    kept = np.ones(len(preferences), bool)
    for key, value in where.items():
        labels = preferences.labels(key)
        if not labels.names:
            raise InputError(
                f"cannot keep where {key} is {value}: no judgment has a group, column or tag named {key!r}"
            )
        if value not in labels.names:
            shown = ", ".join(sorted(labels.names)[:_SHOWN_VALUES])
            more = f" and {len(labels.names) - _SHOWN_VALUES} more" if len(labels.names) > _SHOWN_VALUES else ""
            raise InputError(f"no judgment has {key} {value}; there are {shown}{more}")
        kept &= labels.codes == labels.names.index(value)
    if not kept.any():
        said = " and ".join(f"{key} {value}" for key, value in where.items())
        raise InputError(f"no judgment has {said} at once, so none would be left")
    selected = preferences.select(kept)
    selected.reading = preferences.reading
    return selected


def print_reading(preferences: Preferences, console: Console) -> None:
    """Print what became of every row, for judgments that come from files."""
    if preferences.reading is not None:
        console.print(reading_table(preferences.reading))
