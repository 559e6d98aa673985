"""Contexts and options as tokens: each prompt once, options appended as ids, every cut counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llull.errors import InputError
from llull.judgments.columns import lists
from llull.judgments.record import Message
from llull.judgments.views import Options
from llull.language.templates import Piece, Rendered, Template, Turn

Cutting = Literal["error", "drop", "prompt_left", "option_right"]
"""What is done with what is longer than allowed: stop; leave the option out; cut prompts at their beginning, or
options at their end."""


@dataclass(frozen=True)
class Cut:
    """What was cut or left out to keep within the limits."""

    prompts: int = 0
    """Contexts that lost tokens at their beginning."""
    prompt_tokens: int = 0
    options: int = 0
    """Options that lost tokens at their end; they have no end-of-turn token."""
    option_tokens: int = 0
    dropped: tuple[str, ...] = ()
    """Ids of the options that were left out."""

    def line(self) -> str:
        """One line to print; empty if nothing was cut."""
        said = []
        if self.prompts:
            said.append(f"{self.prompts:,} contexts cut at their beginning by {self.prompt_tokens:,} tokens")
        if self.options:
            said.append(f"{self.options:,} options cut at their end by {self.option_tokens:,} tokens")
        if self.dropped:
            said.append(f"{len(self.dropped):,} options too long and left out")
        return "; ".join(said)


@dataclass(frozen=True)
class Encoded:
    """Contexts and options as tokens."""

    prompts: tuple[np.ndarray, ...]
    """int32 ids of each different prompt."""
    options: tuple[np.ndarray, ...]
    """int32 ids of each option, to be appended to its prompt; a whole option ends in an end-of-turn token."""
    scored: tuple[np.ndarray | None, ...]
    """bool for each option's tokens: whether the policy speaks there; None where it always does."""
    prompt: np.ndarray
    """int64 [n]: the prompt of each option."""
    whole: np.ndarray
    """bool [n]: whether an option has all its tokens."""
    kept: np.ndarray
    """bool [n]: False where an option is left out as too long."""
    cut: Cut = field(default_factory=Cut)


def encode(
    options: Options,
    template: Template,
    *,
    max_tokens: int | None = None,
    max_prompt_tokens: int | None = None,
    cut: Cutting = "error",
) -> Encoded:
    """Turn options, under their contexts, into tokens.

    Args:
        options: unique options with messages.
        template: how conversations become text.
        max_tokens: of a prompt and one option together.
        max_prompt_tokens: of a prompt.
        cut: what is done with what is longer. Prompts that are too long are cut at their beginning, after a
            beginning-of-text token, unless ``cut`` says to stop or to leave out.

    Raises:
        InputError: if an option has no messages or no tokens, if something is too long and ``cut`` is "error", if
            an option would be cut to nothing, or if none has room.
    """
    if cut not in get_args(Cutting):
        raise InputError(f"cut is {cut!r}; it is one of {', '.join(get_args(Cutting))}")
    for name, limit in {"max_tokens": max_tokens, "max_prompt_tokens": max_prompt_tokens}.items():
        if limit is not None and limit < 1:
            raise InputError(f"{name} is {limit}; it must be at least 1")
    contexts, said = messages_of(options)
    rendered = [template.render(contexts[c], said[i]) for i, c in enumerate(options.context.tolist())]
    texts = list(dict.fromkeys(one.prompt for one in rendered))
    number = {text: at for at, text in enumerate(texts)}
    prompts = _prompt_ids(template, texts)
    ids, masks = _option_ids(template, rendered)
    for i, one in enumerate(ids):
        if not len(one):
            raise InputError(f"option {options.ids[i]} has no tokens; leave it out")
    prompt = np.array([number[one.prompt] for one in rendered], np.int64)
    whole = Encoded(tuple(prompts), tuple(ids), tuple(masks), prompt, np.ones(len(ids), bool), np.ones(len(ids), bool))
    return _fit(whole, options, template, max_tokens, max_prompt_tokens, cut)


def prompt_ids(template: Template, contexts: Sequence[Sequence[Turn | Message]]) -> list[np.ndarray]:
    """int32 ids of each context, ready for the assistant's turn: what a sampler starts from."""
    return _prompt_ids(template, [template.prompt(context) for context in contexts])


def messages_of(options: Options) -> tuple[list[list[Turn]], list[list[Turn]]]:
    """The messages of each context, in the numbering of ``options.context``, and those of each option.

    Raises:
        InputError: if an option has no messages.
    """
    if not bool(options.with_text.all()):
        at = int(np.flatnonzero(~options.with_text)[0])
        raise InputError(
            f"option {options.ids[at]} has no text, only a name or media, which a language model cannot score"
        )
    first = np.zeros(int(options.context.max()) + 1 if len(options) else 0, np.int64)
    first[options.context[::-1]] = options.row[::-1]
    contexts = options.table["context"].take(pa.array(first)).to_pylist()
    shown = lists(options.table["options"])
    at = shown.start[options.row] + options.position
    return contexts, pc.struct_field(shown.values, "messages").take(pa.array(at)).to_pylist()


def _prompt_ids(template: Template, texts: list[str]) -> list[np.ndarray]:
    tokenizer = template.tokenizer
    if not texts:
        return []
    found = _ids(tokenizer, texts, special=not template.is_chat)
    eos, bos = tokenizer.eos_token_id, tokenizer.bos_token_id
    made = []
    for text, ids in zip(texts, found, strict=True):
        # Some tokenizers close every text; a prompt goes on.
        while (
            not template.is_chat
            and len(ids) > (bos == eos)
            and ids[-1] == eos
            and not text.endswith(str(tokenizer.eos_token))
        ):
            ids = ids[:-1]
        start = ids or [token for token in (bos, eos) if token is not None][:1]
        if not start:
            raise InputError("an empty context, and the tokenizer has no token to begin a text with; give a context")
        made.append(np.array(start, np.int32))
    return made


def _option_ids(template: Template, rendered: list[Rendered]) -> tuple[list[np.ndarray], list[np.ndarray | None]]:
    pieces = [piece for one in rendered for piece in one.pieces]
    tokens = _apart(template.tokenizer, [piece.text for piece in pieces])
    ids: list[np.ndarray] = []
    masks: list[np.ndarray | None] = []
    at = 0
    for one in rendered:
        joined: list[int] = []
        mask: list[bool] = []
        for piece in one.pieces:
            said = _ended(template.tokenizer, piece, tokens[at])
            at += 1
            joined += said
            mask += [piece.scored] * len(said)
        ids.append(np.array(joined, np.int32))
        masks.append(None if all(mask) else np.array(mask))
    return ids, masks


def _apart(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    """Ids of texts that follow others: without beginning or end, and without the space some tokenizers put first."""
    if not texts:
        return []
    plain = _ids(tokenizer, texts)
    guard = tokenizer("\n", add_special_tokens=False)["input_ids"]
    single = tokenizer.convert_ids_to_tokens(tokenizer("a", add_special_tokens=False)["input_ids"])
    if not single or not single[0].startswith("▁"):
        return plain
    guarded = _ids(tokenizer, [f"\n{text}" for text in texts])
    return [
        behind[len(guard) :] if behind[: len(guard)] == guard else alone
        for behind, alone in zip(guarded, plain, strict=True)
    ]


def _ids(tokenizer: Any, texts: list[str], special: bool = False) -> list[list[int]]:
    found = tokenizer(texts, add_special_tokens=special, return_attention_mask=False, verbose=False)
    return found["input_ids"]


def _ended(tokenizer: Any, piece: Piece, ids: list[int]) -> list[int]:
    """A turn's ids with the token that ends it."""
    if piece.closed or not piece.scored:
        return ids
    if tokenizer.eos_token_id is None:
        raise InputError("the tokenizer has no end-of-text token, so an option could not end; set its eos_token")
    return ids if ids and ids[-1] == tokenizer.eos_token_id else [*ids, tokenizer.eos_token_id]


def _fit(
    made: Encoded,
    options: Options,
    template: Template,
    max_tokens: int | None,
    max_prompt_tokens: int | None,
    cut: Cutting,
) -> Encoded:
    """Keep within the limits."""
    size = np.array([len(ids) for ids in made.options], np.int64)
    prompt_size = np.array([len(ids) for ids in made.prompts], np.int64)
    limit = np.iinfo(np.int64).max if max_tokens is None else max_tokens
    prompt_limit = np.full(len(prompt_size), limit if max_prompt_tokens is None else min(max_prompt_tokens, limit))
    long = (prompt_size[made.prompt] + size > limit) | (prompt_size > prompt_limit)[made.prompt]
    if not long.any():
        return made
    if cut == "error":
        at = int(np.flatnonzero(long)[0])
        raise InputError(
            f"{int(long.sum()):,} of {len(long):,} options are too long (the first, {options.ids[at]}, has "
            f"{prompt_size[made.prompt[at]]:,} + {size[at]:,} tokens); raise max_tokens, or say how to cut: drop, "
            "prompt_left or option_right"
        )
    ids = options.ids
    if cut == "drop":
        dropped = tuple(ids[i] for i in np.flatnonzero(long))
        return _with(made, kept=~long, cut=Cut(dropped=dropped))
    alone = np.zeros(len(size), bool)
    if cut == "prompt_left":
        # An option that leaves its prompt no room is left out; the others of its context share one cut prompt.
        alone = size >= limit
        longest = np.zeros(len(prompt_size), np.int64)
        np.maximum.at(longest, made.prompt[~alone], size[~alone])
        prompt_limit = np.minimum(prompt_limit, limit - longest)
    prompts = [_cut_prompt(template, p, int(n)) for p, n in zip(made.prompts, prompt_limit, strict=True)]
    lengths = np.array([len(p) for p in prompts], np.int64)
    room = limit - lengths[made.prompt]
    alone |= room < 1
    if alone.all():
        raise InputError(f"no option has room within max_tokens {max_tokens}; raise it, or lower max_prompt_tokens")
    cut_options = [o if len(o) <= r or a else o[:r] for o, r, a in zip(made.options, room, alone, strict=True)]
    masks = [None if m is None else m[: len(o)] for m, o in zip(made.scored, cut_options, strict=True)]
    alone |= np.array([m is not None and not m.any() for m in masks])
    if cut == "option_right" and alone.any():
        at = int(np.flatnonzero(alone)[0])
        raise InputError(
            f"{int(alone.sum()):,} of {len(alone):,} options would be cut to nothing, as their contexts fill "
            f"max_tokens {max_tokens} (the first is {ids[at]}); lower max_prompt_tokens, raise max_tokens, or drop"
        )
    used = np.isin(np.arange(len(prompts)), made.prompt[~alone])
    lost = size - np.array([len(o) for o in cut_options])
    shorter = (lost > 0) & ~alone
    done = Cut(
        prompts=int((lengths < prompt_size)[used].sum()),
        prompt_tokens=int((prompt_size - lengths)[used].sum()),
        options=int(shorter.sum()),
        option_tokens=int(lost[shorter].sum()),
        dropped=tuple(ids[i] for i in np.flatnonzero(alone)),
    )
    return Encoded(tuple(prompts), tuple(cut_options), tuple(masks), made.prompt, ~(shorter | alone), ~alone, done)


def _cut_prompt(template: Template, ids: np.ndarray, limit: int) -> np.ndarray:
    limit = max(limit, 1)
    if len(ids) <= limit:
        return ids
    if limit > 1 and ids[0] == template.tokenizer.bos_token_id:
        return np.concatenate([ids[:1], ids[len(ids) - limit + 1 :]])
    return ids[-limit:]


def _with(made: Encoded, kept: np.ndarray, cut: Cut) -> Encoded:
    return Encoded(made.prompts, made.options, made.scored, made.prompt, made.whole & kept, kept, cut)
