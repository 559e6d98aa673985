"""Covariance of fitted weights when votes of one annotator, or on one context, are not independent."""

from __future__ import annotations

import numpy as np

from llull.judgments.columns import number
from llull.models.votes import Votes, blocks


def clusterings(votes: Votes) -> list[np.ndarray]:
    """The ways in which these votes are grouped: by annotator and by context, each as codes [n].

    A clustering with fewer than two clusters says nothing and is left out. A vote without a known annotator
    counts as an annotator of its own; where none is known, votes are not grouped by annotator. If neither
    clustering is left, the clusters are the judgments.
    """
    ways = []
    if (votes.annotator >= 0).any():
        alone = votes.annotator.max() + 1 + votes.judgment
        ways.append(np.where(votes.annotator >= 0, votes.annotator, alone))
    ways.append(votes.context)
    ways = [codes for codes in ways if len(codes) and (codes != codes[0]).any()]
    return ways or [votes.judgment]


def clustered_covariance(scores: np.ndarray, bread: np.ndarray, ways: list[np.ndarray]) -> np.ndarray:
    """Sandwich covariance [p, p], clustered in one or two ways at once.

    One way is bread (sum over clusters of s s^T) bread * G / (G - 1), with s the sum of a cluster's scores and
    G the number of clusters. Two ways are V_a + V_b - V_ab, with V_ab clustered by both together (Cameron,
    Gelbach and Miller, 2011, equation 2.11); if that is not positive semidefinite, its negative
    eigenvalues become 0, as they propose.

    Args:
        scores: float64 [n, p], the gradient of each vote.
        bread: float64 [p, p], the inverse of the Hessian.
        ways: one or two arrays of cluster codes [n].
    """
    meat = _meat(scores, ways[0])
    if len(ways) == 2:
        both = ways[0].astype(np.int64) * (int(ways[1].max()) + 1) + ways[1]
        meat = meat + _meat(scores, ways[1]) - _meat(scores, both)
    covariance = bread @ meat @ bread
    if len(ways) == 2:
        values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
        covariance = (vectors * np.maximum(values, 0)) @ vectors.T
    return covariance


def _meat(scores: np.ndarray, codes: np.ndarray) -> np.ndarray:
    codes, first = number(codes.astype(np.int64))
    clusters = len(first)
    if clusters < len(codes):
        order = np.argsort(codes, kind="stable")
        starts = np.searchsorted(codes[order], np.arange(clusters))
        sums = np.add.reduceat(scores[order], starts, axis=0)
    else:
        sums = scores
    total = np.zeros((scores.shape[1], scores.shape[1]))
    for block in blocks(len(sums), sums.shape[1]):
        total += sums[block].T @ sums[block]
    return total * (clusters / (clusters - 1)) if clusters > 1 else total
