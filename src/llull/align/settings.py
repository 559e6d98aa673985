"""How a model is trained: everything but what it learns from and by which objective."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, sqrt
from typing import Literal

from llull.errors import InputError

Precision = Literal["float32", "bf16"]
Schedule = Literal["constant", "linear", "cosine"]


@dataclass(frozen=True)
class Training:
    """Settings of a training.

    Args:
        batch_size: judgments of one update.
        epochs: how often each judgment is seen.
        learning_rate: peak of the schedule; if not given, by the number of parameters (`suggested_rate`), and printed.
        schedule: how the rate falls after the warm-up.
        warmup: share of the updates over which it rises.
        weight_decay: of AdamW.
        max_grad_norm: gradients longer than this are shortened to it.
        token_budget: tokens that go through the model at once; 2,048 on a CPU, 16,384 on a GPU if not given. The
            result does not depend on it.
        precision: of the arithmetic; weights and log-probabilities are float32 in both.
        gradient_checkpointing: compute activations twice instead of keeping them.
        evaluate_every: updates between evaluations; a tenth of the training if not given, 0 for only at both ends.
        save_every: updates between checkpoints; as evaluate_every if not given.
        patience: stop after so many evaluations without a better one; never if not given.
        best_by: metric by which the best checkpoint is kept.
        seed: of all randomness.
        trackers: names known to accelerate, such as tensorboard or wandb.
    """

    batch_size: int = 64
    epochs: float = 1.0
    learning_rate: float | None = None
    schedule: Schedule = "linear"
    warmup: float = 0.1
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    token_budget: int | None = None
    precision: Precision = "float32"
    gradient_checkpointing: bool = False
    evaluate_every: int | None = None
    save_every: int | None = None
    patience: int | None = None
    best_by: str = "accuracy"
    seed: int = 0
    trackers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("batch_size", "epochs", "max_grad_norm"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} must be positive, not {getattr(self, name):g}")
        if not 0 <= self.warmup <= 1:
            raise InputError(f"warmup is a share of the updates, between 0 and 1, not {self.warmup:g}")

    def rate(self, update: int, updates: int, peak: float) -> float:
        """Learning rate of update ``update`` (from 0) of ``updates``.

        >>> [round(Training(warmup=0.2).rate(i, 10, 1.0), 3) for i in (0, 1, 2, 6, 9)]
        [0.5, 1.0, 1.0, 0.5, 0.125]
        """
        rising = round(self.warmup * updates)
        if update < rising:
            return peak * (update + 1) / rising
        if self.schedule == "constant":
            return peak
        left = (updates - update) / max(updates - rising, 1)
        return peak * (left if self.schedule == "linear" else 0.5 * (1 - cos(pi * left)))


def suggested_rate(parameters: int, learned: int) -> float:
    """A learning rate for a policy: 5e-7 at 8e9 parameters, growing with the root of their number's inverse, to 1e-3.

    Adapters, which are less than a tenth of the parameters, take ten times as much. It is where published settings lie
    (5e-7 for 7 to 8 billion parameters, 1e-6 to 5e-6 for half a billion), no optimum.

    Args:
        parameters: of the whole policy.
        learned: of those, how many learn.
    """
    rate = 5e-7 * sqrt(8e9 / max(parameters, 1)) * (10 if learned < parameters / 10 else 1)
    return min(rate, 1e-3)
