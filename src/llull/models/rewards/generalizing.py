"""Networks that keep telling options apart where a policy has moved: contrastive and meta-learned terms."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from llull.errors import InputError
from llull.judgments import Preferences
from llull.judgments.views import Options, Pairs
from llull.models.fitting.learning import is_learning, learn, torch_or_error
from llull.models.heads.head import Hidden
from llull.models.heads.mlp import MLP
from llull.models.links.link import Link
from llull.models.model import PreferenceModel
from llull.models.votes import Sides, Votes

_WEIGHTS = "weights"
_DRAWN = 256
"""Pairs of samples in each step."""


@dataclass(frozen=True)
class Generalizing:
    """What is asked of a network beside predicting judgments (Wang et al., Secrets of RLHF part II, 2024).

    Args:
        contrastive: weight of InfoNCE between two views of each judgment's difference of units, each with other units
            left out; needs a head with dropout.
        temperature: of InfoNCE.
        meta: length of a step that spreads the rewards of a policy's samples, after which the judgments' gradient is
            taken: weights are looked for from which such a step does not hurt. Second derivatives are left out.
    """

    contrastive: float = 0.0
    temperature: float = 0.1
    meta: float = 0.0

    def __post_init__(self) -> None:
        if self.contrastive < 0 or self.meta < 0 or not self.temperature > 0:
            raise InputError("contrastive and meta must not be negative, and the temperature must be above 0")


def fit_generalizing(
    model: PreferenceModel,
    preferences: Preferences | Pairs,
    how: Generalizing,
    samples: Options | None = None,
) -> PreferenceModel:
    """A new model with the network of `Generalizing`; this one is left as it is.

    The spread of samples y_i of a context is J = mean over i < j of sigmoid(|r_i - r_j|), and the gradient of the loss
    is taken at w + meta * grad J (MetaRM, first order).

    Args:
        model: with the head `MLP`.
        preferences: judgments.
        how: weights of the terms.
        samples: options of a policy without judgments, several for each context; needed by ``meta``.

    Raises:
        InputError: the model's head is no `MLP`, or a term lacks what it needs.
    """
    head = model.head
    if not isinstance(head, MLP):
        raise InputError(f"the head {type(head).__name__} has no units to generalize; use MLP")
    if how.contrastive and head.dropout == 0:
        raise InputError("two views of a judgment differ by what is left out; use MLP(dropout=0.1)")
    if how.meta and samples is None:
        raise InputError("meta needs samples of the policy")
    new = copy.copy(model)
    fresh = None if samples is None or not how.meta else _Samples(new, samples)
    new.head = _Told(head.hidden, head.learning, head.dropout, how, fresh)
    new.fit(preferences)
    new.head = head
    return new


class _Samples:
    """Pairs of options of one context, in the units of a model's fit, which is known only while it lasts."""

    def __init__(self, model: PreferenceModel, options: Options) -> None:
        self.model, self.options = model, options
        order = np.argsort(options.context, kind="stable")
        groups = np.split(order, np.flatnonzero(np.diff(options.context[order])) + 1)
        both = [np.stack(np.triu_indices(len(group), 1)) for group in groups]
        found = [group[pair] for group, pair in zip(groups, both, strict=True)]
        self.pairs = np.concatenate(found, axis=1)
        if self.pairs.shape[1] == 0:
            raise InputError("no context has two samples; rewards of one cannot be told apart")

    def rows(self) -> np.ndarray:
        """Standardized features [m, d]."""
        return self.model.scaling_.apply(self.model.encoder_.encode(self.options))


@dataclass(frozen=True)
class _Told(MLP):
    """A network that learns with the terms."""

    how: Generalizing = field(default_factory=Generalizing)
    samples: _Samples | None = None

    def learn(self, votes: Votes, link: Link, seed: int) -> Hidden:
        """Learn from votes, with the terms added."""
        torch = torch_or_error()
        random = np.random.default_rng(seed)
        rows = None if self.samples is None else torch.from_numpy(self.samples.rows()).float()
        seen: list[Sides] = []

        def start(random: np.random.Generator) -> Hidden:
            width = self.hidden[-1]
            return {**self.start(votes.rows.shape[1], 0, random), _WEIGHTS: random.normal(size=width) * width**-0.5}

        def margin(learned: dict[str, Any], sides: Sides, which: np.ndarray) -> Any:
            if is_learning():
                seen[:] = [sides]
                if rows is not None and self.samples is not None:
                    learned = self._moved(learned, rows, self.samples.pairs, random)
            return self.contrast(learned, sides) @ learned[_WEIGHTS]

        def penalty(learned: dict[str, Any]) -> Any:
            views = [self.contrast(learned, seen[0]) for _ in range(2)]
            first, second = (torch.nn.functional.normalize(view, dim=1) for view in views)
            alike = first @ second.T / self.how.temperature
            return self.how.contrastive * torch.nn.functional.cross_entropy(alike, torch.arange(len(alike)))

        term = penalty if self.how.contrastive else None
        found = learn(start, margin, votes, link, seed, self.learning, penalty=term).arrays
        return {name: array for name, array in found.items() if name != _WEIGHTS}

    def _moved(self, learned: dict[str, Any], rows: Any, pairs: np.ndarray, random: np.random.Generator) -> Any:
        """The arrays after a step that spreads the rewards of samples."""
        import torch

        first, second = pairs[:, random.integers(pairs.shape[1], size=_DRAWN)]
        gap = self.contrast(learned, Sides(rows[first], rows[second])) @ learned[_WEIGHTS]
        spread = gap.abs().sigmoid().mean()
        slopes = torch.autograd.grad(spread, list(learned.values()))
        return {
            name: array + self.how.meta * slope for (name, array), slope in zip(learned.items(), slopes, strict=True)
        }
