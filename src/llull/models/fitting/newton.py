"""Newton's method to the optimum, with curvature that is kept for as long as it serves.

For n pairs and d features a gradient takes about n d operations and a Hessian n d^2. A Hessian from an
earlier point still gives a descent direction, so it is kept while each step shrinks the gradient by much, and
measured anew when it does not. The optimum does not depend on it: convergence is judged by the gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

C = TypeVar("C")


class Objective(Protocol[C]):
    """A smooth function of a vector x, with a curvature of any form ``C``."""

    def value_and_gradient(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """The value and the gradient at x."""
        ...

    def curvature(self, x: np.ndarray) -> C:
        """The curvature at x, without penalties."""
        ...

    def direction(self, curvature: C, gradient: np.ndarray) -> np.ndarray:
        """Solve (curvature + penalties) direction = gradient."""
        ...


@dataclass(frozen=True)
class Solution(Generic[C]):
    """Where a search ended."""

    x: np.ndarray
    value: float
    gradient_norm: float
    """Largest absolute entry of the gradient."""
    converged: bool
    steps: int
    curvature: C
    """The last curvature measured, which may be from an earlier point."""


# A step that leaves more than this share of the gradient is slow: measuring a new Hessian is then cheaper.
_SLOW = 0.25
_MOST_HALVINGS = 40
# Below this share of the value, a decrease is lost in rounding and cannot be asked for.
_ROUNDING = 1e-13


def minimize(
    objective: Objective[C], start: np.ndarray, *, tolerance: float, curvature: C | None = None, max_steps: int = 200
) -> Solution[C]:
    """Go down from ``start`` until no entry of the gradient is above ``tolerance``.

    Args:
        objective: what to minimize.
        start: float64 [p].
        tolerance: in units of the gradient.
        curvature: from an earlier search nearby; measured at ``start`` if not given.
        max_steps: after so many steps the search ends with ``converged`` False.
    """
    x = start
    value, gradient = objective.value_and_gradient(x)
    norm = _norm(gradient)
    fresh = curvature is None
    if curvature is None:
        curvature = objective.curvature(x)
    step = 0
    while norm > tolerance and step < max_steps:
        step += 1
        direction = objective.direction(curvature, gradient)
        found = _search_line(objective, x, value, norm, gradient, direction)
        if found is None:
            if fresh:
                break
            curvature, fresh = objective.curvature(x), True
            continue
        x, value, gradient = found
        before, norm = norm, _norm(gradient)
        fresh = False
        if norm > tolerance and norm > _SLOW * before:
            curvature, fresh = objective.curvature(x), True
    return Solution(x, value, norm, norm <= tolerance, step, curvature)


def _norm(gradient: np.ndarray) -> float:
    return float(np.abs(gradient).max()) if len(gradient) else 0.0


def _search_line(
    objective: Objective[C], x: np.ndarray, value: float, norm: float, gradient: np.ndarray, direction: np.ndarray
) -> tuple[np.ndarray, float, np.ndarray] | None:
    """The first of the steps 1, 1/2, 1/4, ... that goes down enough (Armijo), or None."""
    slope = float(gradient @ direction)
    if not np.isfinite(slope) or slope <= 0:
        return None
    size = 1.0
    for _ in range(_MOST_HALVINGS):
        trial = x - size * direction
        trial_value, trial_gradient = objective.value_and_gradient(trial)
        if np.isfinite(trial_value):
            slack = _ROUNDING * (1 + abs(value))
            if trial_value <= value - 1e-4 * size * slope:
                return trial, trial_value, trial_gradient
            # Near the optimum the value no longer tells; the gradient still does.
            if trial_value <= value + slack and _norm(trial_gradient) < norm:
                return trial, trial_value, trial_gradient
        size /= 2
    return None
