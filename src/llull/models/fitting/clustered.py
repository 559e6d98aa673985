"""Covariance of fitted weights when votes of one annotator, or on one context, are not independent."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from llull.judgments.columns import number
from llull.models.votes import Votes

FEWEST = 10
"""Clusters that a sandwich needs to be worth anything."""


def clusterings(votes: Votes) -> list[np.ndarray]:
    """The ways in which these votes are grouped: by annotator and by context, each as codes [n].

    A clustering with fewer than `FEWEST` clusters is left out: the sandwich of so few is far too narrow. A vote without
    a known annotator counts as an annotator of its own; where none is known, votes are not grouped by annotator. If
    neither clustering is left, the clusters are the judgments.
    """
    ways = []
    if (votes.annotator >= 0).any():
        alone = votes.annotator.max() + 1 + votes.judgment
        ways.append(np.where(votes.annotator >= 0, votes.annotator, alone))
    ways.append(votes.context)
    ways = [codes for codes in ways if len(np.unique(codes)) >= FEWEST]
    return ways or [votes.judgment]


def clustered_covariance(
    contrasts: np.ndarray, slope: np.ndarray, bread: np.ndarray, ways: list[np.ndarray]
) -> np.ndarray:
    """Sandwich covariance [p + k, p + k], clustered in one or two ways at once.

    One way is bread (sum over clusters of s s^T) bread * G / (G - 1), with s the sum of a cluster's scores and
    G the number of clusters. Two ways are V_a + V_b - V_ab, with V_ab clustered by both together (Cameron,
    Gelbach and Miller, 2011, equation 2.11); if that is not positive semidefinite, its negative
    eigenvalues become 0, as they propose.

    Args:
        contrasts: float64 [n, p].
        slope: float64 [n, 1 + k], each vote's gradient in its margin and theta; its score is (slope_0 x, slope_1..k).
        bread: float64 [p + k, p + k], the inverse of the Hessian.
        ways: one or two arrays of cluster codes [n].
    """
    meat = _meat(contrasts, slope, ways[0])
    both = ways[0].astype(np.int64) * (int(ways[1].max()) + 1) + ways[1] if len(ways) == 2 else ways[0]
    # Where each cluster of the second way lies within one of the first, V_b and V_ab are the same and cancel.
    if len(ways) == 2 and len(np.unique(both)) == len(np.unique(ways[1])):
        ways = ways[:1]
    if len(ways) == 2:
        meat = meat + _meat(contrasts, slope, ways[1]) - _meat(contrasts, slope, both)
    covariance = bread @ meat @ bread
    if len(ways) == 2:
        values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
        covariance = (vectors * np.maximum(values, 0)) @ vectors.T
    return covariance


def _meat(contrasts: np.ndarray, slope: np.ndarray, codes: np.ndarray) -> np.ndarray:
    codes, first = number(codes.astype(np.int64))
    clusters, votes = len(first), len(codes)
    indicator = csr_array((slope[:, 0], (codes, np.arange(votes))), shape=(clusters, votes))
    own = [np.bincount(codes, column, clusters) for column in slope[:, 1:].T]
    sums = np.column_stack([indicator @ contrasts, *own]) if own else indicator @ contrasts
    return sums.T @ sums * (clusters / (clusters - 1) if clusters > 1 else 1.0)
