"""The result in words: what the model gets right, for whom, and against which rule."""

from __future__ import annotations

import math

from llull.evaluate import Comparison, Estimate, Evaluation, Slice, lead_over_rule
from llull.evaluate.evaluation import ALL, UNLABELED
from llull.report.content import Report
from llull.report.markup import Markup, element
from llull.report.wording import (
    counted,
    decimal,
    listed,
    percent,
    percent_interval,
    points,
    points_interval,
    turned,
)

_VAGUE = 1.0
"""An interval of the calibration slope as wide as this says nothing worth a sentence."""


def section(report: Report) -> Markup:
    """A first sentence, then a few lines."""
    found = report.main
    lines = [_against_rule(found), *_comparisons(report.comparison), *_parts(found), *_worst(found), _confidence(found)]
    return element(
        "section",
        element("p", _first(found), class_="first"),
        element("ul", *(element("li", line) for line in lines if line)),
        class_="headline",
        aria_label="The result in short",
    )


def _first(found: Evaluation) -> str:
    accuracy = found.overall["accuracy"]
    if not math.isfinite(accuracy.value):
        return "Every pair is a tie, so there is no accuracy to speak of."
    decided = counted(found.overall.n_pairs - found.overall.n_ties, "decided pair")
    close = " This is no better than tossing a coin." if _holds(accuracy, 0.5) else ""
    close = " This is worse than tossing a coin." if accuracy.high < 0.5 else close
    return (
        f"The model picks the preferred option in {percent(accuracy.value)} of {decided} "
        f"({percent_interval(accuracy)}).{close}"
    )


def _against_rule(found: Evaluation) -> str | None:
    if not found.baselines or not math.isfinite(found.overall["accuracy"].value):
        return None
    rule, lead = lead_over_rule(found)
    reached = percent(found.best_baseline()[1]["accuracy"].value)
    what = f"The best simple rule, “{rule}”, reaches {reached}: the model is"
    gap = f"{points(abs(lead.value)).lstrip('+')} points ({points_interval(lead)})"
    if _holds(lead, 0.0):
        return f"{what} not clearly better or worse ({points(lead.value)} points, {points_interval(lead)})."
    return f"{what} {'better' if lead.value > 0 else 'worse'} by {gap}."


def _comparisons(comparison: Comparison | None) -> list[str]:
    if comparison is None:
        return []
    lines = []
    for other in comparison.evaluations[1:]:
        changes = [d for d in comparison.differences if d.metric == "accuracy" and d.second == other.model]
        whole = next(d for d in changes if d.by == ALL)
        gains = [d.name for d in changes if d.by != ALL and d.verdict == whole.first]
        losses = [d.name for d in changes if d.by != ALL and d.verdict == whole.second]
        reached = percent(other.overall["accuracy"].value)
        # Differences are second minus first; the sentence is about the first.
        change = f"{points(turned(whole.change).value)} points, {points_interval(turned(whole.change))}"
        how = {whole.first: "better than", whole.second: "worse than"}.get(whole.verdict, "about as good as")
        line = f"It is {how} the model “{other.model}”, which reaches {reached} ({change})"
        if gains:
            line += f"; better for {listed(gains)}"
        if losses:
            line += f"; worse for {listed(losses)}"
        lines.append(line + ".")
    return lines


def _parts(found: Evaluation) -> list[str]:
    lines = []
    for key in found.keys:
        parts = [p for p in found.by(key) if p.name != UNLABELED and math.isfinite(p["accuracy"].low)]
        if len(parts) < 2:
            continue
        if len(parts) <= 4:
            said = listed([f"{percent(p['accuracy'].value)} for {p.name}" for p in parts])
            lines.append(f"By {key}: {said}.")
        chance = [part.name for part in parts if _at_chance(part)]
        if chance:
            lines.append(f"No better than a coin for {key} {listed(chance)}.")
    return lines


def _worst(found: Evaluation) -> list[str]:
    return [
        f"Least accurate by {worst.by}: {worst.name}, {percent(worst.accuracy.value)} "
        f"({percent_interval(worst.accuracy)}, allowing for the choice among {worst.among})."
        for worst in found.worst
        if worst.among > 2
    ]


def _confidence(found: Evaluation) -> str | None:
    slope = found.overall["calibration_slope"]
    if not slope.high - slope.low < _VAGUE:
        return None
    over = found.overall["overconfidence"]
    if over.low > 0 or (_holds(over, 0.0) and slope.high < 1):
        judged = "It is surer than it should be"
    elif over.high < 0 or slope.low > 1:
        judged = "It is less sure than it could be"
    else:
        judged = "Its probabilities can be taken at face value"
    error = percent(found.overall["ece"].value)
    return f"{judged}: mean calibration error {error}, calibration slope {decimal(slope.value, 2)}."


def _at_chance(part: Slice) -> bool:
    return part["accuracy"].low <= 0.5


def _holds(estimate: Estimate, value: float) -> bool:
    return not (estimate.low > value or estimate.high < value)
