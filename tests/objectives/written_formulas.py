"""A slow twin of every objective: its printed formula, executed line by line in plain Python floats."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

NAMES: dict[str, Callable[..., float]] = {
    "log": math.log,
    "exp": math.exp,
    "sqrt": math.sqrt,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "relu": lambda x: max(x, 0.0),
    "log1mexp": lambda x: math.log(-math.expm1(x)),
    "sum": sum,
    "max": max,
    "min": min,
    "abs": abs,
    "range": range,
    "len": len,
    "mean": lambda values: sum(values) / len(values),
}


def execute(formula: str, facts: Mapping[str, object]) -> float:
    """The loss that a formula gives for one judgment.

    ``facts`` holds what the formula may name: ``w``, ``l``, ``p`` and functions such as ``policy`` of an option.
    """
    space: dict[str, object] = dict(NAMES) | dict(facts)
    losses: list[tuple[str, str]] = []
    for line in formula.splitlines():
        function = re.match(r"(\w+)\(([\w, ]+)\) = (.+)", line)
        if line.startswith("loss"):
            losses.append(re.match(r"loss ([+*]?)= (.+)", line).groups())
        elif function:
            space[function[1]] = eval(f"lambda {function[2]}: {function[3]}", space)
        else:
            name, expression = line.split(" = ", 1)
            space[name] = _Later(expression)
    total = 0.0
    for sign, expression in losses:
        value = _evaluate(expression, space)
        total = total * value if sign == "*" else total + value
    return total


class _Later(str):
    """A name's expression, evaluated when all names are known."""


def _evaluate(expression: str, space: dict[str, object]) -> float:
    while True:
        waiting = {name: later for name, later in space.items() if isinstance(later, _Later)}
        ready = {n: e for n, e in waiting.items() if not any(re.search(rf"\b{o}\b", e) for o in waiting if o != n)}
        for name, later in ready.items():
            space[name] = eval(str(later), space)
        if not waiting:
            return float(eval(expression, space))
