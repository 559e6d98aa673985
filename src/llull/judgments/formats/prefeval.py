"""PrefEval: users' stated or implied preferences, and options of which one follows them (Zhao et al., 2025).

One of several options, the first in one of the files, follows the preference, which is the criterion. It is better than
each of the others, and nothing is said of how those compare: a row gives one judgment for each (see `choices`). Files
that state preferences without options hold no judgments.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llull.judgments.format import Beside, RowFormat
from llull.judgments.formats.choices import best_of
from llull.judgments.record import Judgment, prompt, text_option
from llull.judgments.rows import BadRow, Row


def _convert_choices(row: Row, beside: Beside) -> Iterator[Judgment]:
    options = _options(row, "classification_task_options")
    yield from best_of(_judgment(row, row.text("question"), options, followed=0))


def _convert_implicit(row: Row, beside: Beside) -> Iterator[Judgment]:
    options = _options(row, "options")
    aligned = row.text("aligned_op")
    if aligned not in options:
        raise BadRow("its aligned_op is none of its options")
    said = row.fields["conversation"]
    why = said.get("user_selection") if isinstance(said, dict) else None
    yield from best_of(_judgment(row, row.text("implicit_query"), options, options.index(aligned), why))


def _options(row: Row, key: str) -> list[str]:
    options: Any = row.take(key)
    if not isinstance(options, list) or len(options) < 2 or not all(isinstance(option, str) for option in options):
        raise BadRow(f"field {key!r} is not a list of texts")
    return options


def _judgment(row: Row, question: str, options: list[str], followed: int, why: str | None = None) -> Judgment:
    others = [place for place in range(len(options)) if place != followed]
    return Judgment(
        context=prompt(question),
        options=[text_option(option) for option in options],
        ranking=[[followed], others],
        criterion=row.text("preference"),
        rationale=why,
        annotator_kind="model",
    )


FORMATS = (
    RowFormat(
        name="prefeval",
        title="PrefEval: options of which the first follows a preference (Zhao et al., 2025)",
        fields=frozenset({"topic", "preference", "question", "classification_task_options"}),
        convert=_convert_choices,
        auxiliary=frozenset({"explicit_preference", "implicit_preference_persona-driven"}),
    ),
    RowFormat(
        name="prefeval-implicit",
        title="PrefEval: a choice that implies the preference (Zhao et al., 2025)",
        fields=frozenset(
            {"topic", "preference", "question", "implicit_query", "options", "conversation", "aligned_op"}
        ),
        convert=_convert_implicit,
    ),
)
