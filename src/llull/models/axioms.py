"""Axioms: judgments that nobody has to make, because a principle says who wins.

Each axiom makes further judgments out of those that there are: an answer to this question is better than one to another
question, an answer is better than a corrupted copy of itself, a better founded one is better than the one it came from,
two answers combined are better than each. A model that is fitted to people's judgments and these together learns the
principles beside the tastes (axiomatic preference modeling, Rosset et al., 2023).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import numpy as np

from llull.encoders import Encoder
from llull.errors import InputError
from llull.judgments import Judgment, Preferences
from llull.judgments.record import Message, Option

AXIOM = "axiom"
"""The tag that says which axiom a judgment comes from; people's judgments have none."""

_BY = "axiom: "


class Axiom(Protocol):
    """What `with_axioms` asks of an axiom."""

    @property
    def name(self) -> str:
        """What its judgments are tagged with."""
        ...

    def judgments(self, preferences: Preferences, random: np.random.Generator) -> Iterator[Judgment]:
        """Judgments that follow from it; ids, weights and annotators are given by `with_axioms`."""
        ...


@dataclass(frozen=True)
class Relevance:
    """An answer is better under its own question than an answer to a question near to it.

    Answers to any other question are told apart by their topic alone; something is learned from the nearest.

    Args:
        encoder: encodes contexts; nearness is the cosine of its features.
        nearest: the other question is drawn from so many nearest ones.
    """

    encoder: Encoder
    nearest: int = 5
    name: str = "relevance"

    def __post_init__(self) -> None:
        if self.nearest < 1:
            raise InputError(f"nearest={self.nearest} leaves no other question; give at least 1")

    def judgments(self, preferences: Preferences, random: np.random.Generator) -> Iterator[Judgment]:
        """One for each judgment with a best option, against the best option of a judgment on a near context."""
        kept = [one for one in preferences if _best(one) is not None]
        options = Preferences.from_judgments(kept).options() if kept else None
        if options is None or int(options.context.max()) < 1:
            raise InputError("relevance sets answers to different questions against each other; there is only one")
        rows = self.encoder.fit(options).encode_contexts(options).astype(np.float64)
        rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        texts = {text: code for code, text in enumerate(options.contexts())}
        by_context: dict[int, list[Judgment]] = {}
        for one in kept:
            by_context.setdefault(texts[_text(one.context)], []).append(one)
        near: dict[int, np.ndarray] = {}
        for code, mine in by_context.items():
            if code not in near:
                nearness = rows @ rows[code]
                nearness[code] = -np.inf
                near[code] = np.argsort(-nearness)[: min(self.nearest, len(rows) - 1)]
            for one in mine:
                others = by_context[int(random.choice(near[code]))]
                other = others[int(random.integers(len(others)))]
                winner, loser = _best(one), _best(other)
                assert winner is not None
                assert loser is not None
                if winner.id != loser.id:
                    yield Judgment([winner, loser], one.context, ranking=[[0], [1]])


Change = Callable[[str, str], str | None]
"""From the question and an answer to another answer; None where it can make none."""


@dataclass(frozen=True)
class Changed:
    """An answer is better, or worse, than what a function makes of it.

    Worse after a change: errors put in by a language model or a rule (truthfulness), or evidence swapped for that of
    another question (grounding). Better after it: an answer written again with evidence. A change should keep length
    and form, or these are all that is learned.

    Args:
        change: makes the other answer; where it gives the same text or None there is no judgment.
        better: which of the two is better.
        name: such as truthfulness.
        source: of the changed options.
    """

    change: Change
    better: Literal["original", "changed"] = "original"
    name: str = "truthfulness"
    source: str | None = None

    def judgments(self, preferences: Preferences, random: np.random.Generator) -> Iterator[Judgment]:
        """One for each distinct answer under its question, of those in judgments that rank or rate."""
        seen: set[tuple[str, str]] = set()
        for one in preferences:
            asked = _text(one.context)
            for option in one.options:
                if not option.messages or (asked, option.id) in seen:
                    continue
                seen.add((asked, option.id))
                made = self.change(asked, option.text)
                if made is None or made == option.text:
                    continue
                ranking = [[0], [1]] if self.better == "original" else [[1], [0]]
                yield Judgment([option, _written(made, option, self.source)], one.context, ranking=ranking)


@dataclass(frozen=True)
class Combined:
    """Two good answers combined are better than each of them.

    Args:
        combine: from the question and two answers to one; None where it can make none.
        source: of the combined options.
    """

    combine: Callable[[str, str, str], str | None]
    name: str = "combination"
    source: str | None = None

    def judgments(self, preferences: Preferences, random: np.random.Generator) -> Iterator[Judgment]:
        """Two for each judgment that ranks at least two answers, of its best two."""
        for one in preferences:
            ranked = [one.options[place] for tier in one.ranking for place in tier if one.options[place].messages]
            if len(ranked) < 2:
                continue
            made = self.combine(_text(one.context), ranked[0].text, ranked[1].text)
            if made is None or made in (ranked[0].text, ranked[1].text):
                continue
            for option in ranked[:2]:
                yield Judgment([_written(made, option, self.source), option], one.context, ranking=[[0], [1]])


@dataclass(frozen=True)
class Made:
    """What `with_axioms` made."""

    preferences: Preferences
    """People's judgments first, then those of each axiom."""
    counts: dict[str, int] = field(default_factory=dict)
    """By axiom."""


def with_axioms(preferences: Preferences, axioms: Sequence[Axiom], weight: float = 0.1, seed: int = 0) -> Made:
    """Judgments with those that follow from axioms behind them.

    Each new one is by the annotator ``axiom: NAME``, of the kind ``rule``, and has the tag ``axiom``; so models of
    annotators and groups can tell them from people, and `without_axioms` takes them away. Options are listed in random
    order. Make them from training data alone: they are about the same options.

    Args:
        preferences: people's judgments.
        axioms: in any number.
        weight: of all judgments of one axiom together, as a share of that of people's judgments together. Little is
            enough where people's judgments do not contradict an axiom; much of it drowns their taste out.
        seed: of what is drawn.

    Raises:
        InputError: if the weight is not above 0, two axioms have one name, or an axiom finds nothing to say.
    """
    if not 0 < weight < np.inf:
        raise InputError(f"weight={weight} is not a share above 0")
    names = [axiom.name for axiom in axioms]
    if len(set(names)) < len(names):
        raise InputError(f"two axioms are called {next(n for n in names if names.count(n) > 1)!r}; name them apart")
    total = float(np.asarray(preferences.table["weight"]).sum())
    parts, counts = [preferences], {}
    for number, axiom in enumerate(axioms):
        random = np.random.default_rng([seed, number])
        made = list(axiom.judgments(preferences, random))
        if not made:
            raise InputError(f"the axiom {axiom.name!r} makes no judgment out of these {len(preferences)}")
        each = weight * total / len(made)
        parts.append(Preferences.from_judgments(_signed(one, axiom.name, each, random) for one in made))
        counts[axiom.name] = len(made)
    return Made(Preferences.concat(parts), counts)


def without_axioms(preferences: Preferences) -> Preferences:
    """Judgments that no axiom made."""
    found = preferences.labels("annotator")
    of_axioms = np.array([*(name.startswith(_BY) for name in found.names), False])
    return preferences.select(~of_axioms[found.codes])


def _signed(one: Judgment, name: str, weight: float, random: np.random.Generator) -> Judgment:
    options, ranking = one.options, one.ranking
    if random.random() < 0.5:
        options, ranking = options[::-1], [[len(options) - 1 - place for place in tier] for tier in ranking]
    tags: dict[str, Any] = {AXIOM: name}
    return Judgment(
        options,
        one.context,
        ranking=ranking,
        annotator=f"{_BY}{name}",
        annotator_kind="rule",
        weight=weight,
        tags=tags,
    )


def _best(one: Judgment) -> Option | None:
    """The option that is preferred to the others; None where none is, or where it is not alone."""
    return one.options[one.ranking[0][0]] if len(one.ranking) > 1 and len(one.ranking[0]) == 1 else None


def _text(context: Sequence[Message]) -> str:
    """A context as `Options.contexts` writes it."""
    if len(context) == 1:
        return context[0].content
    return "\n\n".join(f"{message.role}: {message.content}" for message in context)


def _written(text: str, like: Option, source: str | None) -> Option:
    last = like.messages[-1]
    return Option([replace(last, content=text)], source=source)
