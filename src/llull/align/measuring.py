"""What is watched while a model is trained: accuracy, margins, drift, length, loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from llull.evaluate.intervals import Estimate, mean_interval
from llull.objectives.batch import MAIN, ROUNDING, ListUnits, PairUnits, SingleUnits, Units


@dataclass(frozen=True)
class OptionValues:
    """What policy and reference say of n options."""

    policy: np.ndarray
    """float64 [n]: summed log-probabilities (or rewards)."""
    reference: np.ndarray
    """float64 [n]"""
    length: np.ndarray
    """float64 [n]: scored tokens."""

    @property
    def reward(self) -> np.ndarray:
        """float64 [n]: the implicit reward, up to beta."""
        return self.policy - self.reference


METRICS: Mapping[str, str] = {
    "accuracy": "share of judgments whose better option has the higher implicit reward; equal ones count half",
    "likelihood_accuracy": "share of judgments whose better option is the likelier one per token",
    "margin": "mean difference of the options' log-ratios to the reference, in nats",
    "chosen_drift": "mean log-ratio of the better options to the reference, in nats",
    "rejected_drift": "mean log-ratio of the worse options to the reference, in nats",
    "chosen_log_prob": "mean log-probability of the better options per token, in nats",
    "longer_preferred": "share of judgments whose longer option has the higher implicit reward",
    "loss": "the objective, over the evaluation set",
}
"""Every metric and what it means."""


def measure(values: OptionValues, units: Mapping[str, Units]) -> dict[str, float]:
    """The metrics of `METRICS`, but for the loss, over some judgments."""
    weight = decided(units[MAIN])[2]
    found = {}
    for name, each in each_pair(values, units).items():
        share = weight * ~np.isnan(each)
        if share.sum() > 0:
            found[name] = float(np.nansum(each * weight) / share.sum())
    return found


def estimate(values: OptionValues, units: Mapping[str, Units], context: np.ndarray) -> dict[str, Estimate]:
    """The same with intervals that treat contexts as what was drawn.

    Args:
        values: of the options.
        units: the judgments.
        context: int [n], the context of each option.
    """
    better, _, weight = decided(units[MAIN])
    return {
        name: mean_interval(each, context[better], weight, share=name in _SHARES)
        for name, each in each_pair(values, units).items()
        if not np.isnan(each).all()
    }


def estimate_change(
    before: OptionValues, after: OptionValues, units: Mapping[str, Units], context: np.ndarray
) -> dict[str, Estimate]:
    """By how much the metrics change, judgment by judgment, with intervals; arguments as in `estimate`."""
    better, _, weight = decided(units[MAIN])
    first, second = each_pair(before, units), each_pair(after, units)
    return {name: mean_interval(second[name] - first[name], context[better], weight) for name in first}


_SHARES = ("accuracy", "likelihood_accuracy", "longer_preferred")


def each_pair(values: OptionValues, units: Mapping[str, Units]) -> dict[str, np.ndarray]:
    """What the metrics are means of: float64 [pairs] of `decided`; NaN where a pair says nothing."""
    better, worse, _ = decided(units[MAIN])
    # Sums of float32 numbers differ in their last digits with what else was in the row; that is no preference.
    noise = ROUNDING * (np.abs(values.policy) + np.abs(values.reference))
    reward, per_token = values.reward, values.policy / np.maximum(values.length, 1)
    gap = reward[better] - reward[worse]
    clear = np.where(np.abs(gap) > noise[better] + noise[worse], gap, 0.0)
    longer = np.sign(values.length[better] - values.length[worse])
    return {
        "accuracy": _wins(clear),
        "likelihood_accuracy": _wins(per_token[better] - per_token[worse]),
        "margin": gap,
        "chosen_drift": reward[better],
        "rejected_drift": reward[worse],
        "chosen_log_prob": per_token[better],
        "longer_preferred": np.where(longer == 0, np.nan, _wins(clear * longer)),
    }


def decided(units: Units) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of options that units set in order: better, worse (int64), weight (float64), all [pairs].

    A ranking gives all its pairs, which share its weight; options judged alone are set against each other, the first
    accepted one against the first rejected one, and so on.
    """
    weight = units.weight.double().numpy()
    if isinstance(units, PairUnits):
        keep = ~units.tie.numpy()
        return units.chosen.numpy()[keep], units.rejected.numpy()[keep], weight[keep]
    if isinstance(units, ListUnits):
        return _listed(units, weight)
    if isinstance(units, SingleUnits):
        accepted = units.option.numpy()[units.accept.numpy() > 0.5]
        rejected = units.option.numpy()[units.accept.numpy() <= 0.5]
        pairs = min(len(accepted), len(rejected))
        return accepted[:pairs], rejected[:pairs], np.ones(pairs)
    options = units.options.numpy()
    return options[:, 0], options[:, 1], weight


def _listed(units: ListUnits, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    option, tier = units.option.numpy(), units.tier.numpy()
    first, second = np.triu_indices(option.shape[1], 1)
    ordered = (tier[:, first] >= 0) & (tier[:, second] >= 0) & (tier[:, first] != tier[:, second])
    row, pair = np.nonzero(ordered)
    left, right = first[pair], second[pair]
    swap = tier[row, left] > tier[row, right]
    better, worse = np.where(swap, right, left), np.where(swap, left, right)
    share = weight / np.maximum(ordered.sum(axis=1), 1)
    return option[row, better], option[row, worse], share[row]


def _wins(gap: np.ndarray) -> np.ndarray:
    return (gap > 0) + 0.5 * (gap == 0)


def as_numpy(values: Tensor) -> np.ndarray:
    """float64, on the CPU."""
    return values.detach().to("cpu", torch.float64).numpy()
