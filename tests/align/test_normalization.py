"""What is learned depends neither on micro-batches, nor on the layout of options, nor on gradient checkpointing."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from small_trainings import FAMILIES, first_gradients, make_data, make_model, make_trainer, weights
from torch import Tensor

from llull.align.windows import micro_batches, windows
from llull.language.model import LanguageModel

VARIANTS: dict[str, dict[str, Any]] = {
    "many micro-batches": {"token_budget": 1},
    "flat": {"token_budget": 60, "layout": "flat"},
    "checkpointed": {"token_budget": 60, "gradient_checkpointing": True},
}


def trained(name: str, folder: Path, layout: str = "tree", **options: Any) -> dict[str, Tensor]:
    """Losses, first gradients and last weights, of a training in float64."""
    model = LanguageModel(make_model(dtype=torch.float64).model.eval(), layout)
    trainer = make_trainer(name, folder, model=model, dtype=torch.float64, epochs=1, **options)
    gradients = first_gradients(trainer)
    history = trainer.train()
    assert gradients
    losses = torch.tensor([update["loss"] for update in history.updates], dtype=torch.float64)
    norms = torch.tensor([update["gradient_norm"] for update in history.updates], dtype=torch.float64)
    return (
        {f"gradient of {key}": v for key, v in gradients.items()} | weights(trainer) | {"loss": losses, "norm": norms}
    )


@pytest.mark.parametrize("name", FAMILIES)
def test_micro_batches_layout_and_checkpointing_change_nothing(name: str, tmp_path: Path) -> None:
    whole = trained(name, tmp_path / "whole", token_budget=10**6)
    for variant, options in VARIANTS.items():
        found = trained(name, tmp_path / variant, **options)
        assert sorted(found) == sorted(whole)
        for key, value in whole.items():
            # Adam divides by the size of gradients, so that of rounding errors counts where they are tiny.
            near = {"rtol": 1e-7, "atol": 1e-9} if key.startswith("policy") else {"rtol": 1e-9, "atol": 1e-12}
            # Losses of groups that were never met are unknown, NaN, in both.
            torch.testing.assert_close(found[key], value, **near, equal_nan=True, msg=f"{variant}: {key}")


def test_the_loss_of_a_window_is_the_mean_over_its_judgments(tmp_path: Path) -> None:
    """The first update by hand: one option at a time, logits and all."""
    trainer = make_trainer("DPO", tmp_path, dtype=torch.float64, epochs=1, token_budget=20)
    model, data, reference = make_model(dtype=torch.float64).model, make_data(), trainer.reference.sums
    gradients = first_gradients(trainer)
    units = next(windows(data, 8, 1, 0)).units["main"]
    assert len(list(micro_batches(data, next(windows(data, 8, 1, 0)), 20))) > 1

    def log_prob(option: int) -> Tensor:
        ids = torch.tensor([*data.prompts[data.prompt[option]], *data.options[option]])
        found = torch.log_softmax(model(input_ids=ids[None]).logits[0, :-1], dim=-1)
        return found[torch.arange(len(ids) - 1), ids[1:]][-len(data.options[option]) :].sum()

    total = torch.zeros((), dtype=torch.float64)
    for chosen, rejected, tie, weight in zip(units.chosen, units.rejected, units.tie, units.weight, strict=True):
        margin = (log_prob(int(chosen)) - reference[chosen]) - (log_prob(int(rejected)) - reference[rejected])
        straight, turned = (torch.nn.functional.softplus(-sign * 0.1 * margin) for sign in (1, -1))
        total = total + weight * ((straight + turned) / 2 if tie else straight)
    loss = total / units.weight.sum()
    loss.backward()
    history = trainer.train()
    assert history.updates[0]["loss"] == pytest.approx(loss.item(), rel=1e-12)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(gradients[f"policy.model.{name}"], parameter.grad, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("asked", [False, True])
def test_layers_run_twice_only_if_checkpointed(tmp_path: Path, asked: bool) -> None:
    model = make_model()
    model.eval()  # as transformers gives a model that it has loaded
    runs = 0

    def count(*_: object) -> None:
        nonlocal runs
        runs += 1

    with warnings.catch_warnings():
        # What transformers is about to take away is not asked for.
        warnings.simplefilter("error", FutureWarning)
        trainer = make_trainer("SimPO", tmp_path, model=model, gradient_checkpointing=asked, epochs=0.1)
    model.model.model.layers[0].mlp.register_forward_pre_hook(count)
    trainer.train()
    batches = len(list(micro_batches(trainer.data, next(windows(trainer.data, 8, 1, 0)), 60)))
    assert runs == batches * (2 if asked else 1)
