"""All tests of structure on one data set: what a user must know before trusting any model of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from llull.encoders import Encoder
from llull.evaluate.structure.densities import OneDensity, one_density
from llull.evaluate.structure.disagreement import Disagreement, disagreement
from llull.evaluate.structure.finding import Finding
from llull.evaluate.structure.heterogeneity import Heterogeneity, heterogeneity
from llull.evaluate.structure.protocols import Protocols, protocols
from llull.evaluate.structure.transitivity import CyclicGain, Transitivity, cyclic_gain, transitivity
from llull.judgments import Preferences


@dataclass(frozen=True)
class Structure:
    """Findings, each with a sentence that says what it means."""

    heterogeneity: Heterogeneity
    transitivity: Transitivity
    protocols: Protocols
    disagreement: Disagreement
    one_density: OneDensity | None = None
    """None unless asked for in full, as the next."""
    cyclic_gain: CyclicGain | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Those that were made."""
        every = (
            self.heterogeneity,
            self.disagreement,
            self.transitivity,
            self.cyclic_gain,
            self.one_density,
            self.protocols,
        )
        return tuple(one for one in every if one is not None)

    def table(self) -> Table:
        """Questions and answers."""
        table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 1, 0))
        table.add_column(style="bold", max_width=26)
        table.add_column()
        for finding in self.findings:
            table.add_row(finding.question, finding.verdict)
        return table

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        names = ("heterogeneity", "disagreement", "transitivity", "cyclic_gain", "one_density", "protocols")
        return {name: finding.to_dict() for name in names if (finding := getattr(self, name)) is not None}


def structure(
    preferences: Preferences,
    features: Encoder,
    *,
    group: str | None = None,
    rated: Preferences | None = None,
    full: bool = True,
    seed: int = 0,
    tell: Callable[[str], None] = lambda doing: None,
) -> Structure:
    """Make every test that the data allow.

    Args:
        preferences: that put options in order.
        features: of the options; frozen.
        group: what tells groups of annotators apart.
        rated: the judgments with ratings that pairs were made from, if they were.
        full: also fit two tastes, a model that allows circles, one of each person and two tables of scores, in
            seconds to minutes. Without, what costs a fraction of a second.
        seed: of all randomness.
        tell: is told what is being done.
    """
    pairs = preferences.pairs()
    features = features.fit(pairs.options)
    made = rated is not None and rated is not preferences
    tell("asking whether people want different things")
    people = heterogeneity(pairs, features, from_ratings=made, mixture=full, seed=seed)
    tell("asking how people disagree")
    parts = disagreement(preferences, group=group, features=features if full else None, from_ratings=made, seed=seed)
    tell("looking for circles")
    circles = transitivity(pairs, seed=seed)
    agreed = protocols(rated or preferences)
    if not full:
        return Structure(people, circles, agreed, parts)
    tell("asking whether one score for each option will do")
    density = one_density(pairs, from_ratings=made, seed=seed)
    tell("fitting a model that allows circles")
    return Structure(people, circles, agreed, parts, density, cyclic_gain(preferences, features, seed=seed))
