"""The tempered and cut distribution, beside transformers' own, and drawing from it at the edges."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as trials
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from transformers.generation.logits_process import (  # noqa: E402
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from llull.errors import InputError  # noqa: E402
from llull.language.sampling import Settings  # noqa: E402
from llull.language.sampling.truncation import draw, model_log_probs, sampling_log_probs  # noqa: E402


def random_log_probs(rows: int, vocabulary: int, seed: int, scale: float = 2.0) -> Any:
    generator = torch.Generator().manual_seed(seed)
    return model_log_probs(torch.randn(rows, vocabulary, generator=generator) * scale)


@given(
    seed=st.integers(0, 1000),
    vocabulary=st.sampled_from([2, 50, 600]),
    temperature=st.floats(0.2, 3),
    top_k=st.none() | st.integers(1, 40),
    top_p=st.floats(0.05, 1),
    min_p=st.floats(0, 0.9),
)
@trials(max_examples=60, deadline=None)
def test_it_is_the_distribution_that_transformers_samples(
    seed: int, vocabulary: int, temperature: float, top_k: int | None, top_p: float, min_p: float
) -> None:
    log_probs = random_log_probs(3, vocabulary, seed)
    found = sampling_log_probs(log_probs, Settings(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p))
    scores = TemperatureLogitsWarper(temperature)(None, log_probs)
    scores = scores if top_k is None else TopKLogitsWarper(top_k)(None, scores)
    scores = scores if top_p == 1 else TopPLogitsWarper(top_p)(None, scores)
    scores = scores if min_p == 0 else MinPLogitsWarper(min_p)(None, scores)
    expected = scores.log_softmax(-1)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_without_temperature_the_most_probable_token_is_certain() -> None:
    log_probs = random_log_probs(4, 9, 0)
    found = sampling_log_probs(log_probs, Settings(temperature=0, top_p=0.5, top_k=3))
    assert (found.exp().sum(-1) == 1).all()
    assert (found.argmax(-1) == log_probs.argmax(-1)).all()


def test_the_smallest_share_keeps_one_token_and_extreme_logits_stay_finite() -> None:
    log_probs = model_log_probs(torch.tensor([[1e4, -1e4, 0.0], [3.0, 3.0, 3.0]], dtype=torch.bfloat16))
    assert log_probs.dtype == torch.float32
    found = sampling_log_probs(log_probs, Settings(top_p=1e-9))
    # Which of equally probable tokens comes first is no matter of chance: all of them are kept.
    assert torch.isfinite(found).sum(-1).tolist() == [1, 3]
    cold = sampling_log_probs(log_probs, Settings(temperature=1e-3, min_p=0.5))
    assert torch.isfinite(cold).sum(-1).tolist() == [1, 3]
    assert not torch.isnan(cold).any()


def test_a_random_number_takes_the_token_it_falls_on() -> None:
    log_probs = torch.tensor([[-math.inf, math.log(0.25), -math.inf, math.log(0.75), -math.inf]])
    edges = [0.0, 0.2499999, 0.2500001, 0.9999999, 1 - 2.0**-53]
    found = draw(log_probs.expand(len(edges), -1), torch.tensor(edges, dtype=torch.float64))
    assert found.tolist() == [1, 1, 3, 3, 3]


def test_probabilities_that_do_not_quite_sum_to_one_are_no_way_out() -> None:
    log_probs = random_log_probs(2000, 300, 1, scale=8.0)
    log_probs[:, 200:] = -math.inf
    highest = torch.full((2000,), 1 - 2.0**-53, dtype=torch.float64)
    assert int(draw(log_probs, highest).max()) < 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"n": 0},
        {"max_tokens": 0},
        {"temperature": -0.1},
        {"temperature": math.nan},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"top_k": 0},
        {"min_p": 1.0},
        {"stop": ("a", "")},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(InputError, match=f"sampling with {name} "):
        Settings(**wrong)
