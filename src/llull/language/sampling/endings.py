"""Where samples end: at tokens that end a turn, and before stop strings; and the text that is left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from llull.errors import InputError
from llull.judgments import Judgment, Preferences, Rating, prompt, text_option
from llull.language.templates import Template
from llull.language.tokens import encode

_SLACK = 8


def end_ids(model: Any, template: Template) -> np.ndarray:
    """The tokens that end a sample: the tokenizer's and the model's own, and the end of a turn of the template.

    Args:
        model: of transformers, whose generation configuration may name some.
        template: how conversations become text.

    Returns:
        int64 [k], rising.
    """
    found = {template.tokenizer.eos_token_id, _turn_end(template)}
    configured = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    found.update(configured if isinstance(configured, (list, tuple)) else [configured])
    return np.array(sorted(one for one in found if one is not None), np.int64)


def _turn_end(template: Template) -> int | None:
    said = Judgment([text_option("Yes.")], prompt("Is it?"), verdict="rated", ratings=[Rating(0, "accept", 1.0)])
    try:
        encoded = encode(Preferences.from_judgments([said]).accepts().options, template)
    except InputError:
        # Templates that cannot be cut, or without an end, can be sampled from: the model's own tokens end its answers.
        return None
    return int(encoded.options[0][-1])


class Endings:
    """Finds where samples end, and makes text of them.

    Args:
        tokenizer: of transformers.
        ends: int64 [k] ids that end a sample.
        stop: strings that end a sample.
    """

    def __init__(self, tokenizer: Any, ends: np.ndarray, stop: Sequence[str]) -> None:
        self.tokenizer, self.ends, self.stop = tokenizer, ends, tuple(stop)
        # No token stands for less than a byte, but for a few that stand for nothing.
        self._reach = max((len(text.encode()) for text in stop), default=0) + _SLACK
        # Some tokenizers leave out the space before the first word; behind a letter they do not.
        self._guard: list[int] = tokenizer("a", add_special_tokens=False)["input_ids"][-1:]
        self._guard_text = self._plain(self._guard, skip_special=True)

    def ended(self, ids: np.ndarray) -> np.ndarray:
        """Which of the newest tokens, int64 [rows], end their samples: bool [rows]."""
        return np.isin(ids, self.ends)

    def stopped(self, ids: np.ndarray) -> bool:
        """Whether a sample, [t] ids, has a stop string; it had none without its last token."""
        if not self.stop:
            return False
        tail = self._decode(ids[-self._reach :], skip_special=False)
        # A tail may begin within a character, so the whole decides.
        return (
            any(text in tail for text in self.stop) and self._stop_at(self._decode(ids, skip_special=False)) is not None
        )

    def text(self, ids: np.ndarray, stopped: bool) -> str:
        """The text of a sample, [t] ids, without its last token if that ends it, and cut before a stop string."""
        if not stopped:
            return self._decode(ids[:-1] if len(ids) and ids[-1] in self.ends else ids)
        text = self._decode(ids)
        at = self._stop_at(text)
        if at is not None:
            return text[:at]
        # The stop string is a special token, or has one: what stands before the first token that belongs to it.
        whole = self._decode(ids, skip_special=False)
        at = self._stop_at(whole)
        kept = len(ids)
        while kept and len(self._decode(ids[:kept], skip_special=False)) > (len(whole) if at is None else at):
            kept -= 1
        return self._decode(ids[:kept])

    def _stop_at(self, text: str) -> int | None:
        places = [at for at in map(text.find, self.stop) if at >= 0]
        return min(places, default=None)

    def _decode(self, ids: np.ndarray, skip_special: bool = True) -> str:
        guarded = self._plain([*self._guard, *ids.tolist()], skip_special)
        if guarded.startswith(self._guard_text):
            return guarded[len(self._guard_text) :]
        return self._plain(ids.tolist(), skip_special)

    def _plain(self, ids: list[int], skip_special: bool) -> str:
        """Decoded, without special tokens if those are to be skipped."""
        return self.tokenizer.decode(ids, skip_special_tokens=skip_special, clean_up_tokenization_spaces=False)
