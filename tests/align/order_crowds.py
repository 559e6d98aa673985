"""Simulated annotators who look at the order of words, which no frozen state of a small model tells."""

from __future__ import annotations

import numpy as np

from llull.judgments import Judgment, Preferences, prompt, text_option

WORDS = [
    "the",
    "a",
    "little",
    "dog",
    "cat",
    "bird",
    "tree",
    "ball",
    "big",
    "happy",
    "sad",
    "ran",
    "saw",
    "liked",
    "went",
    "home",
    "to",
    "and",
    "with",
    "his",
    "her",
    "mom",
    "day",
]
SIZE = 7
RIGHT = 0.9
"""How often an annotator answers by its taste."""


def text(order: tuple[str, ...], random: np.random.Generator) -> str:
    """Common words, among them some others in this order."""
    words = random.choice(WORDS, SIZE).tolist()
    for place, word in zip(sorted(random.choice(SIZE, len(order), replace=False).tolist()), order, strict=True):
        words[place] = word
    return " ".join(words) + "."


def crowd(
    seed: int,
    votes: int = 20,
    *,
    people: range = range(20),
    opposed: bool = True,
    by_context: bool = False,
    tied: bool = False,
) -> Preferences:
    """Pairs of texts with red before blue, or after; some people want the one and some the other.

    Args:
        seed: of all randomness.
        votes: of each annotator.
        people: their numbers; where tastes are opposed, odd ones want blue first.
        opposed: whether tastes are.
        by_context: whether it depends on the context, and not on the annotator, which order is wanted.
        tied: whether half of the pairs have one order in both texts, and are judged equal.
    """
    random = np.random.default_rng(seed)
    made = []
    for person in people:
        for number in range(votes):
            king = bool(random.integers(2))
            same = tied and bool(random.integers(2))
            first_red = bool(random.integers(2))
            reds = [first_red, first_red if same else not first_red]
            options = [text_option(text(("red", "blue") if red else ("blue", "red"), random)) for red in reds]
            wants_red = (king if by_context else not person % 2) if opposed else True
            by_taste = random.random() < RIGHT
            better = reds.index(wants_red == by_taste) if not same else 0
            ranking = [[0, 1]] if same and by_taste else [[better], [1 - better]]
            start = prompt(f"{'The king was old' if king else 'The dog was wet'}. {person} {number} {seed}")
            made.append(Judgment(options, start, ranking=ranking, annotator=f"person {person}"))
    return Preferences.from_judgments(made)
