"""Arena-Hard: a judge compares a model with a baseline twice, with sides swapped (Li et al., 2024).

Each game is one judgment of options (baseline, model); game 1 shows the baseline first, game 2 the model. The strength
is 2 for ``>>``, 1 for ``>`` and 0 for a draw. Prompts are looked up in ``question`` beside the file; answers lie in
other folders, so options are known by the names of their models.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llull.judgments.format import Beside, RowFormat, Sample
from llull.judgments.formats.nested_values import is_missing, nested_label, take_list, without
from llull.judgments.record import Judgment, Message, named_option
from llull.judgments.rows import Reject, Row

_VERDICTS = {"A>>B": (0, 2.0), "A>B": (0, 1.0), "A=B": (None, 0.0), "B>A": (1, 1.0), "B>>A": (1, 2.0)}
_SHOWN = ([0, 1], [1, 0])
_OLD_BASELINE = "gpt-4-0314"
_KEYS = ("uid", "question_id")


def _convert(row: Row, beside: Beside) -> Iterator[Judgment | Reject]:
    key = next(name for name in _KEYS if name in row)
    number = row.fields[key]
    baseline, model = row.take("baseline", None) or _OLD_BASELINE, row.text("model")
    judge = row.take("judge")
    asked = beside.table("question", key).get(number)
    if asked is None:
        row.note("a question whose text is not beside it")
    context = _prompt(asked) if asked else [Message("user", f"question {number}")]
    for place, game in enumerate(take_list(row, "games")):
        if place >= len(_SHOWN):
            yield row.reject(f"it has {place + 1} games, and sides are known for two")
            continue
        if not isinstance(game, dict) or is_missing(game.get("score")):
            yield row.reject(f"game {place + 1} has no verdict")
            continue
        side, strength = nested_label(row, game, "score", _VERDICTS)
        shown = _SHOWN[place]
        best = None if side is None else shown[side]
        yield Judgment(
            context=context,
            options=[named_option(baseline), named_option(model)],
            ranking=[[0, 1]] if best is None else [[best], [1 - best]],
            shown=list(shown),
            strength=strength,
            rationale=_said(game),
            annotator=judge,
            annotator_kind="model",
            tags={"game": place + 1, "strength_range": [0, 2], "game_details": without(game, ("score",))},
        )


def _prompt(asked: dict[str, Any]) -> list[Message]:
    text = asked["prompt"] if "prompt" in asked else asked["turns"][0]["content"]
    return [Message("user", text)]


def _said(game: dict[str, Any]) -> str | None:
    said = game.get("judgment")
    if isinstance(said, dict):
        said = said.get("answer")
    return said if isinstance(said, str) and said else None


def _has_id(sample: Sample) -> bool:
    return all(any(key in row for key in _KEYS) and isinstance(row["games"], list) for row in sample.rows)


FORMATS = (
    RowFormat(
        name="arena-hard",
        title="Arena-Hard judgments (Li et al., 2024)",
        fields=frozenset({"model", "judge", "games"}),
        check=_has_id,
        auxiliary=frozenset({"question"}),
        convert=_convert,
    ),
)
