"""The record of a judgment: what one annotator said about the options of one context.

Everything else in Llull reads or makes this record. It is small on purpose; what a source format
says beyond it is kept in ``tags``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Literal, get_args

Verdict = Literal["ranked", "both_good", "both_bad", "cannot_judge", "rated"]
AnnotatorKind = Literal["human", "model", "rule", "behavior"]

VERDICTS: tuple[str, ...] = get_args(Verdict)
ANNOTATOR_KINDS: tuple[str, ...] = get_args(AnnotatorKind)


# The dataclasses below are mutable for one reason: a frozen dataclass takes twice as long to make,
# and readers make millions of them. Treat them as values.


@dataclass(slots=True)
class Media:
    """A picture, sound or clip that belongs to a message or an option; never decoded on reading."""

    type: str
    """Kind of medium: ``image``, ``audio``, ``video`` or a MIME type."""
    uri: str
    """Path or address, as the source gave it."""


@dataclass(slots=True)
class Message:
    """One turn of a conversation."""

    role: str
    content: str
    media: list[Media] = field(default_factory=list)


@dataclass(slots=True)
class Option:
    """Something that can be preferred: a response, an image, an item, a trajectory, a model."""

    messages: list[Message] = field(default_factory=list)
    media: list[Media] = field(default_factory=list)
    source: str | None = None
    """The model or author that made it."""
    parent: int | None = None
    """Index, within the same judgment, of the option that this one edits or continues."""
    followup: str | None = None
    """What the user said next."""
    id: str = ""
    """Content hash of messages and media; the source's name where there is no content."""

    def __post_init__(self) -> None:
        if not self.id:
            self.id = option_id(self)

    @property
    def text(self) -> str:
        """The option as plain text: its messages' contents, one after another."""
        if len(self.messages) == 1:
            return self.messages[0].content
        return "\n\n".join(message.content for message in self.messages)


@dataclass(slots=True)
class Rating:
    """Absolute feedback on one option under one aspect. A thumb is aspect ``accept``, value 0 or 1."""

    option: int
    aspect: str
    value: float
    low: float | None = None
    """Worst value of the source's scale."""
    high: float | None = None
    """Best value of the source's scale."""


@dataclass(slots=True)
class Judgment:
    """What one annotator said about the options of one context, under one criterion."""

    options: list[Option]
    context: list[Message] = field(default_factory=list)
    ranking: list[list[int]] = field(default_factory=list)
    """Tiers of option indexes, best first. Unjudged options are left out; empty when only rated.

    Options of one tier are tied, so a choice of one among several is several judgments, of two ranked options each.
    """
    verdict: Verdict = "ranked"
    shown: list[int] = field(default_factory=list)
    """The order in which the annotator saw the options; empty when unknown."""
    strength: float | None = None
    """How much better the best is, on the source's own scale."""
    ratings: list[Rating] = field(default_factory=list)
    criterion: str | None = None
    rationale: str | None = None
    annotator: str | None = None
    annotator_kind: AnnotatorKind | None = None
    groups: dict[str, str] = field(default_factory=dict)
    """Communities or demographics of the annotator."""
    weight: float = 1.0
    time: datetime | None = None
    tags: dict[str, Any] = field(default_factory=dict)
    """What the source had and Llull does not name; any JSON value."""
    id: str = ""
    """Content hash unless given."""

    def __post_init__(self) -> None:
        if not self.id:
            self.id = judgment_id(self)

    def problem(self) -> str | None:
        """Say in one line what makes this judgment inconsistent, or return None if it is sound."""
        k = len(self.options)
        if k == 0:
            return "it has no options"
        if self.verdict not in VERDICTS:
            return f"verdict {self.verdict!r} is not one of {', '.join(VERDICTS)}"
        if self.annotator_kind is not None and self.annotator_kind not in ANNOTATOR_KINDS:
            return f"annotator kind {self.annotator_kind!r} is not one of {', '.join(ANNOTATOR_KINDS)}"
        ranked = [index for tier in self.ranking for index in tier]
        if len(set(ranked)) != len(ranked):
            return f"an option is ranked twice in {self.ranking}"
        if any(not tier for tier in self.ranking):
            return f"the ranking {self.ranking} has an empty tier"
        if any(not 0 <= index < k for index in ranked):
            return f"the ranking {self.ranking} names an option beyond the {k} there are"
        if self.shown and sorted(self.shown) != sorted(set(self.shown) & set(range(k))):
            return f"the shown order {self.shown} does not name each of {k} options at most once"
        if any(not 0 <= rating.option < k for rating in self.ratings):
            return f"a rating names an option beyond the {k} there are"
        if any(rating.value != rating.value for rating in self.ratings):
            return "a rating is not a number (leave out what was not rated)"
        if self.verdict == "ranked" and not self.ranking:
            return "its verdict is 'ranked' but it ranks nothing"
        if self.verdict in ("both_good", "both_bad") and len(self.ranking) != 1:
            return f"its verdict is {self.verdict!r}, which needs one tier with all tied options"
        if self.verdict in ("cannot_judge", "rated") and self.ranking:
            return f"its verdict is {self.verdict!r} but it has a ranking"
        if self.verdict == "rated" and not self.ratings:
            return "its verdict is 'rated' but it has no ratings"
        if not self.weight >= 0.0:
            return f"its weight {self.weight} is not a number of at least 0"
        return None


def text_option(text: str, source: str | None = None, role: str = "assistant") -> Option:
    """An option that is one message of text.

    Examples:
        >>> text_option("Yes.", source="model-a").text
        'Yes.'
    """
    return Option([Message(role, text)], source=source, id=_text_option_id(role, text))


def named_option(name: str) -> Option:
    """An option known only by name: a model in a table of battles, a candidate in an election."""
    return Option(source=name, id=name)


def prompt(text: str, system: str | None = None) -> list[Message]:
    """A context of one user message, with an optional system message before it."""
    messages = [Message("user", text)]
    return [Message("system", system), *messages] if system else messages


def content_hash(parts: Any) -> str:
    """Sixteen hexadecimal digits that identify any JSON-like content."""
    return blake2b(_encode(parts).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def context_id(context: Sequence[Message]) -> str:
    """Content hash of a context; the empty context has the empty id."""
    if not context:
        return ""
    if len(context) == 1 and not context[0].media:
        return _text_option_id(context[0].role, context[0].content)
    return content_hash(_plain_messages(context))


def option_id(option: Option) -> str:
    """Content hash of an option's messages and media; its source where it has neither."""
    if not option.messages and not option.media:
        return option.source or ""
    if len(option.messages) == 1 and not option.media and not option.messages[0].media:
        return _text_option_id(option.messages[0].role, option.messages[0].content)
    return content_hash([_plain_messages(option.messages), _plain_media(option.media)])


def judgment_id(judgment: Judgment) -> str:
    """Content hash of what was judged, by whom and with what result, but not of ``tags``."""
    return content_hash(
        [
            context_id(judgment.context),
            [option.id for option in judgment.options],
            judgment.ranking,
            judgment.verdict,
            judgment.shown,
            judgment.strength,
            [(r.option, r.aspect, r.value) for r in judgment.ratings],
            judgment.criterion,
            judgment.rationale,
            judgment.annotator,
            judgment.time,
        ]
    )


# ``json.dumps`` with arguments makes an encoder for every call, which takes longer than most of the encoding.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode


@lru_cache(maxsize=8192)
def _text_option_id(role: str, content: str) -> str:
    # Statements and items recur in thousands of votes; the cache hashes each once.
    return content_hash([role, content])


def _plain_messages(messages: Iterable[Message]) -> list[Any]:
    return [[m.role, m.content, _plain_media(m.media)] for m in messages]


def _plain_media(media: Iterable[Media]) -> list[Any]:
    return [[m.type, m.uri] for m in media]
