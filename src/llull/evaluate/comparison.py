"""Is one model enough, and for whom not? Two models on the same pairs, and the difference pair by pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from llull.errors import InputError
from llull.evaluate.evaluation import ALL, Evaluation, Slice
from llull.evaluate.intervals import LEVEL, Estimate, mean_interval
from llull.evaluate.metrics import METRICS, accuracy_values
from llull.evaluate.validation import Predictor, cross_validate, model_name
from llull.judgments import Preferences

DIFFERED = ("accuracy", "log_loss", "brier")
"""Metrics that are means over pairs, and so can be differed pair by pair."""


@dataclass(frozen=True)
class Difference:
    """How much a metric changes from one model to another, on one part of the pairs."""

    by: str
    name: str
    metric: str
    first: str
    second: str
    change: Estimate
    """Metric of the second minus metric of the first, paired, with an interval clustered by context."""

    @property
    def verdict(self) -> str:
        """The name of the better model, or an empty string where the interval holds zero."""
        change = self.change
        if not (change.low > 0 or change.high < 0):
            return ""
        rises_to_better = METRICS[self.metric].best > 0
        return self.second if (change.low > 0) == rises_to_better else self.first

    def to_dict(self) -> dict[str, Any]:
        """The difference for JSON."""
        where = {"by": self.by, "name": self.name, "metric": self.metric}
        return {**where, "first": self.first, "second": self.second, **self.change.to_dict(), "better": self.verdict}


@dataclass(frozen=True)
class Comparison:
    """Evaluations of several models on the same pairs, and the differences of each from the first."""

    evaluations: tuple[Evaluation, ...]
    differences: tuple[Difference, ...]

    def to_dict(self) -> dict[str, Any]:
        """The comparison for JSON."""
        return {
            "models": [evaluation.to_dict() for evaluation in self.evaluations],
            "differences": [difference.to_dict() for difference in self.differences],
        }

    def table(self) -> Table:
        """Accuracy of each model on each part, with the paired difference from the first."""
        first, *others = self.evaluations
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        table.caption = f"Paired differences; intervals are clustered by {first.predictions.clustered_by}."
        table.caption_justify = "left"
        table.add_column("accuracy on pairs of", overflow="fold")
        for evaluation in self.evaluations:
            table.add_column(evaluation.model, justify="right")
        for other in others:
            table.add_column(f"{other.model} minus {first.model}", justify="right")
        found = {(d.by, d.name, d.second): d for d in self.differences if d.metric == "accuracy"}
        for part in first.slices:
            row = ["all" if part.by == ALL else f"{part.by} = {part.name}"]
            row += [f"{_same(e, part)['accuracy'].value:.3f}" for e in self.evaluations]
            for other in others:
                change = found[part.by, part.name, other.model].change
                row.append(f"{change.value:+.3f} ({change.low:+.3f} to {change.high:+.3f})")
            table.add_row(*row)
        return table


def compare(
    preferences: Preferences,
    models: Sequence[Predictor] | Mapping[str, Predictor],
    *,
    by: str | Sequence[str] = (),
    folds: int = 5,
    seed: int = 0,
    level: float = LEVEL,
) -> Comparison:
    """Cross-validate several kinds of model on the same folds and say where they differ.

    Args:
        preferences: the judgments.
        models: by name, or in a list to be named after their classes. What they have learned is not used.
        by: groups, columns or tags to part the pairs by.
        folds: how many.
        seed: of the folds.
        level: of the intervals.

    Raises:
        InputError: there are fewer than two models, or they read the judgments as different pairs.
    """
    named = dict(models) if isinstance(models, Mapping) else _named(models)
    if len(named) < 2:
        raise InputError("comparing needs at least two models")
    keys = [by] if isinstance(by, str) else list(by)
    evaluations = tuple(
        cross_validate(model, preferences, folds=folds, by=keys, seed=seed, name=name, level=level)
        for name, model in named.items()
    )
    return compared(evaluations)


def compared(evaluations: Sequence[Evaluation]) -> Comparison:
    """Set evaluations side by side that were made on the same pairs.

    Raises:
        InputError: they were not.
    """
    first, *others = evaluations
    differences = [d for other in others for d in paired_differences(first, other)]
    return Comparison(tuple(evaluations), tuple(differences))


def paired_differences(first: Evaluation, second: Evaluation) -> tuple[Difference, ...]:
    """What changes from the first model to the second, on all pairs and on each part.

    The difference is taken pair by pair before it is averaged, so what makes a pair hard for both cancels.

    Raises:
        InputError: the two were not measured on the same pairs.
    """
    mine, theirs = first.predictions, second.predictions
    columns = ("judgment", "winner", "loser")
    if not all(np.array_equal(getattr(mine.pairs, name), getattr(theirs.pairs, name)) for name in columns):
        raise InputError(f"{first.model} and {second.model} were measured on different pairs and cannot be compared")
    found = []
    for metric in DIFFERED:
        values = METRICS[metric].values
        assert values is not None
        change = values(theirs.prob, mine.outcome) - values(mine.prob, mine.outcome)
        for part in first.slices:
            at = mine.within(part.by, part.name)
            interval = mean_interval(change[at], mine.cluster[at], mine.pairs.weight[at], level=first.level)
            found.append(Difference(part.by, part.name, metric, first.model, second.model, interval))
    return tuple(found)


def lead_over_rule(evaluation: Evaluation, by: str = ALL, name: str = "") -> tuple[str, Estimate]:
    """The best simple rule on one part, and by how much the model's accuracy exceeds it, pair by pair.

    The rule was picked for doing best on these very pairs, which favors it a little.
    """
    rule, _ = evaluation.best_baseline(by, name)
    seen = evaluation.predictions
    at = seen.within(by, name)
    change = accuracy_values(seen.prob[at], seen.outcome[at]) - accuracy_values(seen.rules[rule][at], seen.outcome[at])
    return rule, mean_interval(change, seen.cluster[at], seen.pairs.weight[at], level=evaluation.level)


def _named(models: Sequence[Predictor]) -> dict[str, Predictor]:
    names = [model_name(model) for model in models]
    return {
        name if names.count(name) == 1 else f"{name} {number}": model
        for number, (name, model) in enumerate(zip(names, models, strict=True), 1)
    }


def _same(evaluation: Evaluation, part: Slice) -> Slice:
    return next(other for other in evaluation.slices if (other.by, other.name) == (part.by, part.name))
