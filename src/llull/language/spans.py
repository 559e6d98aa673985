"""Where an option's tokens end in its text, so that what is known of a span of text is known of its tokens."""

from __future__ import annotations

from typing import Any

import numpy as np

from llull.errors import InputError
from llull.judgments.views import Options
from llull.language.templates import Template
from llull.language.tokens import messages_of


def token_ends(options: Options, template: Template) -> list[np.ndarray]:
    """For each option, the character of its text after each of its tokens.

    Tokens that belong to the template rather than to the text, such as the end of the turn, end where the text does.

    Args:
        options: unique options of one message each.
        template: how conversations become text.

    Returns:
        For each option int64 [its tokens, as `llull.language.tokens.encode` makes them before anything is cut; a last
        token that only closes the text may be missing].

    Raises:
        InputError: if an option has several turns, if the template changes its text, or if the tokenizer does not say
            where its tokens are.
    """
    if not getattr(template.tokenizer, "is_fast", False):
        raise InputError(
            "this tokenizer does not say which characters its tokens stand for, so spans of text cannot be found in "
            "tokens; load its fast version"
        )
    contexts, said = messages_of(options)
    pieces: list[str] = []
    for i, context in enumerate(options.context.tolist()):
        rendered = template.render(contexts[context], said[i])
        if len(rendered.pieces) != 1:
            raise InputError(f"option {options.ids[i]} has several turns; spans are of options of one message")
        pieces.append(rendered.pieces[0].text)
    texts = [turns[-1]["content"] for turns in said]
    found = []
    for i, (piece, text, ends) in enumerate(zip(pieces, texts, _ends(template.tokenizer, pieces), strict=True)):
        inner = text.strip()
        start = piece.find(inner)
        if start < 0:
            raise InputError(f"the chat template changes the text of option {options.ids[i]}, so spans cannot be found")
        leading = len(text) - len(text.lstrip())
        found.append(np.clip(ends - start + leading, 0, len(text)))
    return found


def _ends(tokenizer: Any, texts: list[str]) -> list[np.ndarray]:
    """int64 for each text that follows another: where its tokens end, tokenized as `llull.language.tokens` does."""
    plain = tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    single = tokenizer.convert_ids_to_tokens(tokenizer("a", add_special_tokens=False)["input_ids"])
    alone = [_last(offsets) for offsets in plain["offset_mapping"]]
    if not single or not single[0].startswith("▁"):
        return alone
    guard = tokenizer("\n", add_special_tokens=False)["input_ids"]
    behind = tokenizer(
        [f"\n{text}" for text in texts], add_special_tokens=False, return_offsets_mapping=True, verbose=False
    )
    return [
        _last(offsets[len(guard) :]) - 1 if ids[: len(guard)] == guard else ends
        for ids, offsets, ends in zip(behind["input_ids"], behind["offset_mapping"], alone, strict=True)
    ]


def _last(offsets: list[tuple[int, int]]) -> np.ndarray:
    return np.array([end for _, end in offsets], np.int64)
