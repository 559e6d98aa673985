"""Known ways in which an alignment goes wrong, looked for in the numbers."""

from __future__ import annotations

from dataclasses import dataclass

from llull.report.alignment_content import AlignmentReport, clearly_above, clearly_below, known
from llull.report.alignment_sections.amounts import amount, moved, moved_interval
from llull.report.markup import Markup, element, joined
from llull.report.wording import listed

FAR = 0.1
"""A rise of the share of longer options preferred that is far above the start."""

LARGE_KL = 10.0
"""Nats per sample, which is much.

Choosing the best of n samples costs at most ln n - (n - 1) / n (Stiennon et al. 2020, appendix G.3): 5.9 for n = 1,000.
"""


@dataclass(frozen=True)
class Warned:
    """One known failure that shows."""

    name: str
    said: str


def section(report: AlignmentReport) -> Markup:
    """What shows, then what was looked for and not seen, then what could not be looked for."""
    found = found_warnings(report)
    items = [
        element("article", element("h3", w.name[0].upper() + w.name[1:], class_="warned"), element("p", w.said))
        for w in found
    ]
    shown = {warning.name for warning in found}
    quiet = [name for name, looked in _looked_for(report) if looked and name not in shown]
    missing = [name for name, looked in _looked_for(report) if not looked]
    return joined(
        *items,
        element("p", f"Looked for and not seen: {listed(quiet, 9)}.") if quiet else None,
        element("p", f"Could not be looked for, as nothing was measured: {listed(missing, 9)}.") if missing else None,
    )


def found_warnings(report: AlignmentReport) -> list[Warned]:
    """The known failures that show in the numbers."""
    checks = (_no_learning, _displacement, _length_taste, _divergence, _diversity)
    return [warned for check in checks if (warned := check(report)) is not None]


_NO_LEARNING = "no clear learning"
_DISPLACEMENT = "likelihood displacement"
_LENGTH = "a taste for length"
_DIVERGENCE = "far from the reference"
_DIVERSITY = "less diversity"


def _looked_for(report: AlignmentReport) -> list[tuple[str, bool]]:
    return [
        (_NO_LEARNING, known(report.change("accuracy"))),
        (_DISPLACEMENT, known(report.change("chosen_log_prob"))),
        (_LENGTH, known(report.change("longer_preferred"))),
        (_DIVERGENCE, "kl" in report.generation and known(report.generation["kl"][1])),
        (_DIVERSITY, known(report.generated_change("distinct_bigrams"))),
    ]


def _no_learning(report: AlignmentReport) -> Warned | None:
    change = report.change("accuracy")
    if change is None or not known(change) or clearly_above(change):
        return None
    worse = "fell below" if clearly_below(change) else "is not clearly above"
    return Warned(
        _NO_LEARNING,
        f"Ranking accuracy {worse} its start ({moved('accuracy', change)} points, "
        f"{moved_interval('accuracy', change)}). Perhaps there are too few judgments or updates, the learning rate is "
        "too low or too high, or annotators disagree. More held-out contexts make the interval narrower.",
    )


def _displacement(report: AlignmentReport) -> Warned | None:
    change = report.change("chosen_log_prob")
    if change is None or not clearly_below(change):
        return None
    return Warned(
        _DISPLACEMENT,
        f"The better options became less likely ({moved('chosen_log_prob', change)} nats per token, "
        f"{moved_interval('chosen_log_prob', change)}). Where the margin grows all the same, the worse options fell "
        "further, and the probability went to texts that nobody judged. A lower learning rate, fewer updates, or an "
        "objective that holds up the likelihood of the better option helps.",
    )


def _length_taste(report: AlignmentReport) -> Warned | None:
    change = report.change("longer_preferred")
    if change is None or not (clearly_above(change) and change.value > FAR):
        return None
    now = amount("longer_preferred", report.after["longer_preferred"].value)
    return Warned(
        _LENGTH,
        f"The policy now prefers the longer option in {now} of judgments, {moved('longer_preferred', change)} points "
        "from its start. Compare with how often annotators do: what is above that was not asked for. An objective that "
        "counts per token or takes length into account helps.",
    )


def _divergence(report: AlignmentReport) -> Warned | None:
    found = report.generation["kl"][1] if "kl" in report.generation else None
    if found is None or not found.value > LARGE_KL:
        return None
    return Warned(
        _DIVERGENCE,
        f"The KL to the reference is {amount('kl', found.value)} nats per sample; choosing the best of 1,000 samples "
        "of the reference would take at most 5.9. Read the samples for what the reference would never write. A larger "
        "beta, a lower learning rate or fewer updates keep it closer.",
    )


def _diversity(report: AlignmentReport) -> Warned | None:
    change = report.generated_change("distinct_bigrams")
    if change is None or not clearly_below(change):
        return None
    return Warned(
        _DIVERSITY,
        f"Samples repeat themselves more: the share of distinct bigrams changed by "
        f"{moved('distinct_bigrams', change)} points, {moved_interval('distinct_bigrams', change)}.",
    )
