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

Turn = Mapping[str, Any]
"""A message: role and content."""

ASSISTANT = "assistant"


@dataclass(frozen=True)
class Piece:
    """A stretch of an option's text."""

    text: str
    scored: bool
    """Whether the policy speaks here; turns of others inside an option are read, not scored."""
    closed: bool = False
    """Whether the template closes the turn within the text; if not, the end-of-text token does."""


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
    """

    tokenizer: Any
    system: str | None = None
    fold_system: bool = False
    tools: Sequence[Any] | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)

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
            "backend": backend.to_str() if backend is not None else "",
            "special": {name: str(token) for name, token in self.tokenizer.special_tokens_map.items()},
            "chat": getattr(self.tokenizer, "chat_template", None),
            "settings": [self.system, self.fold_system, self.tools, dict(self.arguments)],
        }
        return blake2b(json.dumps(content, sort_keys=True, default=str).encode(), digest_size=16).hexdigest()

    def render(self, context: Sequence[Turn], option: Sequence[Turn]) -> Rendered:
        """A context and one option as text.

        Turns at an option's start that are not the assistant's belong to its prompt.

        Args:
            context: what the option responds to.
            option: the option's messages.

        Raises:
            InputError: if the option has no turn of an assistant, or the template cannot be cut.
        """
        context, option = list(context), list(option)
        while option and option[0]["role"] != ASSISTANT:
            context.append(option.pop(0))
        if not option:
            raise InputError(
                "an option without a turn of the assistant has nothing to score; give its message that role"
            )
        context = self._prepared(context)
        return self._chat(context, option) if self.is_chat else self._transcript(context, option)

    def prompt(self, context: Sequence[Turn]) -> str:
        """The text of a context alone, ready for the assistant's turn."""
        prepared = self._prepared(list(context))
        return self._rendering(prepared, True) if self.is_chat else self._transcript_prompt(prepared)

    def _chat(self, context: list[Turn], option: list[Turn]) -> Rendered:
        prompt = self._opening(context, option[0])
        pieces: list[Piece] = []
        done = prompt
        for at, message in enumerate(option):
            before = [*context, *option[:at]]
            if message["role"] != ASSISTANT:
                continue
            opened = done if at == 0 else self._opening(before, message)
            whole = self._rendering([*before, message], False)
            if not opened.startswith(done) or not whole.startswith(opened):
                raise InputError(
                    "the chat template renders a conversation otherwise when it goes on, so options of several turns "
                    "cannot be cut; give the turns before the last as context"
                )
            if opened != done:
                pieces.append(Piece(opened[len(done) :], scored=False))
            pieces.append(Piece(whole[len(opened) :], scored=True, closed=True))
            done = whole
        return Rendered(prompt, tuple(pieces))

    def _opening(self, before: list[Turn], message: Turn) -> str:
        """The text before an assistant's message, the opening of its turn included."""
        opened, plain = self._rendering(before, True), self._rendering(before, False)
        whole = self._rendering([*before, message], False)
        if whole.startswith(opened):
            return opened
        # The generation prompt may open more than the turn, such as a thought that the message does not have.
        shared = _shared_start(opened, whole)
        if (
            shared.startswith(plain)
            and len(shared) > len(plain)
            and opened[len(shared) :].lstrip().startswith("<think")
        ):
            return shared
        raise InputError(
            f"the chat template renders this prompt otherwise before an answer ({opened[len(shared) - 20 :]!r}) than "
            f"with it ({whole[len(shared) - 20 :][:60]!r}); give it arguments that make both agree, such as "
            "enable_thinking, or another chat template"
        )

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


def _shared_start(first: str, second: str) -> str:
    pairs = zip(first, second, strict=False)
    return first[: sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))]
