"""Contexts as the ids that answers are drawn after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from llull.errors import InputError
from llull.judgments.record import Message
from llull.language.sampling.sampler import Prompt
from llull.language.templates import ASSISTANT, Template, Turn
from llull.language.tokens import prompt_ids


class Ready(NamedTuple):
    """A prompt as ids."""

    ids: np.ndarray
    """int32 [t]"""
    opening: str
    """What the template puts between it and the content of an answer, such as a space."""

    @property
    def content(self) -> bytes:
        """What identifies it."""
        return self.ids.tobytes() + self.opening.encode()


def is_messages(prompt: Prompt) -> bool:
    """Whether a prompt is messages rather than ids."""
    return not isinstance(prompt, (np.ndarray, str)) and all(isinstance(turn, (Mapping, Message)) for turn in prompt)


def ready_ids(prompt: Prompt, index: int) -> Ready:
    """A prompt that is given as ids. Raises InputError if it is none, or empty."""
    try:
        ids = np.asarray(prompt)
    except ValueError:
        ids = np.array([])
    if ids.ndim != 1 or not len(ids) or not np.issubdtype(ids.dtype, np.integer):
        raise InputError(f"prompt {index}: give messages with role and content, or at least one id of a token")
    return Ready(ids.astype(np.int32), "")


def ready_prompts(prompts: Sequence[Prompt], template: Template) -> list[Ready]:
    """Each prompt as ids, those of messages by a template."""
    contexts: list[Any] = [prompt for prompt in prompts if is_messages(prompt)]
    encoded = map(Ready, prompt_ids(template, contexts), _openings(contexts, template))
    return [next(encoded) if is_messages(prompt) else ready_ids(prompt, at) for at, prompt in enumerate(prompts)]


def _openings(contexts: Sequence[Sequence[Turn | Message]], template: Template) -> list[str]:
    if not template.is_chat:
        return [_opening(context, template) for context in contexts]
    try:
        return [_opening([{"role": "user", "content": "Is it?"}], template)] * len(contexts)
    except InputError:
        # A template that cannot be cut between prompt and answer says nothing of what stands there.
        return [""] * len(contexts)


def _opening(context: Sequence[Turn | Message], template: Template) -> str:
    content = "Yes."
    said = template.render(context, [{"role": ASSISTANT, "content": content}]).pieces[0].text
    return said[: max(said.find(content), 0)]
