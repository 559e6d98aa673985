"""RewardBench 1 and 2: right and wrong completions, as pairs and as sets (Lambert et al., 2024; Malik et al., 2025).

In RewardBench 2 each right completion is better than each wrong one, and a row gives one judgment for each two (see
`choices`). In the subset Ties, the right ones are said to be equally correct: that is one more judgment. ``subset``
becomes the source.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llull.judgments.format import Beside, RowFormat, Sample, Writer
from llull.judgments.formats.choices import CHOICE, best_of
from llull.judgments.formats.conversations import to_messages
from llull.judgments.formats.nested_values import take_list
from llull.judgments.formats.row_writing import DoesNotFit, only_text, winning_pairs, write_rows
from llull.judgments.preferences import Preferences
from llull.judgments.record import Judgment, Message, Option, prompt, text_option
from llull.judgments.rows import BadRow, Row

_EQUALS = "Ties"


def _convert_pair(row: Row, beside: Beside) -> Iterator[Judgment]:
    yield Judgment(
        context=_asked(row),
        options=[text_option(row.text(key), row.take(f"{key}_model", None)) for key in ("chosen", "rejected")],
        ranking=[[0], [1]],
        tags={"source": row.take("subset")},
    )


def _convert_set(row: Row, beside: Beside) -> Iterator[Judgment]:
    right, wrong = take_list(row, "chosen"), take_list(row, "rejected")
    if not right or not wrong:
        raise BadRow("it lacks right or wrong completions")
    if not all(isinstance(text, str) for text in (*right, *wrong)):
        raise BadRow("a completion is not text")
    subset = row.take("subset")
    choice = Judgment(
        context=_asked(row),
        options=[text_option(text) for text in (*right, *wrong)],
        ranking=[list(range(len(right))), list(range(len(right), len(right) + len(wrong)))],
        tags={"source": subset},
    )
    yield from best_of(choice)
    if subset == _EQUALS and len(right) > 1:
        tags = {**choice.tags, CHOICE: choice.id}
        yield Judgment(choice.options, choice.context, choice.ranking[:1], tags=tags)


def _asked(row: Row) -> list[Message]:
    asked = row.take("prompt")
    return prompt(asked) if isinstance(asked, str) else to_messages(asked, "prompt")


def _are_lists(sample: Sample) -> bool:
    return all(isinstance(row["chosen"], list) for row in sample.rows)


def _are_texts(sample: Sample) -> bool:
    return all(isinstance(row["chosen"], str) for row in sample.rows)


def _pair_rows(judgment: Judgment) -> Iterator[dict[str, Any]]:
    asked = only_text(judgment.context, "user", "context")
    for better, worse in winning_pairs(judgment):
        chosen, rejected = judgment.options[better], judgment.options[worse]
        yield {
            "prompt": asked,
            "chosen": _answer(chosen),
            "chosen_model": chosen.source,
            "rejected": _answer(rejected),
            "rejected_model": rejected.source,
            **_named(judgment),
        }


def _set_rows(judgment: Judgment) -> Iterator[dict[str, Any]]:
    if len(judgment.ranking) != 2:
        raise DoesNotFit("that do not rank options in two tiers")
    right, wrong = ([_answer(judgment.options[index]) for index in tier] for tier in judgment.ranking)
    yield {
        "prompt": only_text(judgment.context, "user", "context"),
        "chosen": right,
        "rejected": wrong,
        "num_correct": len(right),
        "num_incorrect": len(wrong),
        "total_completions": len(right) + len(wrong),
        **_named(judgment),
    }


def _answer(option: Option) -> str:
    return only_text(option.messages, "assistant", "option")


def _named(judgment: Judgment) -> dict[str, Any]:
    tags = judgment.tags
    return {"subset": tags.get("source", "unknown"), "id": tags.get("id", judgment.id)}


def _write_pairs(preferences: Preferences, path: Path) -> Counter[str]:
    return write_rows("rewardbench", preferences, path, _pair_rows)


def _write_sets(preferences: Preferences, path: Path) -> Counter[str]:
    return write_rows("rewardbench-2", preferences, path, _set_rows, whole_choices=True)


_LOSES = "annotators, groups, strengths, ratings, criteria, reasons, times and tags other than the source and the id"

FORMATS = (
    RowFormat(
        name="rewardbench",
        title="RewardBench (Lambert et al., 2024)",
        fields=frozenset({"prompt", "chosen", "rejected", "chosen_model", "rejected_model", "subset", "id"}),
        check=_are_texts,
        convert=_convert_pair,
    ),
    RowFormat(
        name="rewardbench-2",
        title="RewardBench 2: right and wrong completions of one prompt (Malik et al., 2025)",
        fields=frozenset({"prompt", "chosen", "rejected", "num_correct", "total_completions", "subset", "id"}),
        check=_are_lists,
        convert=_convert_set,
    ),
)

WRITERS = (
    Writer(
        name="rewardbench",
        title="RewardBench: one right and one wrong completion a row",
        write=_write_pairs,
        loses=f"{_LOSES}; longer rankings become their pairs",
    ),
    Writer(
        name="rewardbench-2",
        title="RewardBench 2: right and wrong completions of one prompt",
        write=_write_sets,
        loses=f"{_LOSES}; the models of the options; the order in which options stood",
    ),
)
