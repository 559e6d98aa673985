"""Who said what about which two options: pairs in one orientation, whatever the answer."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from llull.encoders import Encoder
from llull.judgments.columns import number
from llull.judgments.views import Pairs
from llull.models.votes import Scaling, only_used

_SHOWN = 40


@dataclass(frozen=True)
class Answers:
    """Answers to "which of these two?". All arrays have length n."""

    first: np.ndarray
    """int64: one option, the lower in number."""
    second: np.ndarray
    """int64: the other."""
    says: np.ndarray
    """float64: 1 the first is preferred, 0 the second, 0.5 neither."""
    item: np.ndarray
    """int64: equal where the same two options were compared under the same criterion."""
    annotator: np.ndarray
    """int64; -1 where unknown."""
    group: np.ndarray
    """int64; -1 where unknown."""
    context: np.ndarray
    """int64"""
    judgment: np.ndarray
    """int64: the judgment that the answer is read from."""

    def __len__(self) -> int:
        return len(self.first)

    def select(self, which: np.ndarray) -> Answers:
        """Those at these positions, or where this mask is true."""
        return replace(self, **{f.name: getattr(self, f.name)[which] for f in fields(self)})


def answers(pairs: Pairs) -> Answers:
    """Pairs with the lower option first, so that what is asked does not tell what was answered."""
    winner, loser = pairs.winner.astype(np.int64), pairs.loser.astype(np.int64)
    first, second = np.minimum(winner, loser), np.maximum(winner, loser)
    says = np.where(pairs.tie, 0.5, (winner == first).astype(float))
    key = (first * (len(pairs.options) + 1) + second) * (len(pairs.criteria) + 1) + pairs.criterion + 1
    item = number(key)[0].astype(np.int64) if len(key) else key
    annotator, group = pairs.annotator.astype(np.int64), pairs.group.astype(np.int64)
    judgment, context = pairs.judgment.astype(np.int64), pairs.context.astype(np.int64)
    return Answers(first, second, says, item, annotator, group, context, judgment)


def asked_singly(given: Answers) -> bool:
    """Whether every judgment answers about one pair only, so that answers are not read off rankings."""
    return len(np.unique(given.judgment)) == len(given)


def disjoint(given: Answers, seed: int) -> np.ndarray:
    """Positions of answers such that none of an annotator's shows an option that another of its does.

    Pairs read off one ranking, or off ratings, repeat each other: who puts a above b and b above c says nothing new by
    putting a above c. And an option that is better than its features tell makes all pairs that show it look alike.
    Without shared options neither can pass for a taste. The order of choice is one for everyone, so that what several
    people judged stays judged by several.
    """
    rng = np.random.default_rng(seed)
    priority = rng.permutation(int(given.item.max(initial=-1)) + 1)[given.item]
    order = np.lexsort((priority, given.annotator))
    seen: set[int] = set()
    kept: list[int] = []
    whose = None
    for at in order.tolist():
        if given.annotator[at] != whose:
            whose = given.annotator[at]
            seen.clear()
        one, other = int(given.first[at]), int(given.second[at])
        if one not in seen and other not in seen:
            seen.update((one, other))
            kept.append(at)
    return np.sort(np.array(kept, np.int64))


def directions(pairs: Pairs, features: Encoder, given: Answers, most: int) -> np.ndarray:
    """How the first option differs from the second along the directions in which pairs differ most: float64 [n, k].

    Principal directions of the standardized differences, each of unit mean square; at most ``most`` of them. Of
    indicators (options known by name), those of the names that are judged most often.
    """
    used = only_used(pairs)
    place = np.zeros(len(pairs.options), np.int64)
    place[np.unique(np.concatenate([pairs.winner, pairs.loser]))] = np.arange(len(used.options))
    encoder = features.fit(used.options)
    encoded = encoder.encode(used.options)
    rows = Scaling.measure(encoded, used, np.ones(len(used)), ~encoder.indicators).apply(encoded)
    if encoder.indicators.all():
        shown = np.bincount(np.concatenate([place[given.first], place[given.second]]), minlength=len(rows)) @ encoded
        common = np.sort(np.argsort(-shown, kind="stable")[:most])
        return (rows[place[given.first]] - rows[place[given.second]])[:, common]
    gap = rows[place[given.first]] - rows[place[given.second]]
    values, vectors = np.linalg.eigh(gap.T @ gap / len(gap))
    chosen = np.argsort(-values)[: min(most, int((values > 1e-9 * values.max()).sum()))]
    return gap @ vectors[:, chosen] / np.sqrt(values[chosen])


def named_options(pairs: Pairs) -> tuple[list[str], np.ndarray]:
    """Names of what is compared, and which of them each option is: int64 [m].

    Models, authors or items, where every option has one as its source and some made several options; otherwise each
    option is its own, named by its text in short.
    """
    sources = pairs.options.sources
    distinct = {name for name in sources if name is not None}
    if None not in sources and 2 < len(distinct) < len(sources):
        every = list(dict.fromkeys(map(str, sources)))
        place = {name: at for at, name in enumerate(every)}
        return every, np.array([place[str(name)] for name in sources], np.int64)
    every = [_shortened(text) for text in pairs.options.texts()]
    return every, np.arange(len(every))


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 3] + "..."
