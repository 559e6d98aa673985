"""Prompt and option are cut out of the tokenizer's own rendering, token for token, for the templates in use."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from small_tokenizers import CHAT_FAMILIES, CHATML, SPECIAL, byte_level, chat_tokenizer, sentencepiece_like
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from llull.errors import InputError
from llull.judgments import Judgment, Preferences
from llull.judgments.record import Message, Option
from llull.language.templates import Template
from llull.language.tokens import Encoded, encode, prompt_ids

Turns = list[tuple[str, str]]

SINGLE: Turns = [("user", "What is the capital of France?")]
SYSTEM: Turns = [("system", "Be brief!"), *SINGLE]
SEVERAL: Turns = [*SINGLE, ("assistant", "The capital of France is Paris."), ("user", "Tell me a story.")]
ANSWERS = ["Once upon a time there was a dog.", "No.", "  1, 2,\n\n3 and so on: yes!"]


def preferences(context: Turns, answers: list[str] | list[Turns]) -> Preferences:
    options = [
        Option([Message("assistant", each)] if isinstance(each, str) else [Message(*turn) for turn in each])
        for each in answers
    ]
    ranking = [[at] for at in range(len(options))]
    return Preferences.from_judgments(
        [Judgment(context=[Message(*turn) for turn in context], options=options, ranking=ranking)]
    )


def encoded(template: Template, context: Turns, answers: list[str] | list[Turns], **limits: object) -> Encoded:
    return encode(preferences(context, answers).pairs().options, template, **limits)


def whole(tokenizer: object, context: Turns, answer: str, **arguments: object) -> list[int]:
    """The tokenizer's own ids of the whole conversation."""
    messages = [{"role": role, "content": content} for role, content in [*context, ("assistant", answer)]]
    text = tokenizer.apply_chat_template(messages, tokenize=False, **arguments)
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def has_system_role(family: str) -> bool:
    return family not in ("mistral", "gemma-2")


@pytest.mark.parametrize("context", [SINGLE, SYSTEM, SEVERAL], ids=["single", "system", "several"])
@pytest.mark.parametrize("family", CHAT_FAMILIES)
def test_ids_are_those_of_the_whole_rendering_up_to_the_end_of_the_turn(family: str, context: Turns) -> None:
    if context is SYSTEM and not has_system_role(family):
        pytest.skip("this template knows no system role; see the test of its error")
    tokenizer = chat_tokenizer(family)
    made = encoded(Template(tokenizer), context, ANSWERS)
    closing = tokenizer.convert_tokens_to_ids(SPECIAL[family][2])
    for ids, prompt, answer in zip(made.options, made.prompt, ANSWERS, strict=True):
        joined = [*made.prompts[prompt].tolist(), *ids.tolist()]
        expected = whole(tokenizer, context, answer)
        assert joined == expected[: len(joined)]
        assert ids[-1] == closing
        assert (ids == closing).sum() == 1
        rest = tokenizer.decode(expected[len(joined) :])
        assert rest.strip() in ("", "</s>")
    assert len(made.prompts) == 1
    assert made.scored == (None,) * len(ANSWERS)


@pytest.mark.parametrize("family", CHAT_FAMILIES)
def test_the_option_decodes_to_its_text_and_the_end_of_its_turn(family: str) -> None:
    tokenizer = chat_tokenizer(family)
    made = encoded(Template(tokenizer), SINGLE, ANSWERS[:2])
    for ids, answer in zip(made.options, ANSWERS[:2], strict=True):
        thought = "<think>\n\n</think>\n\n" if family == "qwen-3" else " " if family == "mistral" else ""
        assert tokenizer.decode(ids.tolist()) == thought + answer + SPECIAL[family][2]


@pytest.mark.parametrize("family", CHAT_FAMILIES)
def test_a_template_begins_at_most_once(family: str) -> None:
    tokenizer = chat_tokenizer(family)
    made = encoded(Template(tokenizer), SINGLE, ANSWERS)
    assert (made.prompts[0] == tokenizer.bos_token_id).sum() == ("bos_token" in SPECIAL[family][0])


def test_thinking_that_is_switched_off_is_part_of_the_prompt() -> None:
    tokenizer = chat_tokenizer("qwen-3")
    made = encoded(Template(tokenizer, arguments={"enable_thinking": False}), SINGLE, ["No."])
    assert tokenizer.decode(made.prompts[0].tolist()).endswith("<think>\n\n</think>\n\n")
    assert tokenizer.decode(made.options[0].tolist()) == "No.<|im_end|>"


def test_a_thought_that_the_prompt_opens_and_the_answer_lacks_is_left_out_of_the_prompt() -> None:
    tokenizer = chat_tokenizer("thinking")
    made = encoded(Template(tokenizer), SINGLE, ["No."])
    assert tokenizer.decode(made.prompts[0].tolist()).endswith("<|im_start|>assistant\n")
    assert tokenizer.decode(made.options[0].tolist()) == "No.<|im_end|>"


@pytest.mark.parametrize("family", ["mistral", "gemma-2"])
def test_a_refused_system_role_says_how_to_fold_it(family: str) -> None:
    tokenizer = chat_tokenizer(family)
    with pytest.raises(InputError, match="fold_system"):
        encoded(Template(tokenizer), SYSTEM, ANSWERS)
    made = encoded(Template(tokenizer, fold_system=True), SYSTEM, ["No."])
    assert "Be brief!\n\nWhat is the capital of France?" in tokenizer.decode(made.prompts[0].tolist())


def test_a_system_message_is_added_only_where_there_is_none() -> None:
    tokenizer = chat_tokenizer("chatml")
    template = Template(tokenizer, system="Count to 3.")
    added, kept = (tokenizer.decode(encoded(template, c, ["No."]).prompts[0].tolist()) for c in (SINGLE, SYSTEM))
    assert added.startswith("<|im_start|>system\nCount to 3.<|im_end|>")
    assert "Count to 3." not in kept


def test_tools_are_passed_to_the_template() -> None:
    tokenizer = chat_tokenizer("qwen-2.5")
    tools = [{"type": "function", "function": {"name": "look_up", "parameters": {}}}]
    made = encoded(Template(tokenizer, tools=tools), SINGLE, ["No."])
    joined = [*made.prompts[0].tolist(), *made.options[0].tolist()]
    assert joined == whole(tokenizer, SINGLE, "No.", tools=tools)[: len(joined)]
    assert "look_up" in tokenizer.decode(joined)


@pytest.mark.parametrize("family", CHAT_FAMILIES)
def test_turns_of_others_inside_an_option_are_read_and_not_scored(family: str) -> None:
    if family == "qwen-3":
        pytest.skip("this template renders earlier answers otherwise than last ones; see the next test")
    tokenizer = chat_tokenizer(family)
    option: Turns = [("assistant", "Once."), ("user", "And then?"), ("assistant", "The end.")]
    made = encoded(Template(tokenizer), SINGLE, [option])
    joined = [*made.prompts[0].tolist(), *made.options[0].tolist()]
    assert joined == whole(tokenizer, [*SINGLE, *option[:2]], "The end.")[: len(joined)]
    mask = made.scored[0]
    assert mask is not None
    spoken = tokenizer.decode(made.options[0][mask].tolist())
    closing = SPECIAL[family][2]
    assert spoken.replace(" ", "") == f"Once.{closing}Theend.{closing}"


def test_a_template_that_rewrites_earlier_turns_cannot_cut_an_option_of_several() -> None:
    option: Turns = [("assistant", "Once."), ("user", "And then?"), ("assistant", "The end.")]
    with pytest.raises(InputError, match="renders"):
        encoded(Template(chat_tokenizer("qwen-3")), SINGLE, [option])


@pytest.mark.parametrize("family", ["qwen-2.5", "llama-3", "gemma-2"])
def test_an_answer_that_ends_in_a_token_of_its_own_keeps_the_end_of_its_turn(family: str) -> None:
    tokenizer = chat_tokenizer(family)
    tokenizer.add_tokens(["<tool_call>", "</tool_call>"])
    answer = "<tool_call>\n{}\n</tool_call>"
    (ids,) = encoded(Template(tokenizer), SINGLE, [answer]).options
    assert tokenizer.decode(ids.tolist()) == answer + SPECIAL[family][2]


@pytest.mark.parametrize("make", [lambda: chat_tokenizer("chatml"), byte_level], ids=["chatml", "base"])
def test_an_answer_that_brings_its_end_along_ends_once(make: Callable[[], PreTrainedTokenizerFast]) -> None:
    tokenizer = make()
    closing = "<|im_end|>" if tokenizer.chat_template else "</s>"
    made = encoded(Template(tokenizer), SINGLE, [f"No.{closing}"])
    assert tokenizer.decode(made.options[0].tolist()) == f"No.{closing}"


@pytest.mark.parametrize("answer", ["<b>No.</b>", "<thin> ice", "\n\nNo."])
def test_an_answer_may_begin_like_the_thought_that_it_lacks(answer: str) -> None:
    tokenizer = chat_tokenizer("thinking")
    made = encoded(Template(tokenizer), SINGLE, [answer])
    assert tokenizer.decode(made.prompts[0].tolist()).endswith("<|im_start|>assistant\n")
    assert tokenizer.decode(made.options[0].tolist()) == f"{answer}<|im_end|>"


def test_a_thought_of_the_answer_follows_the_one_that_the_prompt_opens() -> None:
    tokenizer = chat_tokenizer("thinking")
    made = encoded(Template(tokenizer), SINGLE, ["<think>\nHm.\n</think>\nNo."])
    assert tokenizer.decode(made.prompts[0].tolist()).endswith("<think>\n")
    assert tokenizer.decode(made.options[0].tolist()) == "Hm.\n</think>\nNo.<|im_end|>"


def test_a_prompt_that_is_rendered_otherwise_with_its_answer_is_refused() -> None:
    tokenizer = chat_tokenizer("chatml")
    tokenizer.chat_template = CHATML.replace("'<|im_start|>assistant\n'", "'<|im_start|>model\n'")
    with pytest.raises(InputError, match=r"renders this prompt otherwise.*start\|>model.*start\|>assistant"):
        encoded(Template(tokenizer), SINGLE, ["No."])


def test_a_template_that_ends_answers_in_different_ways_is_refused() -> None:
    tokenizer = chat_tokenizer("chatml")
    tokenizer.chat_template = CHATML.replace("'<|im_end|>'", "('</s>' if 'No' in m['content'] else '<|im_end|>')")
    with pytest.raises(InputError, match="its end cannot be told"):
        encoded(Template(tokenizer), SINGLE, ["No."])


@pytest.mark.parametrize("family", ["mistral", "gemma-2", "phi-3", "chatml"])
def test_a_tokenizer_that_marks_words_follows_the_whole_rendering(family: str) -> None:
    tokenizer = sentencepiece_like()
    template, turns, _ = SPECIAL[family]
    tokenizer.add_special_tokens({"additional_special_tokens": turns})
    tokenizer.chat_template = template
    for answer in ["the capital", "Paris is\n\nthe capital."]:
        made = encoded(Template(tokenizer), SINGLE, [answer])
        joined = [*made.prompts[0].tolist(), *made.options[0].tolist()]
        assert joined == whole(tokenizer, SINGLE, answer)[: len(joined)]
        assert (made.prompts[0] == tokenizer.bos_token_id).sum() == ("bos_token" in template)


def test_a_base_model_refuses_what_only_a_chat_template_can_show() -> None:
    with pytest.raises(InputError, match="need a chat template"):
        Template(byte_level(), tools=[{"type": "function"}])
    with pytest.raises(InputError, match="need a chat template"):
        Template(byte_level(), arguments={"enable_thinking": False})


def test_options_that_bring_their_own_question_have_prompts_of_their_own() -> None:
    tokenizer = chat_tokenizer("chatml")
    first: Turns = [("user", "Tell me a story."), ("assistant", "Once.")]
    second: Turns = [("user", "Yes or no?"), ("assistant", "No.")]
    made = encoded(Template(tokenizer), [], [first, second])
    assert len(made.prompts) == 2
    assert [tokenizer.decode(ids.tolist()) for ids in made.options] == ["Once.<|im_end|>", "No.<|im_end|>"]


@pytest.mark.parametrize("make", [byte_level, sentencepiece_like])
def test_a_base_model_reads_the_plain_text(make: object) -> None:
    tokenizer = make()
    made = encoded(Template(tokenizer), [("user", "Tell me a story.")], [" Once upon a time", " The end."])
    assert made.prompts[0].tolist() == tokenizer("Tell me a story.")["input_ids"]
    text = tokenizer("Tell me a story. Once upon a time", add_special_tokens=True)["input_ids"]
    assert [*made.prompts[0].tolist(), *made.options[0].tolist()] == [*text, tokenizer.eos_token_id]


def test_a_base_model_reads_several_turns_as_a_transcript() -> None:
    tokenizer = byte_level()
    made = encoded(Template(tokenizer), SEVERAL, ["Once."])
    assert tokenizer.decode(made.prompts[0].tolist()) == (
        "User: What is the capital of France?\n\nAssistant: The capital of France is Paris.\n\nUser: Tell me a story."
        "\n\nAssistant:"
    )
    assert tokenizer.decode(made.options[0].tolist()) == " Once.</s>"


@pytest.mark.parametrize("name", ["stories-260k", "tinystories-656k"])
def test_real_base_models_tokenize_apart_and_join(shared_models: Path, name: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(shared_models / name)
    said = [("user", "Once upon a time, ")] if name == "tinystories-656k" else [("user", "Once upon a time,")]
    answer = "there was a little dog." if name == "tinystories-656k" else " there was a little dog."
    made = encoded(Template(tokenizer), said, [answer])
    assert made.prompts[0][0] == tokenizer.bos_token_id
    assert tokenizer.bos_token_id == tokenizer.eos_token_id or tokenizer.bos_token_id not in made.options[0]
    assert made.options[0][-1] == tokenizer.eos_token_id
    joined = tokenizer.decode([*made.prompts[0], *made.options[0][:-1]], skip_special_tokens=True)
    assert joined == said[0][1] + answer


def test_an_option_without_an_answer_is_refused() -> None:
    with pytest.raises(InputError, match="nothing to score"):
        encoded(Template(chat_tokenizer("chatml")), SINGLE, [[("user", "Hello?")]])


def test_a_fingerprint_tells_templates_apart_and_is_the_same_for_equals() -> None:
    tokenizer = chat_tokenizer("chatml")
    plain = Template(tokenizer).fingerprint
    assert Template(chat_tokenizer("chatml")).fingerprint == plain
    others = [
        Template(tokenizer, system="Be brief!"),
        Template(tokenizer, arguments={"a": 1}),
        Template(chat_tokenizer("qwen-2.5")),
        Template(byte_level()),
    ]
    assert len({plain, *(each.fingerprint for each in others)}) == 5


def test_a_fingerprint_does_not_depend_on_what_the_tokenizer_did_before() -> None:
    tokenizer = chat_tokenizer("chatml")
    before = Template(tokenizer).fingerprint
    tokenizer(["No.", "Tell me a story."], padding=True, truncation=True, max_length=3)
    assert Template(tokenizer).fingerprint == before


def test_a_fingerprint_knows_functions_by_what_templates_see_of_them() -> None:
    tokenizer = chat_tokenizer("qwen-2.5")

    def tool() -> Callable[[str], str]:
        def look_up(word: str) -> str:
            """Look a word up.

            Args:
                word: which.
            """
            return word

        return look_up

    # Two objects with different addresses, as in two processes.
    first, second = tool(), tool()
    assert Template(tokenizer, tools=[first]).fingerprint == Template(tokenizer, tools=[second]).fingerprint
    assert Template(tokenizer, tools=[first]).fingerprint != Template(tokenizer).fingerprint


@pytest.mark.slow
def test_a_fingerprint_is_the_same_in_another_process(tmp_path: Path) -> None:
    tokenizer = chat_tokenizer("chatml")
    tokenizer.save_pretrained(tmp_path)
    program = (
        "import sys; from transformers import AutoTokenizer; from llull.language.templates import Template; "
        "print(Template(AutoTokenizer.from_pretrained(sys.argv[1]), system='Be brief!').fingerprint)"
    )
    # The order of sets differs between processes with different seeds of the hash.
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env={**os.environ, "PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert done.stdout.strip() == Template(loaded, system="Be brief!").fingerprint


def test_prompts_for_sampling_are_those_that_options_follow() -> None:
    template = Template(chat_tokenizer("llama-3"))
    made = encoded(template, SEVERAL, ["No."])
    (ids,) = prompt_ids(template, [[{"role": role, "content": said} for role, said in SEVERAL]])
    np.testing.assert_array_equal(ids, made.prompts[0])


@pytest.mark.parametrize("tokenizer", [byte_level, lambda: chat_tokenizer("chatml")])
def test_messages_of_judgments_are_turns(tokenizer: Callable[[], PreTrainedTokenizerFast]) -> None:
    template = Template(tokenizer(), system="Be kind.")
    context, answer = [Message(*turn) for turn in SEVERAL], [Message("assistant", ANSWERS[0])]
    turns = [{"role": role, "content": content} for role, content in SEVERAL]
    said = [{"role": "assistant", "content": ANSWERS[0]}]
    assert template.prompt(context) == template.prompt(turns)
    assert template.render(context, answer) == template.render(turns, said)
    (found,), (expected,) = prompt_ids(template, [context]), prompt_ids(template, [turns])
    np.testing.assert_array_equal(found, expected)
