"""Templates: how a conversation becomes text, cut where the prompt ends and the option begins."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from itertools import takewhile
from typing import Any

from llull.errors import InputError
from llull.judgments.record import Message

Turn = Mapping[str, Any]
"""A message: role and content."""

ASSISTANT = "assistant"

_SAMPLE = "Sample"
"""An answer that no template has a reason to change, to see what a template puts around answers."""


@dataclass(frozen=True)
class Piece:
    """A stretch of an option's text."""

    text: str
    scored: bool
    """Whether the policy speaks here; turns of others inside an option are read, not scored."""
    closed: bool = False
    """Whether the text ends in the template's own end of the turn; if not, the end-of-text token closes it."""


@dataclass(frozen=True)
class Rendered:
    """A context and one option as text."""

    prompt: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Template:
    """How conversations become text and tokens, for one tokenizer.

    With a chat template, the prompt is what the tokenizer renders for the context with the opening of an assistant's
    turn; the option is the rest of what it renders for context and option together. Without one (base models), a
    context of one message is its text and the option follows as it is; a context of several turns is a transcript,
    ``Role: content`` with blank lines between, that ends in ``Assistant:``, and the option follows after a space.

    Args:
        tokenizer: of transformers.
        system: a system message for contexts that have none.
        fold_system: put system messages at the head of the first user message, for templates that know no system role.
        tools: tools that the template may show.
        arguments: what else its chat template takes, such as ``enable_thinking``.

    Raises:
        InputError: if tools or arguments are given for a tokenizer without a chat template.
    """

    tokenizer: Any
    system: str | None = None
    fold_system: bool = False
    tools: Sequence[Any] | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.tools or self.arguments) and not self.is_chat:
            raise InputError(
                "tools and arguments need a chat template, which this tokenizer has not; leave them out, or set "
                "its chat_template"
            )

    @property
    def is_chat(self) -> bool:
        """Whether the tokenizer has a chat template."""
        return bool(getattr(self.tokenizer, "chat_template", None))

    @cached_property
    def fingerprint(self) -> str:
        """Thirty-two hexadecimal digits: vocabulary, special tokens, chat template and settings."""
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        content = {
            "vocabulary": sorted(self.tokenizer.get_vocab().items()),
            "backend": _as_made(backend.to_str()) if backend is not None else "",
            "special": {name: str(token) for name, token in self.tokenizer.special_tokens_map.items()},
            "chat": getattr(self.tokenizer, "chat_template", None),
            "settings": [self.system, self.fold_system, _schemas(self.tools), dict(self.arguments)],
        }
        return blake2b(json.dumps(content, sort_keys=True, default=str).encode(), digest_size=16).hexdigest()

    def render(self, context: Sequence[Turn | Message], option: Sequence[Turn | Message]) -> Rendered:
        """A context and one option as text.

        Turns at an option's start that are not the assistant's belong to its prompt.

        Args:
            context: what the option responds to.
            option: the option's messages.

        Raises:
            InputError: if the option has no turn of an assistant, or the template cannot be cut.
        """
        before, said = [as_turn(turn) for turn in context], [as_turn(turn) for turn in option]
        while said and said[0]["role"] != ASSISTANT:
            before.append(said.pop(0))
        if not said:
            raise InputError(
                "an option without a turn of the assistant has nothing to score; give its message that role"
            )
        before = self._prepared(before)
        return self._chat(before, said) if self.is_chat else self._transcript(before, said)

    def prompt(self, context: Sequence[Turn | Message]) -> str:
        """The text of a context alone, ready for the assistant's turn."""
        prepared = self._prepared([as_turn(turn) for turn in context])
        return self._rendering(prepared, True) if self.is_chat else self._transcript_prompt(prepared)

    def _chat(self, context: list[Turn], option: list[Turn]) -> Rendered:
        prompt, done = "", ""
        pieces: list[Piece] = []
        for at, message in enumerate(option):
            if message["role"] != ASSISTANT:
                continue
            before = [*context, *option[:at]]
            whole = self._rendering([*before, message], False)
            opened = self._opening(before, whole)
            if at == 0:
                prompt = done = opened
            if not opened.startswith(done):
                raise InputError(
                    "the chat template renders a conversation otherwise when it goes on, so options of several turns "
                    "cannot be cut; give the turns before the last as context"
                )
            if opened != done:
                pieces.append(Piece(opened[len(done) :], scored=False))
            piece, behind = self._closed(whole[len(opened) :])
            pieces.append(piece)
            # What stands behind the end of a turn opens the next one, if there is one.
            done = whole[: len(whole) - len(behind)]
        return Rendered(prompt, tuple(pieces))

    def _opening(self, before: list[Turn], whole: str) -> str:
        """The text before an assistant's message, the opening of its turn included."""
        opened = self._rendering(before, True)
        if whole.startswith(opened):
            return opened
        # The generation prompt may open more than the turn, such as a thought that the message does not have. What
        # stands before any answer is then the opening, if generation and answer both begin with it.
        header = self._around(before)[0]
        if opened.startswith(header) and whole.startswith(header):
            return header
        pairs = zip(opened, whole, strict=False)
        begin = max(sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs)) - 20, 0)
        raise InputError(
            f"the chat template renders this prompt otherwise before an answer ({opened[begin:][:60]!r}) than "
            f"with it ({whole[begin:][:60]!r}); give it arguments that make both agree, such as "
            "enable_thinking, or another chat template"
        )

    def _closed(self, said: str) -> tuple[Piece, str]:
        """An assistant's text up to the end of its turn, and what the template puts behind that."""
        lead, mark, behind = self._ending
        if not said.endswith(lead + mark + behind):
            raise InputError(
                f"the chat template ends this answer with {said[-30:]!r} and others with "
                f"{lead + mark + behind!r}, so its end cannot be told; use another chat template"
            )
        if not mark:
            return Piece(said, scored=True), ""
        text = said[: len(said) - len(lead + mark + behind)]
        # An answer that brings the mark along is closed once all the same.
        while text.endswith(mark):
            text = text[: -len(mark)]
        return Piece(text + lead + mark, scored=True, closed=True), behind

    @cached_property
    def _ending(self) -> tuple[str, str, str]:
        """What the template puts behind an answer: before the token that ends the turn, that token, and after it."""
        behind = self._around([{"role": "user", "content": _SAMPLE}])[1]
        known = {*self.tokenizer.all_special_tokens, *self.tokenizer.get_added_vocab()}
        found = [(behind.index(mark), -len(mark), mark) for mark in known if mark.strip() and mark in behind]
        if not found:
            return behind, "", ""
        at, _, mark = min(found)
        return behind[:at], mark, behind[at + len(mark) :]

    def _around(self, before: list[Turn]) -> tuple[str, str]:
        """The text that the template puts before and behind any answer."""
        whole = self._rendering([*before, {"role": ASSISTANT, "content": _SAMPLE}], False)
        opening, shown, behind = whole.rpartition(_SAMPLE)
        if not shown:
            raise InputError("the chat template does not show what the assistant says; use another chat template")
        return opening, behind

    def _rendering(self, messages: list[Turn], opened: bool) -> str:
        try:
            return self.tokenizer.apply_chat_template(
                [{"role": turn["role"], "content": turn["content"]} for turn in messages],
                tools=self.tools,
                add_generation_prompt=opened,
                tokenize=False,
                **self.arguments,
            )
        except Exception as fault:  # a template may raise what it likes
            roles = ", ".join(str(turn["role"]) for turn in messages)
            way = "; set fold_system" if messages and messages[0]["role"] == "system" else ""
            raise InputError(f"the chat template refuses a conversation of {roles}: {fault}{way}") from fault

    def _transcript(self, context: list[Turn], option: list[Turn]) -> Rendered:
        prompt = self._transcript_prompt(context)
        if len(option) == 1:
            text = str(option[0]["content"])
            return Rendered(prompt, (Piece(text if len(context) < 2 else f" {text}", scored=True),))
        pieces = [Piece(f" {option[0]['content']}", scored=True)]
        for turn in option[1:]:
            said = str(turn["content"])
            if turn["role"] == ASSISTANT:
                pieces += [Piece("\n\nAssistant:", scored=False), Piece(f" {said}", scored=True)]
            else:
                pieces.append(Piece(f"\n\n{str(turn['role']).capitalize()}: {said}", scored=False))
        return Rendered(prompt if len(context) > 1 else f"{prompt}\n\nAssistant:", tuple(pieces))

    @staticmethod
    def _transcript_prompt(context: list[Turn]) -> str:
        if len(context) < 2:
            return str(context[0]["content"]) if context else ""
        said = [f"{str(turn['role']).capitalize()}: {turn['content']}" for turn in context]
        return "\n\n".join([*said, "Assistant:"])

    def _prepared(self, context: list[Turn]) -> list[Turn]:
        if self.system is not None and not any(turn["role"] == "system" for turn in context):
            context = [{"role": "system", "content": self.system}, *context]
        if not self.fold_system or not context or context[0]["role"] != "system":
            return context
        if len(context) < 2 or context[1]["role"] != "user":
            return [{"role": "user", "content": context[0]["content"]}, *context[1:]]
        folded = f"{context[0]['content']}\n\n{context[1]['content']}"
        return [{"role": "user", "content": folded}, *context[2:]]


def as_turn(message: Turn | Message) -> Turn:
    """A message as role and content.

    Raises:
        InputError: if it is a judgment's message with media.
    """
    if not isinstance(message, Message):
        return message
    if message.media:
        raise InputError(
            f"a message of the {message.role} has media ({message.media[0].type}), which language models are not shown "
            "here; leave the media out, or the prompt"
        )
    return {"role": message.role, "content": message.content}


def _as_made(backend: str) -> str:
    """A fast tokenizer without the padding and truncation of its last call, which are no part of it."""
    content = json.loads(backend)
    return json.dumps({name: part for name, part in content.items() if name not in ("padding", "truncation")})


def _schemas(tools: Sequence[Any] | None) -> list[Any] | None:
    """Tools as templates see them; functions have no name of their own that is the same in every process."""
    if tools is None:
        return None
    from transformers.utils.chat_template_utils import get_json_schema

    return [get_json_schema(tool) if callable(tool) else tool for tool in tools]
