"""From probabilities to an evaluation: every metric, on all pairs and on each part of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from llull.errors import InputError
from llull.evaluate.calibration import reliability_curve
from llull.evaluate.evaluation import ALL, UNLABELED, Evaluation, Predictions, Slice, Worst
from llull.evaluate.intervals import LEVEL
from llull.evaluate.metrics import METRICS
from llull.judgments import Preferences
from llull.judgments.columns import encode
from llull.judgments.views import Pairs

ENOUGH_CONTEXTS = 20
"""Contexts that a part needs to be called the worst; of very small parts, one is always bad by chance."""


def clusters(preferences: Preferences) -> np.ndarray:
    """int64 [number of judgments]: what intervals are clustered by.

    That is the context; where it is empty, as for votes between named items, the annotator; where that is unknown
    too, the judgment itself.
    """
    contexts, annotators = encode(preferences.table["context_id"]), encode(preferences.table["annotator"])
    empty = contexts.names.index("") if "" in contexts.names else -1
    by_annotator = len(contexts.names) + annotators.codes.astype(np.int64)
    own = len(contexts.names) + len(annotators.names) + np.arange(len(contexts.codes))
    without = np.where(annotators.codes >= 0, by_annotator, own)
    return np.where(contexts.codes == empty, without, contexts.codes)


def cluster_noun(preferences: Preferences) -> str:
    """What `clusters` goes by, in a word: of judgments with contexts, of others with annotators, and of the rest."""
    if set(encode(preferences.table["context_id"]).names) != {""}:
        return "context"
    return "annotator" if encode(preferences.table["annotator"]).names else "judgment"


def held_out_noun(preferences: Preferences) -> str:
    """What a split holds out whole, in words (see `llull.judgments.blocks`)."""
    if set(encode(preferences.table["context_id"]).names) != {""}:
        return "whole contexts"
    return "whole sets of options" if preferences.pairs().options.have_text else "single votes"


Labeled = dict[str, tuple[np.ndarray, tuple[str, ...]]]


def pair_labels(preferences: Preferences, pairs: Pairs, by: Sequence[str]) -> Labeled:
    """For each key, the code of each pair and the names that codes index.

    Raises:
        InputError: the judgments have no such group, column or tag.
    """
    found = {}
    for key in by:
        try:
            labels = preferences.labels(key)
        except ValueError as fault:
            raise InputError(f"cannot measure by {key!r}: {fault}") from None
        found[key] = (labels.codes[pairs.judgment], labels.names)
    return found


def measure(
    predictions: Predictions,
    *,
    model: str,
    protocol: str,
    level: float = LEVEL,
) -> Evaluation:
    """Score predictions, and the choices of rules beside them.

    Args:
        predictions: of the model and of the rules.
        model: what to call the model.
        protocol: how the pairs were held out, in words.
        level: of the intervals.

    Raises:
        InputError: there is no pair, or a probability is not one.
    """
    if len(predictions.pairs) == 0:
        raise InputError("there is nothing to measure on: no judgment sets two options in order or in a tie")
    if not ((predictions.prob >= 0) & (predictions.prob <= 1)).all():
        raise InputError(f"{model} gave something that is not a probability between 0 and 1")
    parts = _parts(predictions)
    baselines = {
        rule: tuple(_slice(predictions, choice, *part, level=level, probabilities=False) for part in parts)
        for rule, choice in predictions.rules.items()
    }
    pairs = predictions.pairs
    return Evaluation(
        model=model,
        protocol=protocol,
        slices=tuple(_slice(predictions, predictions.prob, *part, level=level) for part in parts),
        baselines=baselines,
        worst=tuple(worst for key in predictions.labels if (worst := _worst(predictions, parts, key, level))),
        reliability=reliability_curve(
            predictions.prob, predictions.outcome, pairs.weight, predictions.cluster, level=level
        ),
        predictions=predictions,
        level=level,
    )


_Part = tuple[str, str, np.ndarray]


def _parts(predictions: Predictions) -> list[_Part]:
    parts: list[_Part] = [(ALL, "", np.arange(len(predictions.pairs)))]
    for key, (codes, names) in predictions.labels.items():
        order = np.argsort(codes, kind="stable")
        found, start = np.unique(codes[order], return_index=True)
        held = zip(found, np.split(order, start[1:]), strict=True)
        named = {UNLABELED if code < 0 else names[code]: at for code, at in held}
        parts += [(key, name, named[name]) for name in sorted(named, key=lambda name: (name == UNLABELED, name))]
    return parts


def _slice(
    predictions: Predictions,
    prob: np.ndarray,
    by: str,
    name: str,
    at: np.ndarray,
    *,
    level: float,
    probabilities: bool = True,
) -> Slice:
    inside, outcome = prob[at], predictions.outcome[at]
    cluster, weight = predictions.cluster[at], predictions.pairs.weight[at]
    scores = {
        metric.name: metric.estimate(inside, outcome, weight, cluster, level=level)
        for metric in METRICS.values()
        if probabilities or not metric.needs_probabilities
    }
    return Slice(
        by=by,
        name=name,
        n_pairs=len(at),
        n_ties=int((outcome == 0.5).sum()),
        n_contexts=len(np.unique(cluster)),
        n_undecided=int((inside == 0.5).sum()),
        scores=scores,
    )


def _worst(predictions: Predictions, parts: Sequence[_Part], key: str, level: float) -> Worst | None:
    """The least accurate part of those with enough contexts of decided pairs; None with fewer than two such parts."""
    outcome, weight = predictions.outcome, predictions.pairs.weight
    metric = METRICS["accuracy"]
    mine = {name: at for by, name, at in parts if by == key and name != UNLABELED}
    decided = outcome != 0.5
    large = {
        name: at for name, at in mine.items() if len(np.unique(predictions.cluster[at[decided[at]]])) >= ENOUGH_CONTEXTS
    }
    if len(large) < 2:
        return None
    adjusted = 1 - (1 - level) / len(large)
    measured = {
        name: metric.estimate(predictions.prob[at], outcome[at], weight[at], predictions.cluster[at], level=adjusted)
        for name, at in large.items()
    }
    name = min(measured, key=lambda name: measured[name].value)
    return Worst(key, name, measured[name], len(measured))
