"""The result in words: how much better the policy ranks, and what that cost."""

from __future__ import annotations

import math

from llull.evaluate import Estimate
from llull.report.alignment_content import AlignmentReport, clearly_above, clearly_below, known
from llull.report.alignment_sections.amounts import amount, interval, moved, moved_interval
from llull.report.alignment_sections.warnings import found_warnings
from llull.report.markup import Markup, element
from llull.report.wording import counted, listed


def section(report: AlignmentReport) -> Markup:
    """A first sentence, then a few lines."""
    lines = [_certain(report), _likelihood(report), _divergence(report), _length(report), _ending(report)]
    lines += [_beware(report)]
    return element(
        "section",
        element("p", _first(report), class_="first"),
        element("ul", *(element("li", line) for line in lines if line)),
        class_="headline",
        aria_label="The result in short",
    )


def _first(report: AlignmentReport) -> str:
    after = report.after.get("accuracy")
    if after is None or not known(after):
        return "No decided judgments were held out, so it is not known how well the policy ranks."
    before = report.before.get("accuracy")
    start = "" if before is None or not known(before) else f", from {_with_interval(before)} before"
    on = counted(after.n, "held-out judgment")
    return f"The policy ranks {_with_interval(after)} of {on} rightly{start}."


def _with_interval(found: Estimate) -> str:
    said = amount("accuracy", found.value)
    if not math.isfinite(found.low):
        return f"{said} (too few contexts for an interval)"
    # Before training a policy that equals its reference prefers nothing, and there is no doubt about that.
    return said if found.low == found.high else f"{said} ({interval('accuracy', found)})"


def _certain(report: AlignmentReport) -> str | None:
    change = report.change("accuracy")
    if change is None or not known(change):
        return None
    if not math.isfinite(change.low):
        return "There are too few contexts to tell whether this is a change at all."
    said = f"{moved('accuracy', change)} points, {moved_interval('accuracy', change)}"
    before = report.before["accuracy"]
    exact = "accuracy" in report.changes or before.low == before.high
    how = "" if exact else "; from both intervals, which is wider than need be"
    if clearly_above(change):
        return f"The interval of the change excludes no change: the policy ranks better ({said}{how})."
    if clearly_below(change):
        return f"The interval of the change excludes no change: the policy ranks worse ({said}{how})."
    return f"The interval of the change includes no change: it may not have learned to rank ({said}{how})."


def _likelihood(report: AlignmentReport) -> str | None:
    change = report.change("chosen_log_prob")
    if change is None or not known(change):
        return None
    said = f"{moved('chosen_log_prob', change)} nats per token, {moved_interval('chosen_log_prob', change)}"
    if clearly_below(change):
        return f"The better options became less likely ({said})."
    if clearly_above(change):
        return f"The better options became likelier ({said})."
    return f"The better options did not clearly become likelier or less likely ({said})."


def _divergence(report: AlignmentReport) -> str:
    said = [
        f"{amount(name, found.value)} nats per {unit} ({interval(name, found)})"
        for name, unit in (("kl", "sample"), ("kl_per_token", "token"))
        if name in report.generation and known(found := report.generation[name][1])
    ]
    if not said:
        return "How far it moved from the reference on its own samples (KL) was not measured."
    return f"It moved away from the reference by {listed(said)}: its KL on its own samples."


def _length(report: AlignmentReport) -> str | None:
    if "length" not in report.generation:
        return None
    before, after = report.generation["length"]
    change = report.generated_change("length")
    if not known(before) or not known(after):
        return None
    how = "longer" if clearly_above(change) else "shorter" if clearly_below(change) else "not clearly longer or shorter"
    return (
        f"Samples are {how}: {amount('length', after.value)} tokens ({interval('length', after)}), "
        f"from {amount('length', before.value)} ({interval('length', before)})."
    )


def _ending(report: AlignmentReport) -> str | None:
    last = int(report.updates[-1]["update"]) if report.updates else None
    lines = []
    if report.best is not None:
        of = "" if last is None else f" of {last:,}"
        lines.append(f"The best evaluation was made after update {report.best:,}{of}.")
    if report.stopped:
        lines.append(f"Training ended early: {report.stopped}.")
    return " ".join(lines) or None


def _beware(report: AlignmentReport) -> Markup | None:
    found = found_warnings(report)
    if not found:
        return None
    names = listed([warning.name for warning in found])
    return element("span", element("b", "Beware"), f": {names}; see ", element("a", "below", href="#warnings"), ".")
