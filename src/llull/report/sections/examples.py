"""Pairs to read: where the model was surely right, surely wrong, and could not tell."""

from __future__ import annotations

import numpy as np

from llull.evaluate import Evaluation
from llull.report.content import Report
from llull.report.markup import Markup, element, joined
from llull.report.wording import chance, count

_EACH = 4
_LOOKED_AT = 300
_SHORT = 360
_LONGEST = 6_000


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
        _part("Context", _folded(context, from_end=True), "") if context else None,
        _part(f"Preferred ({chance(prob)})", _folded(winner), "preferred"),
        _part(f"Not preferred ({chance(1 - prob)})", _folded(loser), "other"),
    )


def _part(name: str, text: Markup, kind: str) -> Markup:
    return element("div", element("b", name), text, class_=f"part {kind}".strip())


def _folded(text: str, from_end: bool = False) -> Markup:
    """A long text folded behind its beginning, or behind its end: of a conversation, the last turn matters most."""
    if len(text) <= _SHORT:
        return element("div", text or "(empty)", class_="said")
    flat = " ".join((text[-2 * _SHORT :] if from_end else text[: 2 * _SHORT]).split())
    end, beginning = flat[-_SHORT:], flat[:_SHORT]
    preview = f"… {end.partition(' ')[2] or end} " if from_end else f"{beginning.rpartition(' ')[0] or beginning} … "
    whole = text[:_LONGEST]
    if len(text) > _LONGEST:
        whole += f"\n\n[{count(len(text) - _LONGEST)} more characters are not shown]"
    summary = element(
        "summary",
        element("span", preview, class_="said preview"),
        element("span", f"all {count(len(text))} characters", class_="more"),
    )
    return element("details", summary, element("div", whole, class_="said"))
