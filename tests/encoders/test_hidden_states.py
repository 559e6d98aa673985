"""Hidden states as features: equal to the plain model's, kept on disk, and usable by every preference model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast  # noqa: E402

from llull.encoders import HiddenStates, encoder_from_config  # noqa: E402
from llull.errors import InputError  # noqa: E402
from llull.judgments import Judgment, Preferences, named_option, prompt, text_option  # noqa: E402
from llull.language.templates import Template  # noqa: E402
from llull.language.tokens import encode  # noqa: E402
from llull.models import PreferenceModel, load_model  # noqa: E402


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A random Llama of three layers over a vocabulary of words."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig

    folder = tmp_path_factory.mktemp("model")
    words = ["<s>", "</s>", "<unk>", *(f"w{i}" for i in range(40))]
    backend = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=3,
        num_attention_heads=2,
        max_position_embeddings=128,
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return str(folder)


def judgments(seed: int = 0, count: int = 30) -> Preferences:
    """The option of whose words more are w3 wins; equal shares are ties."""
    random = np.random.default_rng(seed)

    def said(size: int) -> str:
        return " ".join(f"w{i}" for i in random.integers(0, 8, size))

    made = []
    for _ in range(count):
        texts = [said(int(random.integers(2, 9))) for _ in range(3)]
        shares = [text.split().count("w3") / len(text.split()) for text in texts]
        tiers = [[i for i in range(3) if shares[i] == share] for share in sorted(set(shares), reverse=True)]
        made.append(Judgment([text_option(t) for t in texts], prompt(said(5)), ranking=tiers))
    return Preferences.from_judgments(made)


@pytest.mark.parametrize("pooling", ["last", "mean"])
@pytest.mark.parametrize("layer", [-1, 0, 2, -2])
def test_features_are_the_plain_models_hidden_states(model: str, layer: int, pooling: str) -> None:
    options = judgments().pairs().options
    found = HiddenStates(model, layer, pooling, cache=False).encode(options)
    plain = AutoModelForCausalLM.from_pretrained(model).eval()
    encoded = encode(options, Template(AutoTokenizer.from_pretrained(model)))
    for i in (0, 1, 17, len(options) - 1):
        start = encoded.prompts[encoded.prompt[i]]
        ids = np.concatenate([start, encoded.options[i]])
        with torch.no_grad():
            states = plain(input_ids=torch.from_numpy(ids)[None].long(), output_hidden_states=True).hidden_states
        own = states[layer][0, len(start) :]
        expected = own[-1] if pooling == "last" else own.mean(0)
        np.testing.assert_allclose(found[i], expected.numpy(), atol=1e-5)


def test_features_of_contexts_are_the_plain_models_states_at_their_ends(model: str) -> None:
    options = judgments().pairs().options
    found = HiddenStates(model, cache=False).encode_contexts(options)
    plain = AutoModelForCausalLM.from_pretrained(model).eval()
    encoded = encode(options, Template(AutoTokenizer.from_pretrained(model)))
    assert found.shape == (len(np.unique(options.context)), 16)
    for i in (0, 1, 17, len(options) - 1):
        ids = torch.from_numpy(encoded.prompts[encoded.prompt[i]])[None].long()
        with torch.no_grad():
            expected = plain(input_ids=ids, output_hidden_states=True).hidden_states[-1][0, -1]
        np.testing.assert_allclose(found[options.context[i]], expected.numpy(), atol=1e-5)


def test_features_of_an_option_depend_on_its_context_and_not_on_its_company(model: str) -> None:
    same = [Judgment([text_option("w1 w2"), text_option("w3")], prompt(p), ranking=[[0], [1]]) for p in ("w5", "w6")]
    encoder = HiddenStates(model, cache=False)
    both = encoder.encode(Preferences.from_judgments(same).pairs().options)
    alone = encoder.encode(Preferences.from_judgments(same[1:]).pairs().options)
    np.testing.assert_allclose(both[2:], alone, atol=1e-6)
    assert np.abs(both[:2] - both[2:]).max() > 1e-3


def test_nothing_is_computed_twice(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, more = judgments(0), Preferences.concat([judgments(0), judgments(1)])
    cache = str(tmp_path / "vectors.sqlite")
    before = HiddenStates(model, cache=cache).encode(first.pairs().options)
    again = HiddenStates(model, cache=cache)
    read: list[int] = []
    plain = HiddenStates._row

    def counted(self, packed):
        read.append(len(packed.options))
        return plain(self, packed)

    monkeypatch.setattr(HiddenStates, "_row", counted)
    assert (again.encode(first.pairs().options) == before).all()
    assert read == []
    again.encode(more.pairs().options)
    assert sum(read) == len(more.pairs().options) - len(before)
    HiddenStates(model, layer=1, cache=cache).encode(first.pairs().options)
    assert sum(read) == len(more.pairs().options)


def test_long_texts_are_cut_and_counted(model: str) -> None:
    encoder = HiddenStates(model, max_tokens=8, cache=False)
    options = judgments().pairs().options
    assert encoder.encode(options).shape == (len(options), 16)
    template = Template(AutoTokenizer.from_pretrained(model))
    cut = encode(options, template, max_tokens=8, max_prompt_tokens=4, cut="option_right").cut
    assert cut.prompts > 0
    assert cut.options > 0
    assert encoder.notes == (f"hidden states, at most 8 tokens: {cut.line()}",)
    encoder.encode(options)
    assert len(encoder.notes) == 1
    assert not HiddenStates(model, cache=False).notes


def test_what_is_cut_does_not_depend_on_other_options(model: str) -> None:
    short = text_option("w1 w1")
    context = prompt(" ".join(f"w{i}" for i in range(20)))

    def beside(other: str, **limits: int) -> np.ndarray:
        judged = Judgment([short, text_option(other)], context, ranking=[[0], [1]])
        options = Preferences.from_judgments([judged]).pairs().options
        return HiddenStates(model, max_tokens=24, cache=False, **limits).encode(options)[options.ids.index(short.id)]

    limited = beside("w2", max_prompt_tokens=8)
    np.testing.assert_allclose(limited, beside(" ".join(["w2"] * 30), max_prompt_tokens=8), atol=1e-6)
    # The plain model on the context's last eight words gives the same.
    tokenizer = AutoTokenizer.from_pretrained(model)
    words = [*(f"w{i}" for i in range(12, 20)), "w1", "w1", "</s>"]
    ids = torch.tensor([tokenizer.convert_tokens_to_ids(words)])
    with torch.no_grad():
        states = AutoModelForCausalLM.from_pretrained(model).eval()(ids, output_hidden_states=True).hidden_states
    np.testing.assert_allclose(limited, states[-1][0, -1].numpy(), atol=1e-5)
    assert np.abs(limited - beside("w2", max_prompt_tokens=20)).max() > 1e-4


def test_options_left_out_have_no_numbers_and_the_others_are_whole(model: str) -> None:
    options = judgments().pairs().options
    whole = HiddenStates(model, cache=False).encode(options)
    encoder = HiddenStates(model, max_tokens=10, cut="drop", cache=False)
    found = encoder.encode(options)
    kept = encode(options, Template(AutoTokenizer.from_pretrained(model)), max_tokens=10, cut="drop").kept
    assert 0 < kept.sum() < len(kept)
    np.testing.assert_array_equal(np.isnan(found).all(1), ~kept)
    np.testing.assert_allclose(found[kept], whole[kept], atol=1e-6)
    assert encoder.notes == (f"hidden states, at most 10 tokens: {(~kept).sum()} options too long and left out",)
    nothing = HiddenStates(model, max_tokens=1, cut="drop", cache=False).encode(options)
    assert nothing.shape == whole.shape
    assert np.isnan(nothing).all()
    with pytest.raises(InputError, match="options are too long"):
        HiddenStates(model, max_tokens=10, cut="error", cache=False).encode(options)
    with pytest.raises(InputError, match="features that are not finite"):
        PreferenceModel(HiddenStates(model, max_tokens=10, cut="drop", cache=False)).fit(judgments())


def test_a_preference_model_on_them_learns_saves_and_loads(model: str, tmp_path: Path) -> None:
    train, test = judgments(0, 150), judgments(1, 60)
    encoder = HiddenStates(model, pooling="mean", layer=0, cache=str(tmp_path / "v.sqlite"))
    fitted = PreferenceModel(encoder).fit(train)
    pairs = test.pairs()
    assert (fitted.prob(pairs)[~pairs.tie] > 0.5).mean() > 0.9
    fitted.save(tmp_path / "model")
    np.testing.assert_allclose(load_model(tmp_path / "model").prob(pairs), fitted.prob(pairs), atol=1e-6)


def test_what_changes_the_numbers_changes_the_fingerprint(model: str) -> None:
    encoder = HiddenStates(model)
    kinds = [encoder, HiddenStates(model, 1), HiddenStates(model, -1, "mean"), HiddenStates(model, max_tokens=9)]
    kinds += [HiddenStates(model, cut="drop"), HiddenStates(model, max_prompt_tokens=100)]
    assert len({kind.fingerprint for kind in kinds}) == 6
    for kind in kinds:
        assert encoder_from_config(kind.to_config()).fingerprint == kind.fingerprint
    assert len(encoder.names) == len(encoder.descriptions) == 16


def test_no_options_have_no_features(model: str) -> None:
    nothing = judgments().select([]).pairs().options
    assert HiddenStates(model, cache=False).encode(nothing).shape == (0, 16)


def test_bad_settings_are_one_line(model: str, tmp_path: Path) -> None:
    options = judgments().pairs().options
    with pytest.raises(InputError, match="last or mean"):
        HiddenStates(model, pooling="first")
    with pytest.raises(InputError, match="cut='prompt_left' is not known for hidden states"):
        HiddenStates(model, cut="prompt_left")
    with pytest.raises(InputError, match="layer 7"):
        HiddenStates(model, 7, cache=False).encode(options)
    with pytest.raises(InputError, match="no causal language model"):
        HiddenStates(str(tmp_path / "nothing"), cache=False).encode(options)
    named = Preferences.from_judgments([Judgment([named_option("a"), named_option("b")], ranking=[[0], [1]])])
    with pytest.raises(InputError, match="has no text"):
        HiddenStates(model, cache=False).encode(named.pairs().options)
