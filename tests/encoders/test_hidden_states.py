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
    (note,) = encoder.notes
    assert "cut to 8 tokens" in note
    assert not HiddenStates(model, cache=False).notes


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
    assert len({kind.fingerprint for kind in kinds}) == 4
    assert encoder_from_config(encoder.to_config()).fingerprint == encoder.fingerprint
    assert len(encoder.names) == len(encoder.descriptions) == 16


def test_no_options_have_no_features(model: str) -> None:
    nothing = judgments().select([]).pairs().options
    assert HiddenStates(model, cache=False).encode(nothing).shape == (0, 16)


def test_bad_settings_are_one_line(model: str, tmp_path: Path) -> None:
    options = judgments().pairs().options
    with pytest.raises(InputError, match="last or mean"):
        HiddenStates(model, pooling="first")
    with pytest.raises(InputError, match="layer 7"):
        HiddenStates(model, 7, cache=False).encode(options)
    with pytest.raises(InputError, match="no causal language model"):
        HiddenStates(str(tmp_path / "nothing"), cache=False).encode(options)
    named = Preferences.from_judgments([Judgment([named_option("a"), named_option("b")], ranking=[[0], [1]])])
    with pytest.raises(InputError, match="has no text"):
        HiddenStates(model, cache=False).encode(named.pairs().options)
