"""A lottery that no item beats on average."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog

from llull.models.fitting.weights import NotConverged


def maximal_lottery(preferred: np.ndarray) -> np.ndarray:
    """Chances of items [n] such that every item loses to the lottery or draws with it on average (Fishburn, 1984).

    It is the optimal strategy of the symmetric game with the margins as payoffs: the von Neumann winner, or minimax
    winner (Dudik et al., 2015; Swamy et al., 2024). A Condorcet winner gets all of it; where majorities go round, they
    share it.

    Args:
        preferred: float64 [n, n], weights or chances that item i is preferred to item j.
    """
    margin = preferred - preferred.T
    size = len(margin)
    scale = float(np.abs(margin).max(initial=0.0)) or 1.0
    found = linprog(
        np.zeros(size),
        A_ub=-(margin / scale).T,
        b_ub=np.zeros(size),
        A_eq=np.ones((1, size)),
        b_eq=np.ones(1),
        bounds=(0, 1),
        method="highs",
    )
    if not found.success:
        raise NotConverged(f"no lottery was found: {found.message}")
    chances = np.maximum(found.x, 0.0)
    return chances / chances.sum()
