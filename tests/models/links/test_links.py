"""Every link: derivatives by finite differences, closed forms, symmetry, extreme margins."""

from __future__ import annotations

import numpy as np
import pytest

from llull.errors import InputError
from llull.models.links import DavidsonTies, Logistic, NoisyLogistic

LINKS = [
    (Logistic(), np.empty(0)),
    (DavidsonTies(), np.array([-0.7])),
    (NoisyLogistic(0.15), np.empty(0)),
    (NoisyLogistic(), np.array([-0.9])),
]
NAMES = ["logistic", "davidson", "known-noise", "estimated-noise"]
MARGINS = np.array([-3.0, -0.4, 0.0, 0.2, 2.5, -1.1])
TIES = np.array([False, True, False, False, False, True])


@pytest.mark.parametrize(("link", "theta"), LINKS, ids=NAMES)
def test_gradient_and_hessian_match_finite_differences(link, theta):
    step = 1e-5
    _, slope = link.loss(MARGINS, TIES, theta)
    second = link.hessian(MARGINS, TIES, theta)
    moves = [(step, np.zeros_like(theta))] + [(0.0, step * row) for row in np.eye(len(theta))]
    for j, (by_margin, by_theta) in enumerate(moves):
        up = link.loss(MARGINS + by_margin, TIES, theta + by_theta)
        down = link.loss(MARGINS - by_margin, TIES, theta - by_theta)
        np.testing.assert_allclose(slope[:, j], (up[0] - down[0]) / (2 * step), atol=1e-8)
        np.testing.assert_allclose(second[:, j], (up[1] - down[1]) / (2 * step), atol=1e-8)


@pytest.mark.parametrize(("link", "theta"), LINKS, ids=NAMES)
def test_outcomes_are_a_distribution_that_turns_with_the_pair(link, theta):
    there, back = link.outcomes(MARGINS, theta), link.outcomes(-MARGINS, theta)
    np.testing.assert_allclose(there.sum(axis=1), 1, atol=1e-15)
    np.testing.assert_allclose(there, back[:, ::-1], atol=1e-15)


@pytest.mark.parametrize(("link", "theta"), LINKS, ids=NAMES)
def test_loss_is_minus_the_log_of_the_outcome(link, theta):
    decided = ~TIES
    loss, _ = link.loss(MARGINS, TIES, theta)
    np.testing.assert_allclose(loss[decided], -np.log(link.outcomes(MARGINS, theta)[decided, 0]), rtol=1e-12)


@pytest.mark.parametrize(("link", "theta"), LINKS, ids=NAMES)
def test_information_is_the_expected_hessian_and_positive(link, theta):
    """Weighted by their probabilities, the Hessians of the outcomes add up to the information."""
    chances = link.outcomes(MARGINS, theta)
    expected = chances[:, 0, None, None] * link.hessian(MARGINS, np.zeros(6, bool), theta)
    # A loss of the pair is a win with the margin turned round: mixed derivatives change sign.
    turn = np.ones((1 + len(theta), 1 + len(theta)))
    turn[0, 1:] = turn[1:, 0] = -1
    expected += chances[:, 2, None, None] * link.hessian(-MARGINS, np.zeros(6, bool), theta) * turn
    expected += chances[:, 1, None, None] * link.hessian(MARGINS, np.ones(6, bool), theta)
    information = link.information(MARGINS, np.zeros(6, bool), theta)
    np.testing.assert_allclose(information, expected, atol=1e-12)
    assert np.linalg.eigvalsh(information).min() > -1e-12


@pytest.mark.parametrize("link", [Logistic(), DavidsonTies()])
def test_extreme_margins_stay_finite(link):
    margin = np.array([-800.0, 800.0, 800.0])
    theta = link.start()
    loss, slope = link.loss(margin, np.array([False, False, True]), theta)
    assert np.isfinite(loss).all()
    assert np.isfinite(slope).all()
    assert loss[0] == pytest.approx(800)
    assert loss[2] == pytest.approx(400)


def test_davidson_closed_form():
    nu, a, b = 0.6, 2.0, 0.5
    total = a + b + nu * np.sqrt(a * b)
    found = DavidsonTies().outcomes(np.array([np.log(a / b)]), np.array([np.log(nu)]))[0]
    np.testing.assert_allclose(found, [a / total, nu * np.sqrt(a * b) / total, b / total], rtol=1e-14)


def test_unknown_settings_are_refused():
    with pytest.raises(InputError, match="'half' or 'drop'"):
        Logistic(ties="ignore")  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="'bothbad'"):
        DavidsonTies(leave_out=("bothbad",))
    with pytest.raises(InputError, match="exclusive"):
        NoisyLogistic(0.5)
