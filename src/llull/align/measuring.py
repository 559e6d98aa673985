"""What is watched while a model is trained: accuracy, margins, drift, length, loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from llull.objectives.batch import MAIN, ListUnits, PairUnits, SingleUnits, Units


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
    better, worse, weight = decided(units[MAIN])
    if not len(better):
        return {}
    reward, per_token = values.reward, values.policy / np.maximum(values.length, 1)
    longer = np.sign(values.length[better] - values.length[worse])
    told = longer != 0

    def mean(of: np.ndarray, where: np.ndarray | slice = slice(None)) -> float:
        share = weight[where]
        return float((of[where] * share).sum() / share.sum()) if share.sum() > 0 else float("nan")

    gap = reward[better] - reward[worse]
    found = {
        "accuracy": mean(_wins(gap)),
        "likelihood_accuracy": mean(_wins(per_token[better] - per_token[worse])),
        "margin": mean(gap),
        "chosen_drift": mean(reward[better]),
        "rejected_drift": mean(reward[worse]),
        "chosen_log_prob": mean(per_token[better]),
    }
    if told.any():
        found["longer_preferred"] = mean(_wins(gap * longer), told)
    return found


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
