"""What a report is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from llull.evaluate import Comparison, Evaluation, LearningCurve, compared
from llull.judgments.describing import Description
from llull.judgments.reading import Reading
from llull.report.people_content import PeopleFound


class Effect(Protocol):
    """One row of ``model.coefficients()``."""

    @property
    def member(self) -> str | None:
        """The group or annotator; None for what all share."""
        ...

    @property
    def feature(self) -> str:
        """Its name."""
        ...

    @property
    def description(self) -> str:
        """What it measures, in words; empty where that means nothing to a person."""
        ...

    @property
    def coefficient(self) -> float:
        """Change of the log-odds for one scale of the feature."""
        ...

    @property
    def low(self) -> float:
        """Lower end of the interval."""
        ...

    @property
    def high(self) -> float:
        """Upper end of the interval."""
        ...


class Found(Protocol):
    """One problem found in the data."""

    @property
    def kind(self) -> str:
        """What it is called."""
        ...

    @property
    def count(self) -> int:
        """Judgments that have it."""
        ...

    @property
    def share(self) -> float:
        """Their share of all judgments."""
        ...

    @property
    def meaning(self) -> str:
        """What it means and what can be done."""
        ...


@dataclass(frozen=True)
class Reproduction:
    """How to make the same numbers again."""

    command: str
    seed: int
    fingerprint: str
    """Of the data."""
    config: str = ""
    """The whole configuration, as YAML."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of Python, the platform and the packages that matter."""
    finished: str = ""
    """When, in words or ISO 8601."""


@dataclass(frozen=True)
class Report:
    """Everything that a report shows. What is not there is left out of the page, or said to be missing."""

    title: str
    evaluations: Sequence[Evaluation]
    """The main model first; any others must have been measured on the same pairs."""
    description: Description | None = None
    reading: Reading | None = None
    coefficients: Sequence[Effect] = ()
    """Of the main model, or of one with named features if the main model's have no names."""
    explained_by: str = ""
    """What to call the model of ``coefficients``, where it is not the main one."""
    learning: LearningCurve | None = None
    problems: Sequence[Found] | None = None
    """None if nobody looked for any."""
    reproduction: Reproduction | None = None
    people: PeopleFound | None = None
    """Communities and what else the main model tells of people."""

    @property
    def main(self) -> Evaluation:
        """The evaluation that the report is about."""
        return self.evaluations[0]

    @property
    def comparison(self) -> Comparison | None:
        """The main model against each other one; None where there is only one."""
        return compared(self.evaluations) if len(self.evaluations) > 1 else None
