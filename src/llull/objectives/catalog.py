"""Every published objective as a row: name, formula, source, axes, needs, and who else has it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, fields

from llull.objectives.axes import Kind, Needs, Part
from llull.objectives.objective import Objective
from llull.objectives.presets import PRESETS


@dataclass(frozen=True)
class Row:
    """One preset, as it comes."""

    name: str
    summary: str
    """First line of its docstring."""
    formula: str
    source: str
    kind: Kind
    axes: Mapping[str, str]
    """For each axis the names of its parts' classes."""
    needs: tuple[str, ...]
    """What must be given beyond the policy's scores."""
    peers: Mapping[str, str]


def catalog(kind: Kind | None = None, reference: bool | None = None) -> list[Row]:
    """The presets by name.

    Args:
        kind: only those on pairs, lists or singles.
        reference: only those that need a reference, or that need none.

    >>> [row.name for row in catalog("pairs", reference=False)][:3]
    ['AlphaPO', 'BradleyTerryReward', 'CPO']
    """
    rows = []
    for name, preset in sorted(PRESETS.items()):
        objective = preset()  # type: ignore[call-arg]  # every preset has a default for each argument
        if kind is not None and objective.kind != kind:
            continue
        if reference is not None and objective.needs.reference != reference:
            continue
        rows.append(_row(name, objective))
    return rows


def _row(name: str, objective: Objective) -> Row:
    axes = {
        "score": _class(objective.score),
        "structure": _class(objective.structure),
        "link": _class(objective.link),
        "regularisers": ", ".join(map(_class, objective.regularisers)),
        "belief": _class(objective.belief) if objective.kind == "pairs" else "",
        "weights": ", ".join(map(_class, objective.weights)),
    }
    return Row(
        name,
        (inspect.getdoc(type(objective)) or "").split("\n", 1)[0],
        objective.formula(),
        objective.source,
        objective.kind,
        {axis: part for axis, part in axes.items() if part},
        _needed(objective.needs),
        objective.peers,
    )


def _class(part: Part) -> str:
    return type(part).__name__


def _needed(needs: Needs) -> tuple[str, ...]:
    words: list[str] = []
    for field in fields(needs):
        value = getattr(needs, field.name)
        if value is True:
            words.append(field.name)
        elif isinstance(value, str):
            words.append(f"{field.name}: {value}")
        elif value:
            words.append(f"{field.name}: {', '.join(sorted(value))}")
    return tuple(words)
