"""Cutting to a limit: what is lost is counted, nothing is lost in silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_tokenizers import chat_tokenizer
from test_templates import SEVERAL, preferences

import llull
from llull.errors import InputError
from llull.judgments import Judgment, Preferences
from llull.judgments.record import Message, Option
from llull.language.templates import Template
from llull.language.tokens import encode

TEMPLATE = Template(chat_tokenizer("chatml"))
ANSWERS = ["No.", "Once upon a time there was a little dog who liked to run and play. " * 3, "yes or no? " * 2]


def lengths(ids: tuple[np.ndarray, ...]) -> np.ndarray:
    return np.array([len(each) for each in ids])


def test_without_limits_nothing_is_cut() -> None:
    made = encode(preferences(SEVERAL, ANSWERS).pairs().options, TEMPLATE)
    assert made.kept.all()
    assert made.whole.all()
    assert made.cut.line() == ""


def test_too_long_is_an_error_unless_it_is_said_how_to_cut() -> None:
    options = preferences(SEVERAL, ANSWERS).pairs().options
    with pytest.raises(InputError, match=r"1 of 3 options are too long .* raise max_tokens"):
        encode(options, TEMPLATE, max_tokens=90)


def test_dropped_options_are_named() -> None:
    options = preferences(SEVERAL, ANSWERS).pairs().options
    made = encode(options, TEMPLATE, max_tokens=90, cut="drop")
    assert made.kept.tolist() == [True, False, True]
    assert made.cut.dropped == (options.ids[1],)
    assert made.cut.line() == "1 options too long and left out"


def test_cut_options_do_not_end_their_turn_and_are_counted() -> None:
    options = preferences(SEVERAL, ANSWERS).pairs().options
    plain = encode(options, TEMPLATE)
    made = encode(options, TEMPLATE, max_tokens=90, cut="option_right")
    closing = TEMPLATE.tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert made.whole.tolist() == [True, False, True]
    assert made.options[1][-1] != closing
    assert len(made.prompts[0]) + len(made.options[1]) == 90
    assert made.cut.option_tokens == (lengths(plain.options) - lengths(made.options)).sum()
    assert "1 options cut at their end" in made.cut.line()


def test_cut_prompts_lose_their_beginning_for_all_their_options_alike() -> None:
    options = preferences(SEVERAL, ANSWERS).pairs().options
    plain = encode(options, TEMPLATE)
    made = encode(options, TEMPLATE, max_tokens=90, cut="prompt_left")
    assert made.whole.all()
    assert len(made.prompts) == 1
    np.testing.assert_array_equal(made.prompts[0], plain.prompts[0][-len(made.prompts[0]) :])
    assert max(lengths(made.options)) + len(made.prompts[0]) == 90
    assert made.cut.prompt_tokens == len(plain.prompts[0]) - len(made.prompts[0])


def test_the_beginning_of_text_survives_a_cut_prompt() -> None:
    template = Template(chat_tokenizer("llama-3"))
    made = encode(preferences(SEVERAL, ["No."]).pairs().options, template, max_prompt_tokens=20, cut="prompt_left")
    assert len(made.prompts[0]) == 20
    assert made.prompts[0][0] == template.tokenizer.bos_token_id


def test_a_limit_that_leaves_no_room_is_an_error() -> None:
    with pytest.raises(InputError, match="no option has room"):
        encode(preferences(SEVERAL, ["No."]).pairs().options, TEMPLATE, max_tokens=3, cut="option_right")


def test_an_option_cut_to_nothing_is_an_error_even_if_others_have_room() -> None:
    short, long = preferences([("user", "Hi.")], ["No.", "Yes."]), preferences(SEVERAL, ["No.", "Yes."])
    options = Preferences.concat([short, long]).pairs().options
    with pytest.raises(InputError, match=r"2 of 4 options would be cut to nothing.*max_prompt_tokens"):
        encode(options, TEMPLATE, max_tokens=40, cut="option_right")
    made = encode(options, TEMPLATE, max_tokens=40, max_prompt_tokens=30, cut="option_right")
    assert made.kept.all()
    assert made.cut.prompts == 1


def test_contexts_of_which_no_option_is_left_are_not_counted_as_cut() -> None:
    options = preferences([("user", "Tell me a story. " * 8)], ["little dog " * 40, "No."]).pairs().options
    made = encode(options, TEMPLATE, max_tokens=40, cut="prompt_left")
    assert made.kept.tolist() == [False, True]
    assert made.cut.prompts == 1
    alone = Preferences.concat(
        [preferences(SEVERAL, ["dog " * 60, "a dog " * 60]), preferences([("user", "Hi.")], ["No.", "Yes."])]
    )
    made = encode(alone.pairs().options, TEMPLATE, max_tokens=40, cut="prompt_left")
    assert made.kept.tolist() == [False, False, True, True]
    assert made.cut.prompts == made.cut.prompt_tokens == 0


@pytest.mark.parametrize("wrong", [{"cut": "middle"}, {"max_tokens": 0}, {"max_prompt_tokens": -1}])
def test_limits_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        encode(preferences(SEVERAL, ["No."]).pairs().options, TEMPLATE, **wrong)


def test_options_known_by_name_only_are_refused() -> None:
    names = [Option(source="model-a"), Option(source="model-b")]
    votes = Preferences.from_judgments([Judgment(context=[Message("user", "hi")], options=names, ranking=[[0], [1]])])
    with pytest.raises(InputError, match="only a name"):
        encode(votes.pairs().options, TEMPLATE)


words = st.lists(
    st.sampled_from(["Once", "upon", "a", "time", "the", "little", "dog", "liked", "Paris", "yes", "no"]),
    min_size=1,
    max_size=12,
)
said = words.map(" ".join)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    st.lists(said, min_size=2, max_size=4, unique=True), st.integers(12, 40), st.sampled_from(["drop", "option_right"])
)
def test_counts_add_up(answers: list[str], limit: int, cut: str) -> None:
    options = preferences([("user", "Tell me a story.")], answers).pairs().options
    plain = encode(options, TEMPLATE)
    total = lengths(plain.options) + len(plain.prompts[0])
    if len(plain.prompts[0]) >= limit:
        return
    made = encode(options, TEMPLATE, max_tokens=limit, cut=cut)
    now = lengths(made.options) + len(made.prompts[0])
    assert (now[made.kept & made.whole] == total[made.kept & made.whole]).all()
    assert (now[made.kept] <= limit).all()
    assert len(made.cut.dropped) == (~made.kept).sum()
    assert made.cut.options == (made.kept & ~made.whole).sum()
    assert made.cut.option_tokens == (total - now)[made.kept].sum()


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.permutations(range(4)))
def test_the_order_of_options_does_not_matter(order: list[int]) -> None:
    answers = ["No.", "Yes.", "Once upon a time.", "The little dog."]
    plain = encode(preferences(SEVERAL, answers).pairs().options, TEMPLATE)
    shuffled = encode(preferences(SEVERAL, [answers[i] for i in order]).pairs().options, TEMPLATE)
    for place, i in enumerate(order):
        np.testing.assert_array_equal(shuffled.options[place], plain.options[i])


def test_real_conversations_are_encoded_whole(real_data: Path, shared_models: Path) -> None:
    from transformers import AutoTokenizer

    options = llull.read(str(real_data / "hh_rlhf" / "helpful-base*.gz")).select(range(200)).pairs().options
    tokenizer = AutoTokenizer.from_pretrained(shared_models / "stories-260k")
    made = encode(options, Template(tokenizer))
    texts = options.texts()
    for ids, text in zip(made.options[:50], texts[:50], strict=True):
        assert ids[-1] == tokenizer.eos_token_id
        assert tokenizer.decode(ids[:-1].tolist()).strip() == text.strip()
