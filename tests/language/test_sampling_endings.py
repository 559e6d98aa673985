"""Stop strings wherever they fall among tokens, and the text before them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_tokenizers import byte_level, chat_tokenizer, sentencepiece_like

from llull.language.sampling.endings import Endings, end_ids
from llull.language.templates import Template

TOKENIZERS = {"byte-level": byte_level(), "sentencepiece": sentencepiece_like()}
ENDS = np.array([1])


def until_stopped(endings: Endings, ids: list[int]) -> int | None:
    """Number of tokens after which a sample is found to have stopped, if it is."""
    return next((n for n in range(1, len(ids) + 1) if endings.stopped(np.array(ids[:n]))), None)


@pytest.mark.parametrize("name", list(TOKENIZERS))
@given(data=st.data())
@settings(max_examples=80, deadline=None)
def test_a_stop_string_is_found_with_the_token_that_completes_it(name: str, data: Any) -> None:
    tokenizer = TOKENIZERS[name]
    alphabet = " abcdehiklnoprstu.?\n" + ("é€" if name == "byte-level" else "")
    pieces = data.draw(st.lists(st.text(alphabet, min_size=1, max_size=9), min_size=1, max_size=6))
    ids = [one for piece in pieces for one in tokenizer(piece, add_special_tokens=False)["input_ids"]]
    stop = tuple(data.draw(st.lists(st.text(alphabet, min_size=1, max_size=5), min_size=1, max_size=3)))
    endings = Endings(tokenizer, ENDS, stop)
    plain = Endings(tokenizer, ENDS, ())
    texts = [plain.text(np.array(ids[:n]), False) for n in range(1, len(ids) + 1)]
    with_stop = [n for n, text in enumerate(texts, 1) if any(one in text for one in stop)]
    found = until_stopped(endings, ids)
    assert found == (with_stop[0] if with_stop else None)
    if found is not None:
        whole = texts[found - 1]
        assert (
            endings.text(np.array(ids[:found]), True) == whole[: min(whole.find(one) for one in stop if one in whole)]
        )


@pytest.mark.parametrize("name", list(TOKENIZERS))
def test_the_space_at_the_beginning_is_kept(name: str) -> None:
    tokenizer = TOKENIZERS[name]
    ids = tokenizer("a dog", add_special_tokens=False)["input_ids"]
    at = next(n for n in range(len(ids)) if tokenizer.decode(ids[:n]) == "a")
    assert Endings(tokenizer, ENDS, ()).text(np.array(ids[at:]), False) == " dog"


def test_a_stop_string_with_special_tokens_is_found_and_the_text_has_none() -> None:
    tokenizer = chat_tokenizer("chatml")
    ids = np.array(tokenizer("Yes.<|im_end|>\n<|im_start|>user", add_special_tokens=False)["input_ids"])
    endings = Endings(tokenizer, ENDS, ("<|im_end|>\n<|im_start|>",))
    found = until_stopped(endings, ids.tolist())
    assert found is not None
    assert tokenizer.decode(ids[:found]).endswith("<|im_start|>")
    assert endings.text(ids[:found], True) == "Yes."


def test_the_token_that_ends_a_sample_is_no_part_of_its_text() -> None:
    tokenizer = TOKENIZERS["byte-level"]
    ids = np.array([*tokenizer("Yes.", add_special_tokens=False)["input_ids"], 1])
    endings = Endings(tokenizer, ENDS, ())
    assert endings.ended(ids).tolist() == [False] * (len(ids) - 1) + [True]
    assert endings.text(ids, False) == "Yes."


@pytest.mark.parametrize(
    ("family", "end"), [("chatml", "<|im_end|>"), ("llama-3", "<|eot_id|>"), ("gemma-2", "<end_of_turn>")]
)
def test_the_end_of_a_turn_is_among_the_ends(family: str, end: str) -> None:
    tokenizer = chat_tokenizer(family)
    ends = end_ids(None, Template(tokenizer)).tolist()
    assert ends == sorted({tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids(end)})
