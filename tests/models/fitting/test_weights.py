"""The solver and its objective, against finite differences, a slow twin and peers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize as slow_minimize
from sklearn.linear_model import LogisticRegression

from llull.models.fitting.clustered import clustered_covariance
from llull.models.fitting.deviations import DeviationObjective
from llull.models.fitting.weights import WeightObjective, inverse
from llull.models.links import DavidsonTies, Logistic, NoisyLogistic
from llull.models.votes import Votes

LINKS = [Logistic(), DavidsonTies(), NoisyLogistic(0.1)]


def some_votes(n: int = 300, p: int = 4, members: int = 6, seed: int = 3) -> tuple[np.ndarray, Votes]:
    rng = np.random.default_rng(seed)
    contrasts = rng.normal(size=(n, p))
    truth = rng.normal(size=p)
    contrasts *= np.where(rng.random(n) < 1 / (1 + np.exp(-contrasts @ truth)), 1, -1)[:, None]
    votes = Votes(
        rows=np.empty((0, p)),
        winner=np.arange(n),
        loser=np.arange(n),
        tie=rng.random(n) < 0.2,
        weight=rng.uniform(0.5, 2, n),
        context=rng.integers(0, 40, n),
        annotator=rng.integers(0, 30, n),
        judgment=np.arange(n),
        member=rng.integers(-1, members, n),
        members=tuple(f"a{i}" for i in range(members)),
    )
    return contrasts, votes


def differences(value, x: np.ndarray, step: float = 1e-5) -> np.ndarray:
    return np.array([(value(x + step * e) - value(x - step * e)) / (2 * step) for e in np.eye(len(x))])


@pytest.mark.parametrize("link", LINKS, ids=lambda link: type(link).__name__)
def test_objective_derivatives(link):
    contrasts, votes = some_votes()
    objective = WeightObjective(contrasts, votes.tie, votes.weight, link, 0.7, np.arange(4.0))
    x = np.random.default_rng(0).normal(size=len(objective.ridge)) * 0.3
    gradient = objective.value_and_gradient(x)[1]
    np.testing.assert_allclose(gradient, differences(lambda y: objective.value_and_gradient(y)[0], x), rtol=1e-6)
    hessian = differences(lambda y: objective.value_and_gradient(y)[1], x)
    np.testing.assert_allclose(objective.curvature(x) + np.diag(objective.ridge), hessian, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("link", LINKS, ids=lambda link: type(link).__name__)
def test_optimum_is_that_of_a_slow_twin(link):
    contrasts, votes = some_votes()
    objective = WeightObjective(contrasts, votes.tie, votes.weight, link, 0.7)
    found = objective.fit()
    assert found.converged

    def plain(x: np.ndarray) -> float:
        total = 0.35 * float(x[:4] @ x[:4])
        for row, tie, weight in zip(contrasts, votes.tie, votes.weight, strict=True):
            win, tied, lost = link.outcomes(np.array([row @ x[:4]]), x[4:])[0]
            chance = tied if len(x) > 4 else np.sqrt(win * lost)
            total -= weight * np.log(chance if tie else win)
        return total

    slow = slow_minimize(plain, np.zeros(len(found.x)), method="BFGS", options={"gtol": 1e-6})
    assert found.value <= slow.fun + 1e-9
    assert found.value == pytest.approx(slow.fun, abs=1e-7)
    np.testing.assert_allclose(found.x, slow.x, atol=1e-4)


def test_optimum_is_that_of_scikit_learn():
    contrasts, votes = some_votes()
    decided = ~votes.tie
    rows, weight = contrasts[decided], votes.weight[decided]
    found = WeightObjective(rows, np.zeros(len(rows), bool), weight, Logistic(), 2.0).fit()
    peer = LogisticRegression(C=0.5, fit_intercept=False, tol=1e-12, solver="newton-cholesky", max_iter=500)
    both, sides = np.concatenate([rows, -rows]), np.repeat([1, 0], len(rows))
    peer.fit(both, sides, sample_weight=np.tile(weight / 2, 2))
    np.testing.assert_allclose(found.x, peer.coef_[0], atol=1e-8)


def test_stale_curvature_does_not_move_the_optimum():
    contrasts, votes = some_votes()
    objective = WeightObjective(contrasts, votes.tie, votes.weight, Logistic(), 0.1)
    fresh = objective.fit()
    stale = objective.fit(np.full(4, 2.0), curvature=50 * np.eye(4))
    assert stale.converged
    np.testing.assert_allclose(stale.x, fresh.x, atol=1e-8)


@pytest.mark.parametrize("link", LINKS, ids=lambda link: type(link).__name__)
@pytest.mark.parametrize("p", [4, 70], ids=["votes-exceed-features", "features-exceed-votes"])
def test_deviations_solve_their_joint_objective(link, p):
    """The arrow-shaped Newton step solves the dense system, and the gradient is that of the value."""
    contrasts, votes = some_votes(p=p)
    contrasts = contrasts / np.sqrt(p)
    objective = DeviationObjective(contrasts, votes, link, 0.5, 1.3, 6)
    k = len(link.parameter_names)
    x = np.random.default_rng(1).normal(size=p + k + 6 * p) * 0.3
    gradient = objective.value_and_gradient(x)[1]
    some = np.random.default_rng(2).choice(len(x), 12, replace=False)
    for j in some:
        e = 1e-5 * np.eye(len(x))[j]
        change = objective.value_and_gradient(x + e)[0] - objective.value_and_gradient(x - e)[0]
        assert gradient[j] == pytest.approx(change / 2e-5, abs=1e-6)
    arrow = objective.curvature(x)
    step = objective.direction(arrow, gradient)
    if link.convex:
        e = 1e-5 * step
        change = objective.value_and_gradient(x + e)[1] - objective.value_and_gradient(x - e)[1]
        np.testing.assert_allclose(change / 2e-5, gradient, atol=1e-6)
    found = objective.fit(np.concatenate([np.zeros(p), link.start(), np.zeros(6 * p)]))
    assert found.converged


def test_clustered_covariance_is_that_of_statsmodels():
    sandwich = pytest.importorskip("statsmodels.stats.sandwich_covariance")
    statsmodels = pytest.importorskip("statsmodels.api")
    contrasts, votes = some_votes(n=600)
    turned = np.where(np.arange(600) % 2, 1, -1)
    fitted = statsmodels.Logit((turned > 0).astype(float), contrasts * turned[:, None]).fit(disp=0, tol=1e-12)
    objective = WeightObjective(contrasts, np.zeros(600, bool), np.ones(600), Logistic(), 0.0)
    found = objective.fit()
    np.testing.assert_allclose(found.x, fitted.params, atol=1e-7)
    bread, slope = inverse(objective.curvature(found.x)), objective.slope(found.x)
    # statsmodels also multiplies by (n - 1) / (n - p), which is meant for linear models.
    small = 599 / 596
    one = clustered_covariance(contrasts, slope, bread, [votes.context])
    np.testing.assert_allclose(one * small, sandwich.cov_cluster(fitted, votes.context), rtol=1e-5)
    two = clustered_covariance(contrasts, slope, bread, [votes.annotator, votes.context])
    theirs = sandwich.cov_cluster_2groups(fitted, votes.annotator, votes.context)[0]
    np.testing.assert_allclose(two * small, theirs, rtol=1e-5)
