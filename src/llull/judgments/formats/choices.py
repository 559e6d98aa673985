"""Choices of the best among several, of which nobody has compared the others.

In a ranking, options of one tier are tied, and a tie is something that was said. Who chooses one of four replies says
three things, each of two options, and nothing of how the three others compare.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby

from llull.judgments.record import Judgment

CHOICE = "choice"
"""The tag that the judgments of one choice share."""


def best_of(choice: Judgment) -> Iterator[Judgment]:
    """The judgments that a choice makes: each chosen option against each that was not chosen.

    Each lists all the options, ranks two of them, shares ``tags["choice"]`` with the others and has its part of the
    weight, so that the choice weighs as much as one pair. Ratings that were given along with the choice come first, as
    a judgment of their own. What is a pair already is given as it is.

    >>> from llull.judgments import named_option
    >>> made = list(best_of(Judgment([named_option(name) for name in "abc"], ranking=[[1], [0, 2]])))
    >>> [judgment.ranking for judgment in made], made[0].weight, len(made[0].options)
    ([[[1], [0]], [[1], [2]]], 0.5, 3)

    Args:
        choice: a judgment whose ranking has the chosen options in its first tier and the others in its second.
    """
    chosen, others = choice.ranking
    if len(chosen) == len(others) == 1:
        yield choice
        return
    if choice.ratings:
        tags = {**choice.tags, CHOICE: choice.id}
        yield replace(choice, ranking=[], verdict="rated", tags=tags, id=f"{choice.id}/ratings")
    weight = choice.weight / (len(chosen) * len(others))
    for better in chosen:
        for worse in others:
            tags = {**choice.tags, CHOICE: choice.id}
            name = f"{choice.id}/{better}>{worse}"
            yield replace(choice, ranking=[[better], [worse]], ratings=[], weight=weight, tags=tags, id=name)


def whole(judgments: Iterable[Judgment]) -> Iterator[tuple[Judgment, int]]:
    """Undo `best_of`: each choice whose parts stand together, lack no pair and list the options alike.

    All others are given as they are. Yields each judgment with the number of those that it was made of.
    """
    for choice, members in groupby(judgments, key=lambda judgment: judgment.tags.get(CHOICE)):
        if choice is None:
            yield from ((judgment, 1) for judgment in members)
            continue
        parts: list[Judgment] = []
        for part in members:
            if any(part.ranking == earlier.ranking for earlier in parts):
                # The same choice again, as where a file repeats a row.
                yield from _joined(parts)
                parts = []
            parts.append(part)
        yield from _joined(parts)


def _joined(parts: list[Judgment]) -> list[tuple[Judgment, int]]:
    pairs = [part for part in parts if len(part.ranking) == 2]
    chosen = sorted({better for part in pairs for better in part.ranking[0]})
    others = sorted({worse for part in pairs for worse in part.ranking[1]})
    alike = all((part.context, part.options) == (parts[0].context, parts[0].options) for part in parts)
    if len(pairs) < 2 or not alike or len(pairs) != len(chosen) * len(others):
        return [(part, 1) for part in parts]
    tags = {key: value for key, value in pairs[0].tags.items() if key != CHOICE}
    weight = sum(part.weight for part in pairs)
    ratings = [rating for part in parts for rating in part.ratings]
    name = pairs[0].tags[CHOICE]
    choice = replace(pairs[0], ranking=[chosen, others], ratings=ratings, weight=weight, tags=tags, id=name)
    return [(choice, len(parts))]
