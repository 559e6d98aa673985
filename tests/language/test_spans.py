"""Where tokens end in an option's text, for templates that put much around it."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from small_tokenizers import CHAT_FAMILIES, byte_level, chat_tokenizer, sentencepiece_like

from llull.errors import InputError
from llull.judgments import Judgment, Preferences
from llull.judgments.record import Message, Option, text_option
from llull.language.spans import token_ends
from llull.language.templates import Template
from llull.language.tokens import encode

TEXTS = ["Once upon a time there was a dog.", "  It ran,\nand ran.\n\nThen it slept. ", "Ünïcode – too: 1, 2"]
TOKENIZERS = {"byte level": byte_level, "sentencepiece": sentencepiece_like} | {
    name: partial(chat_tokenizer, name) for name in CHAT_FAMILIES
}


def options_of(*options: Option):
    asked = Judgment(context=[Message("user", "Tell me a story.")], options=list(options), verdict="cannot_judge")
    return Preferences.from_judgments([asked]).options()


@pytest.mark.parametrize("name", TOKENIZERS)
def test_tokens_up_to_a_character_are_the_text_up_to_it(name: str) -> None:
    tokenizer = TOKENIZERS[name]()
    template = Template(tokenizer)
    options = options_of(*map(text_option, TEXTS))
    encoded = encode(options, template)
    for text, ids, ends in zip(options.texts(), encoded.options, token_ends(options, template), strict=True):
        assert len(ids) - 1 <= len(ends) <= len(ids)
        assert (np.diff(ends) >= 0).all()
        assert ends[-1] >= len(text.rstrip())
        for count, end in enumerate(ends[:-1].tolist(), 1):
            begun = tokenizer.decode(ids[:count])
            if "�" in begun or "<unk>" in begun:  # parts of a character, and what a vocabulary lacks
                continue
            words = text[:end].split()
            # Some templates put an empty thought before the text.
            assert begun.split()[-len(words) :] == words or not words


def test_options_of_several_turns_are_refused() -> None:
    turns = Option([Message("assistant", "Yes."), Message("user", "Sure?"), Message("assistant", "No.")])
    with pytest.raises(InputError, match="several turns"):
        token_ends(options_of(turns), Template(chat_tokenizer("chatml")))


def test_a_tokenizer_that_does_not_say_is_refused() -> None:
    class Slow:
        is_fast = False
        chat_template = None

    with pytest.raises(InputError, match="fast version"):
        token_ends(options_of(text_option("Yes.")), Template(Slow()))
