"""Published objectives: each is a choice on the five axes."""

from __future__ import annotations

from llull.objectives.objective import Objective
from llull.objectives.presets import (
    joint,
    lists,
    margins,
    noisy,
    pairs,
    reference_free,
    rewards,
    simultaneous,
    singles,
    stability,
    steps,
    tokens,
)

PRESETS: dict[str, type[Objective]] = {
    preset.__name__: preset
    for module in (
        pairs,
        margins,
        reference_free,
        noisy,
        rewards,
        singles,
        lists,
        joint,
        stability,
        tokens,
        steps,
        simultaneous,
    )
    for preset in vars(module).values()
    if isinstance(preset, type) and issubclass(preset, Objective) and preset.__module__ == module.__name__
}
"""Every preset by its name."""
