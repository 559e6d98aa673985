"""Constrained rewards: closed forms, finite differences, and a policy that is kept where its quality is best."""

from __future__ import annotations

import numpy as np
import pytest

from llull.errors import InputError
from llull.models.rewards import Constraints, proxy_points


def test_one_reward_is_combined_by_hand() -> None:
    found = Constraints((1.0, 2.0), raw=(0.0, np.arctanh(0.5)))
    np.testing.assert_allclose(found.weights, [0.0, 0.5])
    reward = found.combine(np.array([[7.0, 4.0], [1.0, -2.0]]), np.array([0.2, -1.0]))
    np.testing.assert_allclose(reward, [0.5 * 4 - 1.5 * 0.2, 0.5 * -2 + 1.5])


@pytest.mark.parametrize("kind", ["equal", "at_least"])
def test_a_step_goes_down_the_gradient_by_finite_differences(kind) -> None:
    start = Constraints((1.0, -2.0), kind, raw=(0.4, -0.7), learning_rate=0.1, momentum=0.0)
    gap = np.array([1.5, -0.4])

    def value(raw: np.ndarray) -> float:
        return float(Constraints(start.thresholds, kind, raw=tuple(raw)).weights @ gap)

    raw = np.array(start.raw)
    slope = [(value(raw + step) - value(raw - step)) / 2e-6 for step in 1e-6 * np.eye(2)]
    moved = start.step(np.array(start.thresholds) + gap)
    np.testing.assert_allclose(np.array(moved.raw), raw - 0.1 * np.array(slope), atol=1e-8)


def test_only_equal_constraints_push_a_reward_down() -> None:
    equal, least = Constraints((0.0,)), Constraints((0.0,), "at_least")
    for _ in range(2000):
        equal, least = equal.step(np.array([1.0])), least.step(np.array([1.0]))
    assert equal.weights[0] < -0.5
    assert 0 < least.weights[0] < 0.1


def test_mistakes_are_named() -> None:
    with pytest.raises(InputError, match="no constraint"):
        Constraints((1.0,), "above")  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="raw has 1 values for 2"):
        Constraints((1.0, 2.0), raw=(1.0,))
    with pytest.raises(InputError, match="no thresholds"):
        Constraints(())
    with pytest.raises(InputError, match="shape"):
        Constraints((1.0,)).combine(np.zeros((3, 2)), np.zeros(3))
    with pytest.raises(InputError, match="too few"):
        proxy_points(np.zeros((3, 2)), np.zeros(3))
    rising = np.linspace(0, 1, 20)[:, None]
    with pytest.raises(InputError, match="no top"):
        proxy_points(rising, rising[:, 0] ** 2)
    with pytest.raises(InputError, match="one line"):
        proxy_points(np.column_stack([rising, 2 * rising]), rising[:, 0])
    with pytest.raises(InputError, match="never varies"):
        proxy_points(np.ones((20, 1)), rising[:, 0])


def test_the_top_of_a_quadratic_is_found_exactly() -> None:
    rng = np.random.default_rng(0)
    top, bend = np.array([1.0, -3.0]), np.array([[-2.0, 0.7], [0.7, -1.0]])
    rewards = rng.normal(size=(40, 2)) @ np.array([[1.0, 0.9], [0.0, 0.4]])
    gap = rewards - top
    np.testing.assert_allclose(proxy_points(rewards, np.einsum("ni,ij,nj->n", gap, bend, gap) + 5), top, atol=1e-9)


THRESHOLDS = np.array([5.0, 5.0])


def quality(reached: np.ndarray) -> np.ndarray:
    """It rises with both rewards, and falls again beyond their thresholds."""
    return reached.sum(axis=-1) - (np.maximum(reached - THRESHOLDS, 0) ** 2).sum(axis=-1)


BEST = float(quality(THRESHOLDS + 0.5))


def directions(correlation: float) -> np.ndarray:
    """Of two linear rewards [2, 2] of unit length with this correlation."""
    return np.array([[1.0, 0.0], [correlation, np.sqrt(1 - correlation**2)]])


def trained(constraints: Constraints, correlation: float, seed: int, learn: bool = True) -> np.ndarray:
    """Mean rewards at each step of a Gaussian policy with two means, by policy gradients on the combined reward."""
    rng = np.random.default_rng(seed)
    rewards, mean, path = directions(correlation), np.zeros(2), []
    for _ in range(6000):
        drawn = mean + rng.normal(size=(64, 2))
        kl = drawn @ mean - mean @ mean / 2
        reward = constraints.combine(drawn @ rewards.T, kl)
        gradient = ((reward - reward.mean())[:, None] * (drawn - mean)).mean(axis=0)
        mean = mean + 0.02 * gradient
        if learn:
            constraints = constraints.step((drawn @ rewards.T).mean(axis=0))
        path.append(mean @ rewards.T)
    return np.array(path)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("correlation", [0.5, -0.3])
def test_constrained_rewards_stay_at_their_thresholds_where_fixed_weights_overshoot(
    seed: int, correlation: float
) -> None:
    reached = trained(Constraints(tuple(THRESHOLDS), learning_rate=2e-3), correlation, seed)
    end = reached[-500:].mean(axis=0)
    assert np.abs(end - THRESHOLDS).max() < 0.1
    assert quality(end) >= 0.95 * BEST
    fixed = trained(Constraints(tuple(THRESHOLDS), raw=(2.0, 2.0)), correlation, seed, learn=False)
    assert fixed[-500:].mean(axis=0).min() > THRESHOLDS.max() + 1
    assert quality(fixed[-500:].mean(axis=0)) < 0.8 * BEST


def test_thresholds_found_along_one_reward_move_with_the_correlation_and_those_of_both_do_not() -> None:
    alone, together = [], []
    for correlation in (0.8, -0.8):
        scale = np.linspace(4.8, 6.2, 60)
        # Raising the first reward alone carries the second along.
        along = np.column_stack([scale, THRESHOLDS[1] + correlation * (scale - THRESHOLDS[0])])
        alone.append(proxy_points(along[:, :1], quality(along))[0])
        rng = np.random.default_rng(0)
        spread = 5.5 + 0.15 * rng.normal(size=(200, 2)) @ directions(correlation)
        together.append(proxy_points(spread, quality(spread)))
    assert alone[0] - alone[1] > 0.3
    assert np.abs(together[0] - together[1]).max() < 0.05
    assert np.abs(np.array(together) - 5.5).max() < 0.05
