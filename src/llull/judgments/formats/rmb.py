"""RMB, a benchmark of reward models: pairs, and the best of several against the others (Zhou et al., 2024).

How the labels were made is not said with the data, so no kind of annotator is given. In ``bon_set`` each loser is worse
than the best, and nothing is said of how the losers compare: a row gives one judgment for each (see `choices`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llull.judgments.format import Beside, RowFormat
from llull.judgments.formats.choices import best_of
from llull.judgments.record import Judgment, Message, Option, text_option
from llull.judgments.rows import BadRow, Row


def _convert_pair(row: Row, beside: Beside) -> Iterator[Judgment]:
    yield _judgment(row, [row.take("chosen"), row.take("reject")])


def _convert_best(row: Row, beside: Beside) -> Iterator[Judgment]:
    losers = row.take("loser_list")
    if not losers:
        raise BadRow("it has no losers")
    yield from best_of(_judgment(row, [row.take("bon_best"), *losers]))


def _judgment(row: Row, answers: list[Any]) -> Judgment:
    turns = row.take("conversation_input")
    judgment = Judgment(
        context=[Message(turn["role"], turn["content"]) for turn in turns],
        options=[_option(answer) for answer in answers],
        ranking=[[0], list(range(1, len(answers)))],
    )
    if languages := [turn["language"] for turn in turns if "language" in turn]:
        judgment.tags["languages"] = languages
    return judgment


def _option(answer: Any) -> Option:
    return text_option(answer["answer"], answer["llm_name"])


FORMATS = (
    RowFormat(
        name="rmb-pairs",
        title="RMB: pairs (Zhou et al., 2024)",
        fields=frozenset({"category", "category_path", "pair_uid", "conversation_input", "chosen", "reject"}),
        convert=_convert_pair,
    ),
    RowFormat(
        name="rmb-best-of-n",
        title="RMB: the best of several (Zhou et al., 2024)",
        fields=frozenset({"category", "category_path", "bon_uid", "conversation_input", "bon_best", "loser_list"}),
        convert=_convert_best,
    ),
)
