"""Whether a rule keeps its promises on one's own votes, not in general.

A rule takes a profile and gives scores [n]; its winners are the items of the highest score.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from llull.rank.social.condorcet import condorcet_winner, smith_set
from llull.rank.social.profile import Profile

Rule = Callable[[Profile], np.ndarray]


@dataclass(frozen=True)
class Breach:
    """A promise not kept."""

    axiom: str
    what: str
    """In words, with the items' names."""


def winners(rule: Rule, profile: Profile) -> list[str]:
    """Items of the highest score."""
    scores = np.asarray(rule(profile), np.float64)
    return [profile.items[i] for i in np.flatnonzero(scores >= scores.max() - 1e-9)]


def check(rule: Rule, profile: Profile) -> list[Breach]:
    """All breaches found on these votes: of Condorcet's principle, Smith's set, clones, losers, and unanimity."""
    return [
        *_condorcet(rule, profile),
        *_clones(rule, profile),
        *_losers(rule, profile),
        *_unanimity(rule, profile),
    ]


def clone_sets(profile: Profile) -> list[tuple[int, int]]:
    """Pairs of items that no voter puts any other item between or level with."""
    size = len(profile.items)
    tiers = profile.tiers
    complete = ~np.isnan(tiers).any(axis=1)
    found = []
    if not complete.all():
        return []
    for i in range(size):
        for j in range(i + 1, size):
            low, high = np.minimum(tiers[:, i], tiers[:, j]), np.maximum(tiers[:, i], tiers[:, j])
            others = np.delete(tiers, [i, j], axis=1)
            if not ((others >= low[:, None]) & (others <= high[:, None])).any():
                found.append((i, j))
    return found


def _condorcet(rule: Rule, profile: Profile) -> list[Breach]:
    preferred = profile.preferred()
    chosen = winners(rule, profile)
    if (best := condorcet_winner(preferred)) is not None and chosen != [profile.items[best]]:
        return [Breach("Condorcet", f"{profile.items[best]!r} beats every other item, and {_list(chosen)} is chosen")]
    smith = {profile.items[i] for i in smith_set(preferred)}
    outside = [name for name in chosen if name not in smith]
    if outside:
        return [Breach("Smith", f"{_list(outside)} is chosen, and each of {_list(sorted(smith))} beats it")]
    return []


def _clones(rule: Rule, profile: Profile) -> list[Breach]:
    found = []
    before = winners(rule, profile)
    for i, j in clone_sets(profile):
        pair = {profile.items[i], profile.items[j]}
        for gone in (i, j):
            left = profile.select([k for k in range(len(profile.items)) if k != gone])
            after = winners(rule, left)
            # The clone that stays stands for both.
            alike = {name for name in before if name not in pair} == {name for name in after if name not in pair}
            if not alike or bool(pair & set(before)) != bool(pair & set(after)):
                twin = _list(sorted(pair - {profile.items[gone]}))
                what = f"without {profile.items[gone]!r}, which all rank beside {twin}, {_list(after)} is chosen"
                found.append(Breach("clones", f"{what}, not {_list(before)}"))
    return found


def _losers(rule: Rule, profile: Profile) -> list[Breach]:
    before = winners(rule, profile)
    found = []
    for gone, name in enumerate(profile.items):
        if name in before or len(profile.items) < 3:
            continue
        after = winners(rule, profile.select([k for k in range(len(profile.items)) if k != gone]))
        if after != before:
            found.append(
                Breach("losers", f"without {name!r}, which loses, {_list(after)} is chosen, not {_list(before)}")
            )
    return found


def _unanimity(rule: Rule, profile: Profile) -> list[Breach]:
    scores = np.asarray(rule(profile), np.float64)
    above = (profile.tiers[:, :, None] < profile.tiers[:, None, :]).all(axis=0)
    return [
        Breach("unanimity", f"all put {profile.items[i]!r} above {profile.items[j]!r}, and the rule does not")
        for i, j in zip(*np.nonzero(above), strict=True)
        if scores[i] < scores[j] - 1e-9
    ]


def _list(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names)
