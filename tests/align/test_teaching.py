"""Objectives that compare whole distributions with other models': values, gradients, going on, and what is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_tokenizers import byte_level
from small_trainings import first_gradients, make_data, make_model, weights
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from llull.align import LiveReference, Policy, Teaching, Trainer, Training, TrainingSet, save_policy
from llull.align.trainer import METRICS
from llull.align.windows import windows
from llull.cli import main
from llull.errors import InputError
from llull.judgments import Judgment, Preferences
from llull.judgments.record import Message, text_option
from llull.language.divergences import adaptive_contrast, geometric_mixture
from llull.language.model import LanguageModel
from llull.objectives import Objective, PairUnits, SingleUnits
from llull.objectives.presets.tokens import TDPO, AlignDistil

BETA, ALPHA, PULL, FLOOR = 0.3, 0.7, 2.0, 1e-3
"""Of TDPO, and of the adaptive contrast."""

Logs = list[Tensor]
"""Of each option in turn, the log-probabilities [tokens, vocabulary] of its tokens' places."""


def whole(model: LanguageModel, data: TrainingSet) -> Logs:
    """All logits of one context and option after the other, by the model itself."""
    found = []
    for option, prompt in zip(data.options, data.prompt, strict=True):
        ids = torch.from_numpy(np.concatenate([data.prompts[prompt], option])).long()
        logits = model.model(ids[None]).logits[0].log_softmax(-1)
        found.append(logits[len(data.prompts[prompt]) - 1 : -1])
    return found


def chosen_tokens(logs: Logs, data: TrainingSet) -> Tensor:
    """Summed log-probability of each option."""
    ids = (torch.from_numpy(option).long()[:, None] for option in data.options)
    return torch.stack([each.gather(1, at).sum() for each, at in zip(logs, ids, strict=True)])


def plain_tdpo(policy: Logs, teachers: list[Logs], data: TrainingSet, units: Any) -> Tensor:
    """Zeng et al. (2024), version 2, pair by pair."""
    (reference,) = teachers
    ratio = chosen_tokens(policy, data) - chosen_tokens(reference, data)
    drift = torch.stack([(q.exp() * (q - p)).sum() for p, q in zip(policy, reference, strict=True)])
    total = torch.zeros((), dtype=torch.float64)
    for better, worse, weight in zip(
        units.chosen.tolist(), units.rejected.tolist(), units.weight.tolist(), strict=True
    ):
        margin = BETA * (ratio[better] - ratio[worse] - ALPHA * (drift[worse] - drift[better].detach()))
        total = total - weight * torch.log(torch.sigmoid(margin))
    return total / units.weight.sum()


def plain_distillation(policy: Logs, teachers: list[Logs], data: TrainingSet, units: Any) -> Tensor:
    """AlignDistil, option by option and token by token: mean of KL(policy || softmax z*) / w_t."""
    total = torch.zeros((), dtype=torch.float64)
    for option in units.option.tolist():
        aligned, reverse = teachers[0][option], teachers[1][option]
        mean = torch.zeros((), dtype=torch.float64)
        for place, p in enumerate(policy[option]):
            good, bad = aligned[place], reverse[place]
            pull = PULL * (good.exp() - bad.exp()).abs().sum() + FLOOR
            target = torch.log_softmax(pull * (good - bad) + good, -1)
            mean = mean + (p.exp() * (p - target)).sum() / pull / len(policy[option])
        total = total + mean
    return total / len(units)


@dataclass(frozen=True)
class Case:
    objective: Callable[[], Objective]
    teachers: tuple[int, ...]
    """Seeds of the models."""
    teaching: Callable[[list[LanguageModel]], Teaching]
    plain: Callable[[Logs, list[Logs], TrainingSet, Any], Tensor]


CASES = {
    "TDPO": Case(lambda: TDPO(BETA, ALPHA), (0,), Teaching, plain_tdpo),
    "AlignDistil": Case(
        AlignDistil, (2, 3), lambda models: Teaching(models, adaptive_contrast(PULL, FLOOR)), plain_distillation
    ),
}


def judged(kind: str) -> TrainingSet:
    """Pairs without ties, or accepted options."""
    data = make_data("pairs" if kind == "pairs" else "singles")
    units = data.units["main"]
    if isinstance(units, PairUnits):
        return replace(data, units={"main": replace(units, tie=torch.zeros(len(units), dtype=torch.bool))})
    options = len(make_data().options)
    return replace(make_data(), units={"main": SingleUnits.of(torch.arange(0, options, 2))})


def trainer_of(name: str, folder: Path, **options: Any) -> Trainer:
    """A policy of its own (seed 1) with the case's teachers, in float64."""
    case = CASES[name]
    objective = case.objective().double()
    models = [make_model(seed, torch.float64).requires_grad_(False) for seed in case.teachers]
    return Trainer(
        make_model(1, torch.float64),
        objective,
        judged(objective.kind),
        Training(
            **{"batch_size": 8, "epochs": 2, "learning_rate": 1e-2, "token_budget": 60, "evaluate_every": 0, **options}
        ),
        folder,
        reference=LiveReference(models[0]) if objective.needs.reference else None,
        teaching=case.teaching(models),
        starts_at_reference=False,
    )


@pytest.mark.parametrize("name", CASES)
def test_the_first_window_is_what_full_logits_of_all_models_give(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    trainer = trainer_of(name, tmp_path, epochs=1)
    gradients = first_gradients(trainer)
    policy, data = make_model(1, torch.float64), trainer.data
    window = next(windows(data, 8, 1, trainer.settings.seed))
    assert len(window.units["main"]) >= 8
    with torch.no_grad():
        teachers = [whole(make_model(seed, torch.float64), data) for seed in case.teachers]
    loss = case.plain(whole(policy, data), teachers, data, window.units["main"])
    loss.backward()
    history = trainer.train()
    assert history.updates[0]["loss"] == pytest.approx(loss.item(), rel=1e-8)
    expected = {f"policy.{key}": p.grad for key, p in policy.named_parameters() if p.grad is not None}
    assert sorted(gradients) == sorted(expected)
    for key, gradient in expected.items():
        torch.testing.assert_close(gradients[key], gradient, rtol=1e-6, atol=1e-9, msg=key)


@pytest.mark.parametrize("name", CASES)
def test_the_loss_falls_and_teachers_stay_as_they_are(name: str, tmp_path: Path) -> None:
    trainer = trainer_of(name, tmp_path, epochs=10)
    losses = [update["loss"] for update in trainer.train().updates]
    assert all(math.isfinite(loss) for loss in losses)
    assert np.mean(losses[-3:]) < 0.5 * np.mean(losses[:3])
    divergence = trainer.accelerator.unwrap_model(trainer.step).want.divergence
    assert divergence is not None
    seeds = CASES[name].teachers
    for teach, seed in zip(divergence.teachers, seeds, strict=True):
        model = teach.__self__  # type: ignore[attr-defined]  # a bound method
        for key, value in make_model(seed, torch.float64).state_dict().items():
            assert torch.equal(model.state_dict()[key], value), key
    learned = sum(p.numel() for p in make_model().parameters())
    assert sum(value.numel() for value in weights(trainer).values()) == learned + sum(
        buffer.numel() for buffer in trainer.objective.buffers()
    )


@pytest.mark.parametrize("name", CASES)
def test_a_training_that_was_stopped_goes_on_to_the_same_weights(name: str, tmp_path: Path) -> None:
    straight = trainer_of(name, tmp_path / "straight", save_every=2)
    expected = straight.train()
    assert len(expected.updates) >= 5
    stopped = trainer_of(name, tmp_path / "stopped", save_every=2)
    step, steps = stopped.optimizer.step, 0

    def stop_at_the_fourth(*others: object) -> object:
        nonlocal steps
        steps += 1
        if steps == 4:
            raise KeyboardInterrupt
        return step(*others)

    stopped.optimizer.step = stop_at_the_fourth
    with pytest.raises(KeyboardInterrupt):
        stopped.train()
    again = trainer_of(name, tmp_path / "stopped", save_every=2)
    found = again.train()
    assert [u["loss"] for u in found.updates] == [u["loss"] for u in expected.updates]
    for key, value in weights(straight).items():
        assert torch.equal(weights(again)[key], value), key


@pytest.mark.parametrize("name", CASES)
def test_a_missing_teacher_is_said_in_one_line(name: str, tmp_path: Path) -> None:
    objective = CASES[name].objective()
    data = judged(objective.kind)
    with pytest.raises(InputError, match="name models with teaching") as caught:
        Trainer(make_model(), objective, data, Training(), tmp_path, reference=LiveReference(make_model()))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("teaching", "message"),
    [
        (lambda: Teaching([]), "0 teachers; give one, or a mixture"),
        (lambda: Teaching([make_model(2), make_model(3)]), "2 teachers; give one, or a mixture"),
        (lambda: Teaching([make_model(2)], adaptive_contrast()), "give the aligned and the reversed one"),
        (lambda: Teaching([make_model(2)], geometric_mixture(1.0, 1.0)), "2 weights for 1 teachers"),
        (lambda: Teaching([make_model(2)], temperature=0.0), "temperature 0.0; it must be above 0"),
    ],
)
def test_teachers_that_do_not_fit_together_are_refused(
    teaching: Callable[[], Teaching], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        Trainer(make_model(), AlignDistil(), judged("singles"), Training(), tmp_path, teaching=teaching()).train()


def test_teachers_without_weights_of_their_own_count_every_token_alike(tmp_path: Path) -> None:
    """A constant mixture, as the optimum of RLHF needs it: the mean of KL(policy || mixture) over tokens."""
    models = [make_model(seed).requires_grad_(False) for seed in (2, 3)]
    data = judged("singles")
    settings = Training(batch_size=len(data), learning_rate=1e-2, evaluate_every=0)
    teaching = Teaching(models, geometric_mixture(1.5, -0.5))
    trainer = Trainer(make_model(1), AlignDistil(), data, settings, tmp_path, teaching=teaching)
    with torch.no_grad():
        policy, aligned, reverse = (whole(make_model(seed), data) for seed in (1, 2, 3))
        expected = []
        for option in data.units["main"].option.tolist():
            target = (1.5 * aligned[option] - 0.5 * reverse[option]).log_softmax(-1)
            p = policy[option]
            expected.append((p.exp() * (p - target)).sum(-1).mean().item())
    assert trainer.train().updates[0]["loss"] == pytest.approx(np.mean(expected), rel=1e-4)


def test_weights_of_tokens_that_were_given_come_before_those_of_teachers(tmp_path: Path) -> None:
    data, losses = judged("singles"), []
    for weight in (1.0, 2.0):
        models = [make_model(seed).requires_grad_(False) for seed in (2, 3)]
        weighted = replace(data, inside={"weight": tuple(np.full(len(i), weight, np.float32) for i in data.options)})
        settings = Training(batch_size=len(data), learning_rate=1e-2, evaluate_every=0)
        teaching = Teaching(models, adaptive_contrast(PULL))
        trainer = Trainer(make_model(1), AlignDistil(), weighted, settings, tmp_path / str(weight), teaching=teaching)
        losses.append(trainer.train().updates[0]["loss"])
    assert losses[1] == pytest.approx(2 * losses[0], rel=1e-5)


def test_the_reference_is_tdpos_teacher_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tokenizer = byte_level()
    torch.manual_seed(0)
    shape = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=1,
        num_attention_heads=4,
        max_position_embeddings=256,
    )
    save_policy(Policy(LanguageModel(LlamaForCausalLM(shape)), tokenizer, "tiny"), tmp_path / "start")
    animals = ["dog", "cat", "bird", "frog", "cow", "fox", "hen", "owl"]
    data = Preferences.from_judgments(
        Judgment(
            options=[text_option(f"The {animal} {end}.") for end in ("ran", "sat down and slept")],
            context=[Message("user", f"Tell me of a {animal}.")],
            ranking=[[0], [1]],
        )
        for animal in animals
    ).save(tmp_path / "judgments.parquet")
    words = ["align", str(data), "--policy", str(tmp_path / "start"), "--samples", "0", "--held_out", "0.25"]
    words += ["--training.batch_size", "6", "--training.epochs", "12", "--training.learning_rate", "0.003"]
    words += ["--objective", "tdpo", "--objective.beta", "0.3", "--objective.alpha", "1.0"]
    losses = {}
    for name, teachers in {"tdpo": [], "named": ["--teachers", f'["{tmp_path / "start"}"]']}.items():
        assert main([*words, "--out", str(tmp_path / name), *teachers]) == 0, capsys.readouterr().err
        lines = [json.loads(line) for line in (tmp_path / name / METRICS).read_text().splitlines()]
        losses[name] = [line["loss"] for line in lines if line["kind"] == "update"]
    assert losses["tdpo"][0] == pytest.approx(math.log(2), abs=1e-5)
    assert losses["tdpo"][-1] < 0.5 * losses["tdpo"][0]
    assert losses["named"] == pytest.approx(losses["tdpo"], rel=1e-4)
    assert "divergence(y)" in (tmp_path / "tdpo" / "report.html").read_text()
