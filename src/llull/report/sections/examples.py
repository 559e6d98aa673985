"""Pairs to read: where the model was surely right, surely wrong, and could not tell."""

from __future__ import annotations

import numpy as np

from llull.evaluate import Evaluation
from llull.report.content import Report
from llull.report.markup import Markup, element, joined
from llull.report.passages import folded, passage
from llull.report.wording import chance

_EACH = 4
_LOOKED_AT = 300


def section(report: Report) -> Markup:
    """Four pairs of each kind, each from a context of its own."""
    seen = report.main.predictions
    decided = np.flatnonzero(~seen.pairs.tie & (seen.pairs.winner != seen.pairs.loser))
    surest = decided[np.argsort(-seen.prob[decided], kind="stable")]
    closest = decided[np.argsort(np.abs(seen.prob[decided] - 0.5), kind="stable")]
    kinds = (
        ("Right, and sure of it", surest[seen.prob[surest] > 0.5]),
        ("Wrong, and sure of it", surest[::-1][seen.prob[surest[::-1]] < 0.5]),
        ("Could not tell", closest),
    )
    told: set[int] = set()
    parts = []
    for title, order in kinds:
        chosen = _apart(report.main, order, told)
        if chosen:
            parts += [element("h3", title), *(_example(report.main, pair) for pair in chosen)]
    if not parts:
        return element("p", "No pair is decided, so there is none to show.")
    note = (
        "The extremes of all held-out predictions, not a random sample. Each comes from another context. Probabilities "
        "are those of a model that had not seen the context."
    )
    return joined(element("p", note), *parts)


def _apart(found: Evaluation, order: np.ndarray, told: set[int]) -> list[int]:
    cluster = found.predictions.cluster
    chosen: list[int] = []
    for pair in order[:_LOOKED_AT]:
        if len(chosen) == _EACH:
            break
        if int(cluster[pair]) not in told and not _alike(found, int(pair)):
            told.add(int(cluster[pair]))
            chosen.append(int(pair))
    return chosen


def _alike(found: Evaluation, pair: int) -> bool:
    """Whether the two options read the same; there is nothing to learn from such a pair."""
    _, winner, loser = found.predictions.pairs.texts(pair)
    return _heard(winner) == _heard(loser)


def _heard(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum()) or text


def _example(found: Evaluation, pair: int) -> Markup:
    seen = found.predictions
    context, winner, loser = seen.pairs.texts(pair)
    prob = float(seen.prob[pair])
    where = [f"{key}: {seen.name(key, pair)}" for key in seen.labels]
    title = f"The model gave {chance(prob)} to the option that was preferred"
    return element(
        "article",
        element("h4", title),
        element("p", " · ".join(where), class_="quiet") if where else None,
        passage("Context", folded(context, from_end=True)) if context else None,
        passage(f"Preferred ({chance(prob)})", folded(winner), "preferred"),
        passage(f"Not preferred ({chance(1 - prob)})", folded(loser), "other"),
    )
