"""Time the linear fit with l2 chosen by validation, and compare its optimum with scikit-learn's.

Run: OMP_NUM_THREADS=2 python benchmarks/linear_fit.py [--pairs 46000] [--features 400]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from sklearn.linear_model import LogisticRegression

from llull.models.fitting.part import fit_part
from llull.models.fitting.weights import WeightObjective
from llull.models.heads import Linear
from llull.models.links import Logistic
from llull.models.votes import Votes

TARGET_SECONDS = 5.0


def simulate(pairs: int, features: int, seed: int) -> Votes:
    """Correlated features with weak effects, as sentence embeddings have; 500 annotators, two votes on each context."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(features, features)) / np.sqrt(features) * np.geomspace(1, 0.05, features)
    rows = rng.normal(size=(2 * pairs, features)) @ mixing.T
    rows /= rows.std(axis=0)
    winner, loser = np.arange(0, 2 * pairs, 2), np.arange(1, 2 * pairs, 2)
    weights = rng.normal(size=features) * 0.6 / np.sqrt(features)
    won = rng.random(pairs) < 1 / (1 + np.exp(-(rows[winner] - rows[loser]) @ weights))
    return Votes(
        rows=rows,
        winner=np.where(won, winner, loser),
        loser=np.where(won, loser, winner),
        tie=np.zeros(pairs, bool),
        weight=np.ones(pairs),
        context=np.arange(pairs) // 2,
        annotator=rng.integers(0, 500, pairs),
        judgment=np.arange(pairs),
        member=np.full(pairs, -1),
        members=(),
    )


def main() -> None:
    """Print the times, their ratio, and the difference of the optima."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=46_000)
    parser.add_argument("--features", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    votes = simulate(asked.pairs, asked.features, asked.seed)
    names = tuple(f"f{j}" for j in range(asked.features))

    start, worked = time.perf_counter(), time.process_time()
    part = fit_part(votes, Linear(), Logistic(), None, asked.seed, names)
    ours, worked = time.perf_counter() - start, time.process_time() - worked

    contrasts = votes.rows[votes.winner] - votes.rows[votes.loser]
    start = time.perf_counter()
    objective = WeightObjective(contrasts, votes.tie, votes.weight, Logistic(), part.l2)
    once = objective.fit()
    ours_once = time.perf_counter() - start

    # scikit-learn needs both classes: each other pair is turned round.
    turned = np.where(np.arange(len(votes)) % 2, -1.0, 1.0)
    data, labels = contrasts * turned[:, None], turned > 0
    start = time.perf_counter()
    peer = LogisticRegression(C=1 / part.l2, fit_intercept=False, solver="newton-cholesky", tol=1e-10, max_iter=100)
    theirs_weights = peer.fit(data, labels).coef_[0]
    theirs = time.perf_counter() - start

    values = [objective.value_and_gradient(w)[0] for w in (part.weights, theirs_weights)]
    print(f"{asked.pairs:,} pairs x {asked.features} features, l2 {part.l2:.3g} of {len(part.path)} tried")
    print(f"choice of l2, fit, Laplace and clustered covariance: {ours:.2f} s (target {TARGET_SECONDS:.0f} s)")
    print(f"processor time of the same, all cores together: {worked:.2f} s")
    print(f"one fit at that l2: {ours_once:.2f} s in {once.steps} steps; scikit-learn newton-cholesky: {theirs:.2f} s")
    print(f"ratio of one fit, scikit-learn / llull: {theirs / ours_once:.2f}")
    print(f"objective, llull minus scikit-learn: {values[0] - values[1]:.3g}")
    print(f"largest difference of a weight: {np.abs(part.weights - theirs_weights).max():.3g}")
    if ours > TARGET_SECONDS:
        raise SystemExit("the fit is slower than its target")


if __name__ == "__main__":
    main()
