"""LLaMA-Factory's preference files: alpaca and sharegpt layouts, rankings of two and ``kto_tag`` thumbs.

The alpaca layout has ``instruction`` and ``input`` (which LLaMA-Factory joins by a line break), and optionally
``system`` and ``history``; the sharegpt layout has ``conversations`` of {from, value}. The thumbs shipped as an
example have OpenAI's layout, ``messages`` of {role, content}, and name the thumb ``label``. Pictures, clips and
sounds are listed apart from the ``<image>`` marks in the texts; the lists stay in the tags and are written back
from there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from llull.judgments.format import Beside, RowFormat, Sample, Writer
from llull.judgments.formats.conversations import is_conversation, is_plain, option_of, to_messages
from llull.judgments.formats.row_writing import DoesNotFit, only_text, refuse_media, winning_pairs, write_rows
from llull.judgments.formats.trl import LABELS, accepted
from llull.judgments.preferences import Preferences
from llull.judgments.record import Judgment, Message, Option, Rating, text_option
from llull.judgments.rows import BadRow, Row

_ROLES = {"human": "user", "gpt": "assistant", "observation": "tool"}
_SPEAKERS = {
    "system": "system",
    "user": "human",
    "assistant": "gpt",
    "tool": "observation",
    "function_call": "function_call",
}
_ASKING, _ANSWERING = ("user", "tool"), ("assistant", "function_call")
_KEPT_COLUMNS = ("tools", "images", "videos", "audios")


def _alpaca_context(row: Row, tags: dict[str, Any]) -> list[Message]:
    instruction, query = row.take("instruction") or "", row.take("input", None) or ""
    if not isinstance(instruction, str) or not isinstance(query, str):
        raise BadRow("'instruction' or 'input' is not text")
    if query:
        # The text alone does not tell where the instruction ends.
        tags["input"] = query
    system = row.take("system", None)
    turns = [Message("system", system)] if system else []
    for exchange in row.take("history", None) or ():
        if not isinstance(exchange, list) or len(exchange) != 2 or not all(isinstance(text, str) for text in exchange):
            raise BadRow("'history' is not a list of pairs of texts")
        turns += [Message("user", exchange[0]), Message("assistant", exchange[1])]
    return [*turns, Message("user", "\n".join(text for text in (instruction, query) if text))]


def _sharegpt_turns(row: Row, tags: dict[str, Any]) -> list[Message]:
    turns = row.take("conversations")
    messages = to_messages(turns, "conversations", role="from", content="value", roles=_ROLES)
    if any(turn.keys() != {"from", "value"} or not isinstance(turn["value"], str) for turn in turns):
        tags["conversations"] = turns
    system = row.take("system", None)
    return [Message("system", system), *messages] if system else messages


def _sharegpt_option(row: Row, key: str) -> Option:
    side = row.take(key)
    if not isinstance(side, dict):
        raise BadRow(f"field {key!r} is not an object with 'from' and 'value'")
    return option_of(to_messages([side], key, role="from", content="value", roles=_ROLES))


def _convert_alpaca_pair(row: Row, beside: Beside) -> Iterator[Judgment]:
    tags: dict[str, Any] = {}
    yield Judgment(
        context=_alpaca_context(row, tags),
        options=[text_option(row.text("chosen")), text_option(row.text("rejected"))],
        ranking=[[0], [1]],
        tags=tags,
    )


def _convert_sharegpt_pair(row: Row, beside: Beside) -> Iterator[Judgment]:
    tags: dict[str, Any] = {}
    yield Judgment(
        context=_sharegpt_turns(row, tags),
        options=[_sharegpt_option(row, "chosen"), _sharegpt_option(row, "rejected")],
        ranking=[[0], [1]],
        tags=tags,
    )


def _convert_alpaca_thumb(row: Row, beside: Beside) -> Iterator[Judgment]:
    tags: dict[str, Any] = {}
    yield _thumb(row, _alpaca_context(row, tags), text_option(row.text("output")), tags)


def _convert_sharegpt_thumb(row: Row, beside: Beside) -> Iterator[Judgment]:
    tags: dict[str, Any] = {}
    yield _last_turn_thumb(row, _sharegpt_turns(row, tags), tags, "kto_tag")


def _convert_openai_thumb(row: Row, beside: Beside) -> Iterator[Judgment]:
    turns = row.take("messages")
    messages = to_messages(turns, "messages")
    yield _last_turn_thumb(row, messages, {} if is_plain(turns) else {"messages": turns}, "label")


def _last_turn_thumb(row: Row, turns: list[Message], tags: dict[str, Any], key: str) -> Judgment:
    if not turns or turns[-1].role not in _ANSWERING:
        raise BadRow("its conversation does not end with an answer")
    return _thumb(row, turns[:-1], option_of(turns[-1:]), tags, key)


def _thumb(row: Row, context: list[Message], option: Option, tags: dict[str, Any], key: str = "kto_tag") -> Judgment:
    accept = Rating(0, "accept", row.label(key, LABELS), 0.0, 1.0)
    return Judgment(context=context, options=[option], ratings=[accept], verdict="rated", tags=tags)


def _is_alpaca(sample: Sample) -> bool:
    return all(isinstance(row.get("instruction"), str | None) for row in sample.rows)


def _is_openai_thumb(sample: Sample) -> bool:
    return all(is_conversation(row["messages"]) and isinstance(row["label"], bool | None) for row in sample.rows)


def _is_sharegpt_pair(sample: Sample) -> bool:
    sides = [row[side] for row in sample.rows for side in ("chosen", "rejected")]
    return any(isinstance(side, dict) and {"from", "value"} <= side.keys() for side in sides)


def _alpaca_columns(judgment: Judgment) -> dict[str, Any]:
    context = judgment.context
    refuse_media(context)
    system, turns = (context[:1], context[1:]) if context and context[0].role == "system" else ([], context)
    expected = [("user", "assistant")[place % 2] for place in range(len(turns))]
    if len(turns) % 2 == 0 or [turn.role for turn in turns] != expected:
        raise DoesNotFit("whose context is not user and assistant in turn, up to a user message")
    query = judgment.tags.get("input")
    query = query if isinstance(query, str) else ""
    instruction = turns[-1].content
    if instruction == query:
        instruction = ""
    elif query and instruction.endswith("\n" + query):
        instruction = instruction.removesuffix("\n" + query)
    else:
        query = ""
    columns: dict[str, Any] = {"instruction": instruction, "input": query}
    if system:
        columns["system"] = system[0].content
    if len(turns) > 1:
        past = turns[:-1]
        columns["history"] = [[past[i].content, past[i + 1].content] for i in range(0, len(past), 2)]
    return columns


def _alpaca_answer(judgment: Judgment, index: int) -> str:
    return only_text(judgment.options[index].messages, "assistant", "option")


def _sharegpt_columns(judgment: Judgment) -> dict[str, Any]:
    context = judgment.context
    refuse_media(context)
    turns = context[1:] if context and context[0].role == "system" else context
    places = (_ASKING, _ANSWERING)
    if len(turns) % 2 == 0 or any(turn.role not in places[place % 2] for place, turn in enumerate(turns)):
        # LLaMA-Factory skips such rows as it reads them.
        raise DoesNotFit("whose context is not questions and answers in turn, up to a question")
    return {"conversations": [_sharegpt_turn(turn) for turn in context]}


def _sharegpt_answer(judgment: Judgment, index: int) -> dict[str, str]:
    messages = judgment.options[index].messages
    refuse_media(messages)
    if len(messages) != 1 or messages[0].role not in _ANSWERING:
        raise DoesNotFit("with an option that is not one answer")
    return _sharegpt_turn(messages[0])


def _sharegpt_turn(message: Message) -> dict[str, str]:
    return {"from": _SPEAKERS[message.role], "value": message.content}


def _pair_rows(
    judgment: Judgment, columns: Callable[[Judgment], dict[str, Any]], answer: Callable[[Judgment, int], Any]
) -> Iterator[dict[str, Any]]:
    for better, worse in winning_pairs(judgment):
        sides = {"chosen": answer(judgment, better), "rejected": answer(judgment, worse)}
        yield {**columns(judgment), **sides, **_kept(judgment)}


def _alpaca_thumb_rows(judgment: Judgment) -> Iterator[dict[str, Any]]:
    for rating in _accepts(judgment):
        columns = _alpaca_columns(judgment)
        answer = _alpaca_answer(judgment, rating.option)
        yield {**columns, "output": answer, "kto_tag": accepted(rating), **_kept(judgment)}


def _sharegpt_thumb_rows(judgment: Judgment) -> Iterator[dict[str, Any]]:
    for rating in _accepts(judgment):
        turns = _sharegpt_columns(judgment)["conversations"]
        answer = _sharegpt_answer(judgment, rating.option)
        yield {"conversations": [*turns, answer], "kto_tag": accepted(rating), **_kept(judgment)}


def _accepts(judgment: Judgment) -> list[Rating]:
    accepts = [rating for rating in judgment.ratings if rating.aspect == "accept"]
    if not accepts:
        raise DoesNotFit("that neither accept nor reject an option")
    return accepts


def _kept(judgment: Judgment) -> dict[str, Any]:
    return {key: judgment.tags[key] for key in _KEPT_COLUMNS if key in judgment.tags}


def _write_alpaca_pairs(preferences: Preferences, path: Path) -> Counter[str]:
    return write_rows("llama-factory", preferences, path, lambda j: _pair_rows(j, _alpaca_columns, _alpaca_answer))


def _write_sharegpt_pairs(preferences: Preferences, path: Path) -> Counter[str]:
    return write_rows(
        "llama-factory-sharegpt", preferences, path, lambda j: _pair_rows(j, _sharegpt_columns, _sharegpt_answer)
    )


def _write_alpaca_thumbs(preferences: Preferences, path: Path) -> Counter[str]:
    return write_rows("llama-factory-kto", preferences, path, _alpaca_thumb_rows)


def _write_sharegpt_thumbs(preferences: Preferences, path: Path) -> Counter[str]:
    return write_rows("llama-factory-sharegpt-kto", preferences, path, _sharegpt_thumb_rows)


FORMATS = (
    RowFormat(
        name="llama-factory",
        title="LLaMA-Factory pairs, alpaca layout",
        fields=frozenset({"instruction", "chosen", "rejected"}),
        check=_is_alpaca,
        convert=_convert_alpaca_pair,
    ),
    RowFormat(
        name="llama-factory-sharegpt",
        title="LLaMA-Factory pairs, sharegpt layout",
        fields=frozenset({"conversations", "chosen", "rejected"}),
        check=_is_sharegpt_pair,
        convert=_convert_sharegpt_pair,
    ),
    RowFormat(
        name="llama-factory-kto",
        title="LLaMA-Factory thumbs, alpaca layout",
        fields=frozenset({"instruction", "output", "kto_tag"}),
        convert=_convert_alpaca_thumb,
    ),
    RowFormat(
        name="llama-factory-sharegpt-kto",
        title="LLaMA-Factory thumbs, sharegpt layout",
        fields=frozenset({"conversations", "kto_tag"}),
        convert=_convert_sharegpt_thumb,
    ),
    RowFormat(
        name="llama-factory-openai-kto",
        title="LLaMA-Factory thumbs, OpenAI layout",
        fields=frozenset({"messages", "label"}),
        check=_is_openai_thumb,
        convert=_convert_openai_thumb,
    ),
)

_PAIRS_LOSE = "strengths, annotators, groups, criteria, ratings, reasons, ties; longer rankings become their pairs"
_THUMBS_LOSE = "rankings, annotators, groups, criteria, reasons, and ratings other than accept"

WRITERS = (
    Writer(
        name="llama-factory",
        title='LLaMA-Factory pairs, alpaca layout (declare with "ranking": true)',
        write=_write_alpaca_pairs,
        loses=_PAIRS_LOSE,
    ),
    Writer(
        name="llama-factory-sharegpt",
        title='LLaMA-Factory pairs, sharegpt layout (declare with "ranking": true and "formatting": "sharegpt")',
        write=_write_sharegpt_pairs,
        loses=_PAIRS_LOSE,
    ),
    Writer(
        name="llama-factory-kto",
        title='LLaMA-Factory thumbs, alpaca layout (declare the column "kto_tag")',
        write=_write_alpaca_thumbs,
        loses=_THUMBS_LOSE,
    ),
    Writer(
        name="llama-factory-sharegpt-kto",
        title='LLaMA-Factory thumbs, sharegpt layout (declare the column "kto_tag" and "formatting": "sharegpt")',
        write=_write_sharegpt_thumbs,
        loses=_THUMBS_LOSE,
    ),
)
