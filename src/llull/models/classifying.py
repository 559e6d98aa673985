"""A classifier that also learns from which of two texts shows a label more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from llull.encoders import Encoder
from llull.errors import InputError
from llull.judgments import Preferences
from llull.judgments.views import Options, Pairs
from llull.models.fitting.learning import torch_or_error


@dataclass
class PreferenceClassifier:
    """Labels of options, learned from labels and from comparisons under a label (P2C, Kim et al., 2023).

    A shared layer of rectified units carries the classifier and a few scorers, each of which says in (-1, 1) how far an
    option shows a label. A comparison says that of two options with one label the first shows it more. To the
    cross-entropy of the labels are added

        preference * mean over scorers of CE(sigmoid(r_1 - r_2), answer)
      + consistency * how far p(label | first) - p(label | second) goes against the answer
      - diversity * cross-entropy between scorers

    (ties aim at 1/2 and at equal probabilities). Comparisons say where within a label an option is, of which labels say
    nothing; comparisons that mean nothing do harm.

    Args:
        features: any encoder.
        units: of the shared layer.
        scorers: heads for comparisons.
        preference: weight of the comparisons' own loss.
        consistency: weight of the classifier's agreement with them.
        diversity: weight of the scorers' difference; small, since it has no bound.
        epochs: steps of Adam over everything.
        learning_rate: of Adam.
        weight_decay: of Adam.
        seed: of the start.
    """

    features: Encoder
    units: int = 64
    scorers: int = 3
    preference: float = 1.0
    consistency: float = 1.0
    diversity: float = 0.1
    epochs: int = 200
    learning_rate: float = 1e-2
    weight_decay: float = 1e-2
    seed: int = 0
    labels_: tuple[str, ...] = field(default=(), init=False)
    """The labels known, in the order of `prob`'s columns."""
    arrays_: dict[str, np.ndarray] = field(default_factory=dict, init=False, repr=False)

    def fit(
        self, options: Options, labels: Sequence[str], comparisons: Preferences | Pairs | None = None
    ) -> PreferenceClassifier:
        """Learn; returns the classifier itself.

        Args:
            options: with a label each.
            labels: one for each option.
            comparisons: judgments whose criterion is the label that their options share; the preferred one shows it
                more. None to learn from labels alone.

        Raises:
            InputError: labels do not fit the options, or no comparison is under a label that is known.
        """
        torch = torch_or_error()
        if len(labels) != len(options):
            raise InputError(f"{len(labels)} labels for {len(options)} options; give one for each")
        self.labels_ = tuple(sorted(set(labels)))
        if len(self.labels_) < 2:
            raise InputError(f"all options are {labels[0] if len(labels) else 'without a label'}; give two labels")
        self.encoder_ = self.features.fit(options)
        raw = self.encoder_.encode(options).astype(np.float64)
        center, scale = raw.mean(axis=0), raw.std(axis=0)
        self.arrays_ = {"center": center, "scale": np.where(scale > 0, scale, 1.0)}
        rows = torch.from_numpy(self._rows(options)).float()
        target = torch.tensor([self.labels_.index(label) for label in labels])
        compared = None if comparisons is None else self._compared(comparisons)
        arrays = self._start(rows.shape[1])
        learned = {name: torch.from_numpy(array).float().requires_grad_() for name, array in arrays.items()}
        adam = torch.optim.AdamW(learned.values(), lr=self.learning_rate, weight_decay=self.weight_decay)
        for _ in range(self.epochs):
            adam.zero_grad()
            logits = _shown(learned, rows) @ learned["classes"] + learned["class_bias"]
            loss = torch.nn.functional.cross_entropy(logits, target)
            if compared is not None:
                loss = loss + self._comparing(learned, *compared)
            loss.backward()
            adam.step()
        self.arrays_ |= {name: array.detach().double().numpy() for name, array in learned.items()}
        return self

    def prob(self, options: Options) -> np.ndarray:
        """Probability of each of ``labels_``: float64 [m, labels]."""
        if not self.arrays_:
            raise InputError("this classifier is not fitted yet; call fit first")
        scores = _shown(self.arrays_, self._rows(options)) @ self.arrays_["classes"] + self.arrays_["class_bias"]
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        return scores / scores.sum(axis=1, keepdims=True)

    def predict(self, options: Options) -> list[str]:
        """The most likely label of each option."""
        return [self.labels_[code] for code in self.prob(options).argmax(axis=1)]

    def contested(self, comparisons: Preferences | Pairs) -> np.ndarray:
        """How far scorers disagree on each comparison under a known label, for choosing what to ask: float64 [n].

        The largest difference between two scorers' probabilities; NaN where the label is not known.
        """
        pairs = comparisons if isinstance(comparisons, Pairs) else comparisons.pairs()
        first, second, label, _, known = self._sides(pairs)
        margin = _score(self.arrays_, first, label) - _score(self.arrays_, second, label)
        prob = 1 / (1 + np.exp(-margin))
        found = np.full(len(pairs), np.nan)
        found[known] = prob.max(axis=1) - prob.min(axis=1)
        return found

    def _rows(self, options: Options) -> np.ndarray:
        return (self.encoder_.encode(options).astype(np.float64) - self.arrays_["center"]) / self.arrays_["scale"]

    def _start(self, width: int) -> dict[str, np.ndarray]:
        random, classes = np.random.default_rng(self.seed), len(self.labels_)
        return {
            "enter": random.normal(size=(width, self.units)) * (2 / width) ** 0.5,
            "enter_bias": np.zeros(self.units),
            "classes": random.normal(size=(self.units, classes)) * self.units**-0.5,
            "class_bias": np.zeros(classes),
            "scorers": random.normal(size=(classes, self.units, self.scorers)) * self.units**-0.5,
        }

    def _sides(self, pairs: Pairs) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Rows of both options, label and answer of pairs under a known label, and which of all pairs these are."""
        code = np.array([self.labels_.index(name) if name in self.labels_ else -1 for name in pairs.criteria] + [-1])
        label = code[pairs.criterion]
        known = label >= 0
        if not known.any():
            raise InputError(f"no comparison has a label as its criterion; labels are {', '.join(self.labels_)}")
        rows = self._rows(pairs.options)
        answer = np.where(pairs.tie, 0.5, 1.0)[known]
        return rows[pairs.winner[known]], rows[pairs.loser[known]], label[known], answer, known

    def _compared(self, comparisons: Preferences | Pairs) -> tuple[Any, Any, np.ndarray, Any]:
        import torch

        pairs = comparisons if isinstance(comparisons, Pairs) else comparisons.pairs()
        first, second, label, answer, _ = self._sides(pairs)
        one, other = (torch.from_numpy(np.ascontiguousarray(rows)).float() for rows in (first, second))
        return one, other, label, torch.from_numpy(answer).float()

    def _comparing(self, learned: dict[str, Any], first: Any, second: Any, label: np.ndarray, answer: Any) -> Any:
        """What comparisons add to the loss."""
        import torch

        margin = _score(learned, first, label) - _score(learned, second, label)
        said = torch.nn.functional.binary_cross_entropy_with_logits(
            margin, answer[:, None].expand_as(margin), reduction="mean"
        )
        at = torch.from_numpy(label)
        probs = [
            (_shown(learned, rows) @ learned["classes"] + learned["class_bias"]).softmax(-1)[range(len(label)), at]
            for rows in (first, second)
        ]
        gap = probs[0] - probs[1]
        against = torch.where(answer == 1.0, (-gap).clamp(min=0), gap.abs()).mean()
        return self.preference * said + self.consistency * against - self.diversity * _apart(margin)


def _shown(arrays: dict[str, Any], rows: Any) -> Any:
    """The shared layer's units [n, units]."""
    return (rows @ arrays["enter"] + arrays["enter_bias"]).clip(0)


def _score(arrays: dict[str, Any], rows: Any, label: np.ndarray) -> Any:
    """How far each option shows its label, by each scorer: [n, scorers]."""
    units = _shown(arrays, rows)
    own = arrays["scorers"][label]
    found = (units[:, :, None] * own).sum(1)
    return np.tanh(found) if isinstance(found, np.ndarray) else found.tanh()


def _apart(margin: Any) -> Any:
    """Mean cross-entropy of every scorer from every other one, whose answer is taken as given."""
    import torch

    count = margin.shape[1]
    if count < 2:
        return margin.new_zeros(())
    given = margin.detach().sigmoid()
    total = margin.new_zeros(())
    for one in range(count):
        others = [other for other in range(count) if other != one]
        held = given[:, one : one + 1].expand(-1, count - 1)
        total = total + torch.nn.functional.binary_cross_entropy_with_logits(margin[:, others], held)
    return total / count
