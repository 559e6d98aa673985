"""Every objective trains a model from judgments alone, or from them and what it says it needs beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from small_tokenizers import byte_level
from transformers import LlamaConfig, LlamaForCausalLM

from llull.align import Inputs, Policy, Segments, Teaching, Training, train
from llull.judgments import Judgment, Preferences
from llull.judgments.record import Message, Rating, text_option
from llull.language.divergences import adaptive_contrast
from llull.language.model import LanguageModel
from llull.objectives.presets import PRESETS

ANIMALS = ["dog", "cat", "bird", "frog", "cow", "fox"]
ASPECTS = ("reward", "other_reward", "value", "degree")


def policy(seed: int = 0) -> Policy:
    tokenizer = byte_level()
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=256,
    )
    return Policy(LanguageModel(LlamaForCausalLM(config)), tokenizer, "tiny")


def judgment(animal: str, ends: list[str], number: int, **more) -> Judgment:
    options = [text_option(f"The {animal} {end}.") for end in ends]
    ratings = [Rating(at, aspect, value=float((len(ends) - at) % 4)) for aspect in ASPECTS for at in range(len(ends))]
    return Judgment(
        options=options,
        context=[Message("user", f"Tell me of a {animal}.")],
        ratings=ratings,
        annotator=f"reader {number % 3}",
        groups={"club": "ab"[number % 2]},
        rationale="It is livelier.",
        strength=float(1 + number % 3),
        **more,
    )


def judged(kind: str) -> Preferences:
    """Pairs, or rankings of three."""
    ends = ["ran", "sat down and slept", "was not there at all"][: 3 if kind == "lists" else 2]
    ranking = [[k] for k in range(len(ends))]
    return Preferences.from_judgments(judgment(animal, ends, n, ranking=ranking) for n, animal in enumerate(ANIMALS))


def beside(kind: str) -> Preferences:
    if kind == "singles":
        return Preferences.from_judgments(
            judgment(animal, ["barked", "slept"], n, verdict="cannot_judge") for n, animal in enumerate(ANIMALS)
        )
    ends = ["sang", "hid", "ate", "fell"][: 4 if kind == "lists" else 2]
    return Preferences.from_judgments(
        judgment(animal, ends, n, ranking=[[k] for k in range(len(ends))]) for n, animal in enumerate(ANIMALS)
    )


def aligned_and_against() -> Teaching:
    return Teaching([policy(1).model, policy(2).model], adaptive_contrast(10.0))


@pytest.mark.slow
@pytest.mark.parametrize("name", PRESETS)
def test_it_trains(name: str, tmp_path: Path) -> None:
    objective, learner = PRESETS[name](), policy()
    made = {unit: kind for unit, kind in objective.beside.items() if unit not in ("mismatched", "rationale")}
    worth = "none" if objective.kind == "singles" else "changed"
    inputs = Inputs(
        columns=dict.fromkeys(objective.needs.columns - {"context", *ASPECTS}, "reward"),
        beside={unit: beside(kind) for unit, kind in made.items()},
        segments=Segments("lines", worth) if objective.needs.tokens else None,
    )
    before = {key: value.clone() for key, value in learner.model.named_parameters()}
    aligned = train(
        judged(objective.kind),
        learner,
        objective,
        settings=Training(batch_size=3, epochs=2, learning_rate=1e-2, evaluate_every=0, save_every=0),
        held_out=0.0,
        inputs=inputs,
        # For the others the reference is the teacher.
        teaching=aligned_and_against() if objective.needs.divergence == "reverse_kl" else None,
        rating="reward" if objective.kind == "lists" else None,
        group="club",
        out=tmp_path,
    )
    losses = [update["loss"] for update in aligned.history.updates]
    # Two sides of a pair judged alone are two judgments.
    assert len(losses) == (8 if objective.kind == "singles" else 4)
    assert np.isfinite(losses).all()
    assert any(not torch.equal(value, before[key]) for key, value in learner.model.named_parameters())
    assert all(bool(value.isfinite().all()) for value in learner.model.parameters())
