"""Samples of a model in this process: what transformers would decode, drawn from the right distribution, repeatably."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2
from small_tokenizers import byte_level, chat_tokenizer

torch = pytest.importorskip("torch")

from tiny_models import CONFIGS, make_model, plain_token_log_probs  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402

from llull.errors import InputError  # noqa: E402
from llull.judgments import Message  # noqa: E402
from llull.language.model import LanguageModel  # noqa: E402
from llull.language.sampling import HuggingFaceSampler, SampleCache, Settings  # noqa: E402
from llull.language.sampling.decoding import CachedDecoder, PlainDecoder, decoder_for  # noqa: E402
from llull.language.sampling.sampler import Sample  # noqa: E402
from llull.language.templates import Template  # noqa: E402

PROMPTS = np.split(np.random.default_rng(3).integers(3, 97, 24), [11, 14, 21])
ENDS = [1, 2]
FALSE_ALARM = 1e-4
"""Of each test of a distribution, for a sampler that is right; the seeds are fixed."""


def sampler(name: str = "llama", seed: int = 0, **options: Any) -> HuggingFaceSampler:
    return HuggingFaceSampler(make_model(name, seed), Template(byte_level()), **options)


def drawn_ids(samples: list[list[Sample]]) -> list[list[list[int]]]:
    return [[ids_of(sample) for sample in of_prompt] for of_prompt in samples]


def ids_of(sample: Sample) -> list[int]:
    assert sample.ids is not None
    return sample.ids.tolist()


def values(found: np.ndarray | None) -> np.ndarray:
    assert found is not None
    return found


@pytest.mark.parametrize("name", list(CONFIGS))
def test_without_temperature_it_decodes_what_transformers_decodes(name: str) -> None:
    made = sampler(name)
    found = made.sample(PROMPTS, Settings(max_tokens=16, temperature=0))
    for prompt, (sample,) in zip(PROMPTS, found, strict=True):
        ids = torch.from_numpy(prompt)[None]
        expected = made.model.eval().generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=16, eos_token_id=ENDS
        )
        assert ids_of(sample) == expected[0, len(prompt) :].tolist()


def test_all_architectures_but_those_with_another_state_keep_keys_and_values(caplog: pytest.LogCaptureFixture) -> None:
    made = {name: type(sampler(name)._make_decoder(make_model(name), sampler(name)._anatomy)) for name in CONFIGS}
    assert {name for name, kind in made.items() if kind is not CachedDecoder} == {"mamba"}
    assert made["mamba"] is PlainDecoder
    assert "reads every sample from its beginning" in caplog.text


def test_a_model_whose_cache_gives_other_logits_is_found_out() -> None:
    made = sampler("llama")
    forward = made.model.forward

    def forgetful(*args: Any, past_key_values: Any = None, **options: Any) -> Any:
        if past_key_values is not None and past_key_values.get_seq_length():
            past_key_values.layers[0].values.mul_(0.5)
        return forward(*args, past_key_values=past_key_values, **options)

    made.model.forward = forgetful
    assert decoder_for(made.model, made._anatomy) is PlainDecoder


@pytest.mark.parametrize("folder", ["stories-260k", "tinystories-656k"])
def test_pretrained_models_decode_what_transformers_decodes(folder: str, shared_models: Path) -> None:
    path = shared_models / folder
    model, tokenizer = AutoModelForCausalLM.from_pretrained(path), AutoTokenizer.from_pretrained(path)
    texts = ["Once upon a time, there was a little girl", "Tom had a dog.", "One day,"]
    contexts = [[{"role": "user", "content": text}] for text in texts]
    scorer = LanguageModel(model)
    # From here on its attention takes trees too.
    assert scorer.layout == "tree"
    found = HuggingFaceSampler(scorer, Template(tokenizer)).sample(contexts, Settings(max_tokens=120, temperature=0))
    for text, (sample,) in zip(texts, found, strict=True):
        ids = tokenizer(text, return_tensors="pt")["input_ids"]
        expected = model.eval().generate(ids, do_sample=False, max_new_tokens=120)
        assert ids_of(sample) == expected[0, ids.shape[1] :].tolist()
        whole = tokenizer.decode(expected[0], skip_special_tokens=True)
        assert whole == text + sample.text


@pytest.mark.parametrize("name", ["llama", "gpt2", "gemma2"])
def test_log_probabilities_are_those_of_a_plain_call(name: str) -> None:
    made = sampler(name)
    settings = Settings(n=3, max_tokens=12, temperature=0.7, top_k=20, seed=5)
    for prompt, samples in zip(PROMPTS, made.sample(PROMPTS, settings), strict=True):
        for sample in samples:
            ids = ids_of(sample)
            made.model.eval()
            expected = plain_token_log_probs(made.model, prompt.tolist(), ids).detach().numpy()
            np.testing.assert_allclose(values(sample.model_log_probs), expected, atol=1e-4)
            logits = made.model(torch.tensor([[*prompt, *ids]])).logits[0, len(prompt) - 1 : -1].detach().double()
            kept = (logits / 0.7).topk(20, dim=-1)
            chosen = (logits / 0.7).gather(1, torch.tensor(ids)[:, None])[:, 0]
            np.testing.assert_allclose(
                values(sample.sampling_log_probs), (chosen - kept.values.logsumexp(-1)).numpy(), atol=1e-4
            )


def test_batches_order_and_company_make_no_difference() -> None:
    settings = Settings(n=5, max_tokens=20, seed=1)
    prompts = PROMPTS[:3]
    expected = drawn_ids(sampler(batch_size=64).sample(prompts, settings))
    assert len({tuple(ids) for of_prompt in expected for ids in of_prompt}) == 15
    for size in (1, 3, 7):
        assert drawn_ids(sampler(batch_size=size).sample(prompts, settings)) == expected
    made = sampler(batch_size=6)
    assert drawn_ids(made.sample(prompts[::-1], settings)) == expected[::-1]
    assert drawn_ids(made.sample([prompts[1]], settings)) == [expected[1]]
    fewer = Settings(n=2, max_tokens=20, seed=1)
    assert drawn_ids(made.sample(prompts, fewer)) == [of_prompt[:2] for of_prompt in expected]
    shorter = drawn_ids(made.sample(prompts, Settings(n=5, max_tokens=4, seed=1)))
    assert shorter == [[ids[:4] for ids in of_prompt] for of_prompt in expected]


def test_equal_prompts_and_other_seeds_get_other_samples() -> None:
    made = sampler()
    first, second = drawn_ids(made.sample([PROMPTS[0], PROMPTS[0]], Settings(n=2, max_tokens=20)))
    (alone,) = drawn_ids(made.sample([PROMPTS[0]], Settings(n=2, max_tokens=20)))
    (other,) = drawn_ids(made.sample([PROMPTS[0]], Settings(n=2, max_tokens=20, seed=1)))
    assert first == alone
    assert len({tuple(ids) for ids in (*first, *second, *other)}) == 6


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(temperature=0.6),
        Settings(temperature=1.5, top_k=11),
        Settings(top_p=0.8),
        Settings(min_p=0.15),
    ],
    ids=["plain", "cool", "top_k", "top_p", "min_p"],
)
def test_pairs_of_tokens_come_as_often_as_they_should(settings: Settings) -> None:
    n = 3000
    made = sampler("llama", seed=2, batch_size=1000)
    asked = Settings(n, 2, settings.temperature, settings.top_p, settings.top_k, settings.min_p, seed=11)
    (samples,) = made.sample([PROMPTS[2]], asked)
    first = by_hand(made.model, PROMPTS[2].tolist(), settings)
    counts = np.zeros((97, 97))
    expected = np.zeros((97, 97))
    for sample in samples:
        ids = ids_of(sample)
        counts[ids[0], ids[1] if len(ids) > 1 else 0] += 1
    for token in np.flatnonzero(first):
        # A sample that has ended has no second token.
        ended = token in ENDS
        then = np.eye(97)[0] if ended else by_hand(made.model, [*PROMPTS[2].tolist(), int(token)], settings)
        expected[token] = n * first[token] * then
    assert not counts[expected == 0].any()
    assert chi_square(counts.ravel(), expected.ravel()) > FALSE_ALARM


def by_hand(model: Any, ids: list[int], settings: Settings) -> np.ndarray:
    """Probabilities [vocabulary] of the next token, token by token as the settings say."""
    logits = model.eval()(torch.tensor([ids])).logits[0, -1].detach().double().numpy() / settings.temperature
    probs = np.exp(logits - logits.max())
    probs /= probs.sum()
    kept = np.argsort(-probs)[: settings.top_k]
    inside = 0.0
    final = np.zeros_like(probs)
    for token in kept:
        if inside < settings.top_p * probs[kept].sum() and probs[token] >= settings.min_p * probs.max():
            final[token] = probs[token]
        inside += probs[token]
    return final / final.sum()


def chi_square(counts: np.ndarray, expected: np.ndarray) -> float:
    """The p-value of Pearson's test, with the cells of few expected counts taken together."""
    few = expected < 5
    counts = np.append(counts[~few], counts[few].sum())
    expected = np.append(expected[~few], expected[few].sum())
    held = expected > 0
    statistic = ((counts - expected)[held] ** 2 / expected[held]).sum()
    return float(chi2.sf(statistic, held.sum() - 1))


def test_samples_end_at_the_first_token_that_ends_one() -> None:
    samples = sampler().sample(PROMPTS, Settings(n=16, max_tokens=30))
    finished = [sample for of_prompt in samples for sample in of_prompt]
    assert {sample.finish for sample in finished} == {"stop", "length"}
    ends = set()
    for sample in finished:
        ids = ids_of(sample)
        assert not set(ids[:-1]) & set(ENDS)
        assert (sample.finish == "stop") == (ids[-1] in ENDS)
        assert sample.finish == "stop" or len(ids) == 30
        ends |= {ids[-1]} & set(ENDS)
    assert ends == set(ENDS)


def test_the_end_of_a_turn_ends_a_sample() -> None:
    tokenizer = chat_tokenizer("chatml")
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    made = HuggingFaceSampler(make_model("gpt2"), Template(tokenizer))
    assert set(made._ends.tolist()) == {1, 2, end}


def test_stop_strings_cut_the_text_and_nothing_else() -> None:
    made = sampler()
    settings = Settings(n=8, max_tokens=40, seed=4)
    whole = made.sample(PROMPTS, settings)
    strings = tuple({sample.text[9:12] for of_prompt in whole for sample in of_prompt[:2] if len(sample.text) > 12})
    stopped = made.sample(PROMPTS, Settings(n=8, max_tokens=40, seed=4, stop=strings))
    assert strings
    cut = 0
    for before, after in zip(chain(*whole), chain(*stopped), strict=True):
        places = [at for at in map(before.text.find, strings) if at >= 0]
        assert ids_of(after) == ids_of(before)[: len(ids_of(after))]
        if places:
            cut += 1
            assert after.text == before.text[: min(places)]
            assert after.finish == "stop"
        else:
            assert (after.text, after.finish) == (before.text, before.finish)
    assert cut >= 2


def test_positions_that_end_give_less_room() -> None:
    made = sampler("gpt2")
    long = np.full(250, 5)
    (sample,) = made.sample([long, PROMPTS[0]], Settings(max_tokens=20, temperature=0))[0]
    assert (len(ids_of(sample)), sample.finish) == (6, "length")
    with pytest.raises(InputError, match="prompt 1 has 256 tokens"):
        made.sample([long, np.full(256, 5)])


@pytest.mark.parametrize("prompt", [np.array([]), np.array([[1, 2]]), [1.5], "text", [[1], [2, 3]]])
def test_what_is_no_prompt_is_refused(prompt: Any) -> None:
    with pytest.raises(InputError, match=r"prompt 1: give messages .* or at least one id"):
        sampler().sample([PROMPTS[0], prompt], Settings(max_tokens=1))


def test_the_model_is_left_as_it_was() -> None:
    model = make_model("llama").train()
    model.model.norm.eval()
    made = HuggingFaceSampler(model, Template(byte_level()))
    modes = []
    made.sample(
        PROMPTS,
        Settings(max_tokens=5),
        progress=lambda done, total: modes.append((model.training, torch.is_grad_enabled(), done, total)),
    )
    assert modes[0] == (True, True, 0, 4)
    assert modes[-1] == (True, True, 4, 4)
    assert {mode[:2] for mode in modes} == {(True, True)}
    assert not model.model.norm.training


def test_adapters_are_sampled_from_and_told_apart() -> None:
    peft = pytest.importorskip("peft")
    model = make_model("llama")
    plain = HuggingFaceSampler(model, Template(byte_level()))
    before, source = drawn_ids(plain.sample(PROMPTS, Settings(max_tokens=20))), plain.source
    adapted = peft.get_peft_model(model, peft.LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False))
    made = HuggingFaceSampler(LanguageModel(adapted), Template(byte_level()))
    assert drawn_ids(made.sample(PROMPTS, Settings(max_tokens=20))) != before
    assert made.source != source
    with adapted.disable_adapter():
        assert drawn_ids(made.sample(PROMPTS, Settings(max_tokens=20))) == before


def test_a_transcript_s_answer_has_no_space_before_it(shared_models: Path) -> None:
    path = shared_models / "stories-260k"
    tokenizer = AutoTokenizer.from_pretrained(path)
    made = HuggingFaceSampler(AutoModelForCausalLM.from_pretrained(path), Template(tokenizer))
    turns = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Yes?"}]
    context = [*turns, {"role": "user", "content": "Tell me of a dog."}]
    (sample,) = made.sample([context], Settings(max_tokens=8, temperature=0))[0]
    assert tokenizer.decode(ids_of(sample)[:1]).strip() == sample.text[: len(tokenizer.decode(ids_of(sample)[:1]))]
    assert not sample.text.startswith(" ")


def test_more_samples_reuse_those_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = drawn_ids(sampler().sample(PROMPTS, Settings(n=8, max_tokens=10)))
    with SampleCache(tmp_path) as cache:
        made = sampler(cache=cache)
        first = made.sample(PROMPTS, Settings(n=4, max_tokens=10))
        asked: list[int] = []
        draw = made.draw

        def counting(requests: Any, settings: Settings) -> Any:
            asked.append(len(requests))
            return draw(requests, settings)

        monkeypatch.setattr(made, "draw", counting)
        more = made.sample(PROMPTS, Settings(n=8, max_tokens=10))
        again = made.sample(PROMPTS[::-1], Settings(n=8, max_tokens=10))[::-1]
    assert asked == [16]
    assert drawn_ids(more) == drawn_ids(again) == expected
    for one, other in zip(chain(*first), [s for of_prompt in more for s in of_prompt[:4]], strict=True):
        assert (one.text, one.finish, one.prompt, one.number) == (other.text, other.finish, other.prompt, other.number)
        np.testing.assert_array_equal(values(one.model_log_probs), values(other.model_log_probs))
        np.testing.assert_array_equal(values(one.sampling_log_probs), values(other.sampling_log_probs))
    made.model.lm_head.weight.data[0, 0] += 1
    assert made.source != sampler().source


def test_messages_of_judgments_are_prompts_in_this_process() -> None:
    made = sampler()
    ((found, key),) = made.prepare([[Message("user", "What now?")]])
    ((expected, same),) = made.prepare([[{"role": "user", "content": "What now?"}]])
    np.testing.assert_array_equal(found.ids, expected.ids)
    assert (found.opening, key) == (expected.opening, same)
