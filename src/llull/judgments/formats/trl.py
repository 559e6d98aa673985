"""TRL's data sets: explicit and implicit pairs, as text or conversations; accepted completions; steps.

Columns: ``{prompt, chosen, rejected}``, or ``{chosen, rejected}`` with the prompt inside both; ``{prompt,
completion, label}`` for KTO; ``{prompt, completions, labels}`` for stepwise rewards. Pairs may have a
``margin``; all may have ``images``, ``tools`` and ``chat_template_kwargs``.

Where conversations have no prompt of their own, it is the messages that both share, compared whole. Two plain
texts without a prompt get an empty context: a common beginning of characters says nothing about where a prompt
ends ("Paris" and "Prague" share a "P").
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llull.judgments.format import Beside, RowFormat, Sample, Writer
from llull.judgments.formats.conversations import (
    is_conversation,
    is_plain,
    option_of,
    shared_turns,
    to_messages,
    to_turns,
)
from llull.judgments.formats.hh_rlhf import is_transcript
from llull.judgments.formats.row_writing import (
    DoesNotFit,
    margin_of,
    only_text,
    refuse_media,
    winning_pairs,
    write_rows,
)
from llull.judgments.preferences import Preferences
from llull.judgments.record import Judgment, Media, Message, Rating
from llull.judgments.rows import BadRow, Row, as_number

LABELS = {True: 1.0, False: 0.0, "true": 1.0, "false": 0.0, "True": 1.0, "False": 0.0, "1": 1.0, "0": 0.0}
_KEPT_COLUMNS = ("tools", "chat_template_kwargs")


def pair_of(row: Row, prompt_key: str = "prompt") -> Judgment:
    """The judgment of a row with ``chosen`` and ``rejected``, with or without a prompt, a margin and images."""
    tags: dict[str, Any] = {}
    asked = row.fields.get(prompt_key)
    context = [] if asked is None else _take_messages(row, prompt_key, "user", tags)
    sides = [_take_messages(row, key, "assistant", tags) for key in ("chosen", "rejected")]
    if isinstance(row.fields["chosen"], list):
        shared = _shared_context(row, asked, context, sides)
        if asked is not None and shared and context[0] not in shared:
            row.note("a prompt that its conversations do not repeat word for word")
            tags[prompt_key] = asked
        if shared:
            context, sides = shared, [side[len(shared) :] for side in sides]
    elif asked is None:
        row.note("texts without a prompt: each is read whole as an option, with an empty context")
    _attach_images(row, context)
    margin = row.take("margin", None)
    return Judgment(
        context=context,
        options=[option_of(messages) for messages in sides],
        ranking=[[0], [1]],
        strength=None if margin is None else as_number(margin, "margin"),
        tags=tags,
    )


def _take_messages(row: Row, key: str, role: str, tags: dict[str, Any]) -> list[Message]:
    value = row.take(key)
    if isinstance(value, str):
        return [Message(role, value)]
    messages = to_messages(value, key)
    if not is_plain(value):
        tags[key] = value
    return messages


def _shared_context(row: Row, asked: Any, context: list[Message], sides: list[list[Message]]) -> list[Message]:
    """The turns at the head of both conversations that are their context; none if they are given apart."""
    if not all(sides):
        raise BadRow("a conversation has no turns")
    shared = sides[0][: shared_turns(*sides)]
    if isinstance(asked, list):
        # With a prompt of turns, TRL's conversations hold the answers alone; some releases repeat the prompt.
        repeated = bool(context) and context[0].role != "assistant" and shared[: len(context)] == context
        return shared if repeated else []
    if not shared and any(side[0].role == "user" for side in sides):
        row.note("the two conversations share no turn, so each is read whole as an option")
    return shared


def _attach_images(row: Row, context: list[Message]) -> None:
    """Give images that have an address to the first user message; others stay in the tags."""
    key = "images" if "images" in row else "image"
    held = row.fields.get(key)
    images = held if isinstance(held, list) else [held]
    uris = [image.get("path") if isinstance(image, dict) else image for image in images]
    addressed = [uri for uri in uris if isinstance(uri, str)]
    first = next((message for message in context if message.role == "user"), None)
    if first is None or first.media or len(addressed) < len(images):
        return
    first.media = [Media("image", uri) for uri in addressed]
    if not any(isinstance(image, dict) for image in images):
        row.take(key)


def _convert_pair(row: Row, beside: Beside) -> Iterator[Judgment]:
    yield pair_of(row)


def _convert_kto(row: Row, beside: Beside) -> Iterator[Judgment]:
    tags: dict[str, Any] = {}
    context = _take_messages(row, "prompt", "user", tags)
    completion = _take_messages(row, "completion", "assistant", tags)
    _attach_images(row, context)
    yield Judgment(
        context=context,
        options=[option_of(completion)],
        ratings=[Rating(0, "accept", row.label("label", LABELS), 0.0, 1.0)],
        verdict="rated",
        tags=tags,
    )


def _convert_steps(row: Row, beside: Beside) -> Iterator[Judgment]:
    tags: dict[str, Any] = {}
    context = _take_messages(row, "prompt", "user", tags)
    steps, labels = row.take("completions"), row.take("labels")
    if not isinstance(steps, list) or not isinstance(labels, list) or len(steps) != len(labels):
        raise BadRow("'completions' and 'labels' are not two lists of the same length")
    options = [option_of(_step_messages(step)) for step in steps]
    for index, option in enumerate(options):
        option.parent = index - 1 if index else None
    if None in labels:
        row.note("a step without a label is left unrated")
    yield Judgment(
        context=context,
        options=options,
        ratings=[
            Rating(index, "accept", _step_label(label), 0.0, 1.0)
            for index, label in enumerate(labels)
            if label is not None
        ],
        verdict="rated",
        tags=tags,
    )


def _step_messages(step: Any) -> list[Message]:
    return [Message("assistant", step)] if isinstance(step, str) else to_messages(step, "completions")


def _step_label(label: Any) -> float:
    if not isinstance(label, bool | int | str) or label not in LABELS:
        raise BadRow(f"'labels' holds {label!r}, which is neither true nor false")
    return LABELS[label]


def _holds_pairs(sample: Sample) -> bool:
    return all(
        isinstance(row[side], str) or (row[side] and is_conversation(row[side]))
        for row in sample.rows
        for side in ("chosen", "rejected")
        if row[side] is not None
    )


def _is_implicit(sample: Sample) -> bool:
    return _holds_pairs(sample) and not any(is_transcript(row["chosen"]) for row in sample.rows)


def _is_kto(sample: Sample) -> bool:
    labels = [row["label"] for row in sample.rows]
    return any(isinstance(label, bool | int | float | str) and label in LABELS for label in labels)


def _is_stepwise(sample: Sample) -> bool:
    return any(isinstance(row["completions"], list) and isinstance(row["labels"], list) for row in sample.rows)


def _text_pair_rows(judgment: Judgment) -> Iterator[dict[str, Any]]:
    pairs = winning_pairs(judgment)
    asked = {"prompt": only_text(judgment.context, "user", "context")} if judgment.context else {}
    texts = {
        index: only_text(judgment.options[index].messages, "assistant", "option") for pair in pairs for index in pair
    }
    for better, worse in pairs:
        yield {**asked, "chosen": texts[better], "rejected": texts[worse], **_extras(judgment)}


def _conversational_pair_rows(judgment: Judgment) -> Iterator[dict[str, Any]]:
    pairs = winning_pairs(judgment)
    asked = _context_columns(judgment)
    for better, worse in pairs:
        yield {
            **asked,
            "chosen": _answer(judgment, better),
            "rejected": _answer(judgment, worse),
            **_extras(judgment),
        }


def _kto_rows(judgment: Judgment) -> Iterator[dict[str, Any]]:
    accepts = [rating for rating in judgment.ratings if rating.aspect == "accept"]
    if not accepts:
        raise DoesNotFit("that neither accept nor reject an option")
    asked = _context_columns(judgment)
    for rating in accepts:
        yield {
            **asked,
            "completion": _answer(judgment, rating.option),
            "label": accepted(rating),
            **_extras(judgment, margin=False),
        }


def _step_rows(judgment: Judgment) -> Iterator[dict[str, Any]]:
    labels = {rating.option: accepted(rating) for rating in judgment.ratings if rating.aspect == "accept"}
    options = judgment.options
    if any(option.parent != (index - 1 if index else None) for index, option in enumerate(options)):
        raise DoesNotFit("whose options are not steps that follow one another")
    if len(labels) != len(options):
        raise DoesNotFit("in which not every step is accepted or rejected")
    yield {
        "prompt": only_text(judgment.context, "user", "context"),
        "completions": [only_text(option.messages, "assistant", "option") for option in options],
        "labels": [labels[index] for index in range(len(options))],
    }


def accepted(rating: Rating) -> bool:
    """A thumb as true or false. Raises `DoesNotFit` for any other value."""
    if rating.value not in (0.0, 1.0):
        raise DoesNotFit("with an 'accept' that is neither 0 nor 1")
    return rating.value == 1.0


def _context_columns(judgment: Judgment) -> dict[str, Any]:
    context = judgment.context
    media = [medium for message in context for medium in message.media]
    if not media:
        return {"prompt": to_turns(context)}
    asked = next((message for message in context if message.role == "user"), None)
    if asked is None or asked.media != media or any(medium.type != "image" for medium in media):
        raise DoesNotFit("that have media beyond images in the first user message")
    return {"prompt": to_turns(context), "images": [medium.uri for medium in media]}


def _answer(judgment: Judgment, index: int) -> list[dict[str, str]]:
    option = judgment.options[index]
    if not option.messages or option.media:
        raise DoesNotFit("with an option that has no text, or media")
    refuse_media(option.messages)
    return to_turns(option.messages)


def _extras(judgment: Judgment, margin: bool = True) -> dict[str, Any]:
    kept = {key: judgment.tags[key] for key in _KEPT_COLUMNS if key in judgment.tags}
    strength = margin_of(judgment) if margin else None
    return kept if strength is None else {"margin": strength, **kept}


def _write_text_pairs(preferences: Preferences, path: Path) -> Counter[str]:
    return write_rows("trl", preferences, path, _text_pair_rows)


def _write_conversational_pairs(preferences: Preferences, path: Path) -> Counter[str]:
    return write_rows("trl-conversational", preferences, path, _conversational_pair_rows)


def _write_kto(preferences: Preferences, path: Path) -> Counter[str]:
    return write_rows("trl-kto", preferences, path, _kto_rows)


def _write_steps(preferences: Preferences, path: Path) -> Counter[str]:
    return write_rows("trl-stepwise", preferences, path, _step_rows)


FORMATS = (
    RowFormat(
        name="trl",
        title="TRL preference pairs with a prompt",
        fields=frozenset({"prompt", "chosen", "rejected"}),
        check=_holds_pairs,
        convert=_convert_pair,
    ),
    RowFormat(
        name="trl-implicit",
        title="TRL preference pairs with the prompt inside both sides",
        fields=frozenset({"chosen", "rejected"}),
        check=_is_implicit,
        convert=_convert_pair,
    ),
    RowFormat(
        name="trl-kto",
        title="TRL accepted and rejected completions",
        fields=frozenset({"prompt", "completion", "label"}),
        check=_is_kto,
        convert=_convert_kto,
    ),
    RowFormat(
        name="trl-stepwise",
        title="TRL steps, each accepted or rejected",
        fields=frozenset({"prompt", "completions", "labels"}),
        check=_is_stepwise,
        convert=_convert_steps,
    ),
)

_PAIRS_LOSE = "annotators, groups, criteria, ratings, reasons, ties, tags; longer rankings become their pairs"

WRITERS = (
    Writer(
        name="trl",
        title="TRL pairs as text: prompt, chosen, rejected",
        write=_write_text_pairs,
        loses=f"contexts of more than one user message; {_PAIRS_LOSE}",
    ),
    Writer(
        name="trl-conversational",
        title="TRL pairs as conversations: prompt, chosen, rejected",
        write=_write_conversational_pairs,
        loses=_PAIRS_LOSE,
    ),
    Writer(
        name="trl-kto",
        title="TRL accepted and rejected completions as conversations: prompt, completion, label",
        write=_write_kto,
        loses="rankings, annotators, groups, criteria, reasons, tags, and ratings other than accept",
    ),
    Writer(
        name="trl-stepwise",
        title="TRL steps as text: prompt, completions, labels",
        write=_write_steps,
        loses="rankings, annotators, groups, criteria, reasons, tags, and ratings other than accept",
    ),
)
