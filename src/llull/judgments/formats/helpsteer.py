"""NVIDIA HelpSteer2: ratings of responses under five attributes, and preferences between two responses.

In the ratings, the two responses to a prompt stand in rows that follow each other and make one judgment; the same
prompt may come again elsewhere, so rows apart are never joined. In ``preference/``, a strength runs from -3
(response 1 much better) over 0 (no preference) to 3 (response 2 much better).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from llull.judgments.format import Beside, GroupFormat, RowFormat, Sample
from llull.judgments.record import Judgment, Option, Rating, prompt, text_option
from llull.judgments.rows import BadRow, Reject, Row, as_number

ATTRIBUTES = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")
_STRENGTHS = {sign * size: sign * size for size in range(4) for sign in (1, -1)}


@dataclass(frozen=True, kw_only=True)
class NeighborFormat(GroupFormat):
    """A format in which a row and the next one hold one judgment if they share a prompt."""

    def outcomes(self, rows: Iterable[Row], beside: Beside) -> Iterator[tuple[list[Row], Judgment | Reject]]:
        """Each judgment, or rejected row, with the one or two rows it comes from."""
        for neighbors in _neighbors(rows):
            yield from super().outcomes(neighbors, beside)


def _neighbors(rows: Iterable[Row]) -> Iterator[list[Row]]:
    waiting: Row | None = None
    for row in rows:
        if waiting is None:
            waiting = row
        elif "prompt" in row and row.fields["prompt"] == waiting.fields.get("prompt"):
            yield [waiting, row]
            waiting = None
        else:
            yield [waiting]
            waiting = row
    if waiting is not None:
        yield [waiting]


def _convert_ratings(rows: list[Row], beside: Beside) -> Iterator[Judgment | Reject]:
    context = prompt(rows[0].text("prompt"))
    options: list[Option] = []
    ratings: list[Rating] = []
    for row in rows:
        row.take("prompt")
        try:
            option = text_option(row.text("response"))
            ratings += list(_ratings(len(options), row))
        except BadRow as bad:
            # A bad response must not take the good one beside it along.
            yield row.reject(str(bad))
        else:
            options.append(option)
    if len(rows) == 1:
        rows[0].note("a response without another to the same prompt beside it")
    if options:
        yield Judgment(context=context, options=options, ratings=ratings, verdict="rated", annotator_kind="human")


def _ratings(option: int, row: Row) -> Iterator[Rating]:
    for attribute in ATTRIBUTES:
        value = row.take(attribute)
        if value is not None:
            yield Rating(option, attribute, as_number(value, attribute), 0.0, 4.0)


def _convert_preference(row: Row, beside: Beside) -> Iterator[Judgment]:
    leaning = row.label("preference_strength", _STRENGTHS)
    elaboration = row.take("preference_elaboration", None)
    yield Judgment(
        context=prompt(row.text("prompt")),
        options=[text_option(row.text("response_1")), text_option(row.text("response_2"))],
        ranking=_ranking(leaning),
        strength=float(abs(leaning)),
        rationale=elaboration or None,
        annotator_kind="human",
        tags={"strength_range": [0, 3]},
    )


def _ranking(leaning: int) -> list[list[int]]:
    if leaning == 0:
        return [[0, 1]]
    return [[0], [1]] if leaning < 0 else [[1], [0]]


def _holds_single_ratings(sample: Sample) -> bool:
    # The folder "disagreements" has lists of ratings under the same names.
    return not any(isinstance(row[attribute], list) for row in sample.rows for attribute in ATTRIBUTES)


def _one_group(fields: dict[str, Any]) -> None:
    """Neighbors come already together."""


FORMATS = (
    NeighborFormat(
        name="helpsteer2",
        title="HelpSteer2 ratings (Wang et al., 2024)",
        fields=frozenset({"prompt", "response", *ATTRIBUTES}),
        check=_holds_single_ratings,
        together=_one_group,
        convert=_convert_ratings,
    ),
    RowFormat(
        name="helpsteer2-preference",
        title="HelpSteer2-Preference (Wang et al., 2024)",
        fields=frozenset({"prompt", "response_1", "response_2", "preference_strength"}),
        convert=_convert_preference,
    ),
)
