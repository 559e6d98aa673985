"""Several rewards kept at their own thresholds, beyond which more of each no longer means better."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.special import expit

from llull.errors import InputError


@dataclass(frozen=True)
class Constraints:
    """Weights of several rewards that learn how much each counts, so that each stays at its threshold.

    The reward is ``sum_i lam_i r_i - (n - sum_i lam_i) KL`` (Moskovitz et al., 2023): a reward below its threshold
    gains weight, one above it loses weight to the distance from the reference. With ``"at_least"``,
    lam = sigmoid(u) lies in (0, 1); with ``"equal"``, lam = tanh(u) may turn negative and push a reward down.

    Args:
        thresholds: for each reward, the value to keep, such as a proxy point (see `proxy_points`).
        kind: ``"equal"`` or ``"at_least"``.
        raw: u, for each reward; 0 by default.
        learning_rate: of `step`. The weights must be slower than the policy.
        momentum: of `step`.
        velocity: what `step` carries over.
    """

    thresholds: tuple[float, ...]
    kind: Literal["equal", "at_least"] = "equal"
    raw: tuple[float, ...] = ()
    learning_rate: float = 1e-2
    momentum: float = 0.1
    velocity: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in ("equal", "at_least"):
            raise InputError(f"kind={self.kind!r} is no constraint; give 'equal' or 'at_least'")
        if not self.thresholds:
            raise InputError("there are no thresholds; give one for each reward")
        for name in ("raw", "velocity"):
            given = getattr(self, name)
            if len(given) not in (0, len(self.thresholds)):
                raise InputError(f"{name} has {len(given)} values for {len(self.thresholds)} thresholds")
            object.__setattr__(self, name, given or (0.0,) * len(self.thresholds))

    @property
    def weights(self) -> np.ndarray:
        """lam: float64 [rewards]."""
        raw = np.array(self.raw)
        return np.tanh(raw) if self.kind == "equal" else np.asarray(expit(raw))

    def combine(self, rewards: np.ndarray, kl: np.ndarray) -> np.ndarray:
        """One reward out of several: float64 [n].

        Args:
            rewards: float [n, rewards].
            kl: float [n], log-probability under the policy minus that under the reference.
        """
        weights = self.weights
        if np.shape(rewards) != (len(kl), len(weights)):
            raise InputError(f"rewards of shape {np.shape(rewards)} are not {len(kl)} rows of {len(weights)} rewards")
        return np.asarray(rewards) @ weights - (len(weights) - weights.sum()) * np.asarray(kl)

    def step(self, reached: np.ndarray) -> Constraints:
        """The weights after one step down sum_i lam_i (reached_i - threshold_i), by u.

        Args:
            reached: float [rewards], the mean of each reward over whole, undiscounted samples of the policy.
        """
        slope = 1 - self.weights**2 if self.kind == "equal" else self.weights * (1 - self.weights)
        gradient = slope * (np.asarray(reached, np.float64) - np.array(self.thresholds))
        velocity = self.momentum * np.array(self.velocity) + gradient
        raw = np.array(self.raw) - self.learning_rate * velocity
        return replace(self, raw=tuple(raw.tolist()), velocity=tuple(velocity.tolist()))


def proxy_points(rewards: np.ndarray, quality: np.ndarray) -> np.ndarray:
    """Where more of each reward stops to be better: the top of a quadratic in all rewards together.

    Fitted by least squares, products of rewards included, so rewards that rise together are not each credited with
    what the other does (Moskovitz et al., 2023, section 3).

    Args:
        rewards: float [n, k], of checkpoints or of samples, on both sides of the points sought.
        quality: float [n], trusted and expensive.

    Returns:
        float64 [k].

    Raises:
        InputError: too few rows, or quality has no top: it still rises somewhere, so go on measuring there.
    """
    rewards, quality = np.asarray(rewards, np.float64), np.asarray(quality, np.float64)
    n, k = rewards.shape
    first, second = np.triu_indices(k)
    needed = 1 + k + len(first)
    if n < needed:
        raise InputError(f"{n} rows are too few for a quadratic in {k} rewards; give at least {needed}")
    center, scale = rewards.mean(axis=0), rewards.std(axis=0)
    if (scale == 0).any():
        raise InputError(f"reward {int(np.argmin(scale))} never varies; nothing is known of more or less of it")
    z = (rewards - center) / scale
    design = np.column_stack([np.ones(n), z, z[:, first] * z[:, second]])
    found, _, rank, _ = np.linalg.lstsq(design, quality, rcond=None)
    if rank < needed:
        raise InputError("the rewards move along one line, so their effects cannot be told apart; vary them separately")
    slope, bend = found[1 : 1 + k], np.zeros((k, k))
    np.add.at(bend, (first, second), found[1 + k :])
    bend = bend + bend.T
    if np.linalg.eigvalsh(bend).max() >= 0:
        raise InputError("the quality has no top within these rewards; measure further out, or fit fewer rewards")
    return center + scale * np.linalg.solve(bend, -slope)
