"""Random prefix trees for property tests, with what they are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from llull.language.trees import PrefixTree

FEW = settings(max_examples=10, derandomize=True, deadline=None)
MANY = settings(max_examples=100, derandomize=True, deadline=None)


@dataclass(frozen=True)
class Made:
    """A context and the steps of its options, and the tree built of them."""

    prompt: list[int]
    options: list[list[list[int]]]
    scored: list[list[bool]]
    tree: PrefixTree
    share_prefixes: bool

    @property
    def paths(self) -> list[list[int]]:
        """The ids of each option, steps joined."""
        return [[token for step in steps for token in step] for steps in self.options]


@st.composite
def made_trees(draw: st.DrawFn, vocabulary: int = 97, longest: int = 6) -> Made:
    """A tree of up to four options of up to three steps, some of which share steps or first tokens."""
    token = st.integers(0, vocabulary - 1)
    step = st.lists(token, min_size=1, max_size=longest)
    prompt = draw(st.lists(token, min_size=1, max_size=8))
    pool = draw(st.lists(step, min_size=1, max_size=3))
    pool += [first[: len(first) // 2 + 1] + draw(step) for first in pool]
    options = draw(st.lists(st.lists(st.sampled_from(pool), min_size=1, max_size=3), min_size=1, max_size=4))
    share = draw(st.booleans())
    lengths = [sum(map(len, steps)) for steps in options]
    scored = [draw(st.lists(st.booleans(), min_size=n, max_size=n).filter(any)) for n in lengths]
    tree = PrefixTree.of_steps(prompt, options, scored=scored, share_prefixes=share)
    return Made(prompt, options, scored, tree, share)


def ancestors(tree: PrefixTree) -> np.ndarray:
    """bool [t, t]: which tokens (columns) each token (rows) sees, by walking up the path of each."""
    seen = np.zeros((len(tree), len(tree)), bool)
    for token in range(len(tree)):
        at = token
        while at >= 0:
            seen[token, at] = True
            at = int(tree.parent[at])
    return seen
