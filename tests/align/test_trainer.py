"""What the trainer keeps, refuses, stops at and writes."""

from __future__ import annotations

import contextlib
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from small_trainings import first_gradients, known_values, make_data, make_model, make_trainer, weights
from torch import Tensor

from llull.align import KnownValues, Trainer, TrainingSet
from llull.align.measuring import OptionValues, measure
from llull.align.numerics import flushed_denormals, silence_dropout
from llull.align.settings import Training
from llull.align.trainer import METRICS
from llull.errors import InputError
from llull.language.model import LanguageModel
from llull.objectives import PairUnits
from llull.objectives.presets import PRESETS


def lines(folder: Path, kind: str) -> list[dict[str, float]]:
    found = [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]
    return [line for line in found if line["kind"] == kind]


def held_out(seed: int = 1) -> tuple[TrainingSet, KnownValues]:
    data = make_data(seed=seed)
    return data, known_values(make_model(), data)


def test_it_learns_the_judgments_it_sees(tmp_path: Path) -> None:
    data = make_data()
    strict = replace(data, units={"main": replace(data.units["main"], tie=torch.zeros(24, dtype=torch.bool))})
    trainer = make_trainer(
        "DPO", tmp_path, data=strict, held_out=(strict, known_values(make_model(), strict)), epochs=15
    )
    history = trainer.train()
    assert history.updates[0]["loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert history.evaluations[0]["margin"] == pytest.approx(0, abs=1e-5)
    assert history.evaluations[-1]["accuracy"] == 1
    assert history.evaluations[-1]["loss"] < 0.35
    assert lines(tmp_path, "update") == [{"kind": "update", **update} for update in history.updates]


def test_evaluation_says_what_one_option_at_a_time_says(tmp_path: Path) -> None:
    data, known = held_out()
    trainer = make_trainer("DPO", tmp_path, held_out=(data, known), epochs=1)
    history = trainer.train()
    sums = []
    with torch.no_grad():
        for option, prompt in zip(data.options, data.prompt, strict=True):
            ids = torch.from_numpy(np.concatenate([data.prompts[prompt], option])).long()
            found = torch.log_softmax(trainer.policy.model(input_ids=ids[None]).logits[0, :-1].double(), dim=-1)
            sums.append(found[torch.arange(len(ids) - 1), ids[1:]][-len(option) :].sum().item())
    values = OptionValues(np.array(sums), known.sums.double().numpy(), np.array([len(o) for o in data.options], float))
    last = history.evaluations[-1]
    for name, value in measure(values, data.units).items():
        assert last[name] == pytest.approx(value, abs=1e-5), name
    units = data.units["main"]
    assert isinstance(units, PairUnits)
    gap = torch.from_numpy(values.reward)[units.chosen] - torch.from_numpy(values.reward)[units.rejected]
    straight, turned = (torch.nn.functional.softplus(-sign * 0.1 * gap) for sign in (1, -1))
    losses = torch.where(units.tie, (straight + turned) / 2, straight)
    assert last["loss"] == pytest.approx(((units.weight * losses).sum() / units.weight.sum()).item(), abs=1e-5)


def test_the_best_weights_are_kept_and_taken(tmp_path: Path) -> None:
    trainer = make_trainer(
        "DPO", tmp_path, held_out=held_out(), epochs=6, evaluate_every=3, best_by="loss", learning_rate=3e-2
    )
    seen: dict[int, dict[str, Tensor]] = {}
    evaluate = trainer._evaluate

    def watched(done: int) -> None:
        evaluate(done)
        seen[done] = weights(trainer)

    trainer._evaluate = watched
    history = trainer.train()
    by_loss = {int(e["update"]): e["loss"] for e in history.evaluations if e["update"]}
    best = min(by_loss, key=lambda update: by_loss[update])
    assert best < max(by_loss), "learning judgments made at random generalizes to no others"
    assert trainer.take_best() == history.best == best
    for name, value in weights(trainer).items():
        assert torch.equal(value, seen[best][name])
    assert [p.name for p in (tmp_path / "best").iterdir()] == [str(best)]
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["18"]


def test_it_stops_when_patience_is_over_and_stays_stopped(tmp_path: Path) -> None:
    settings = {"epochs": 20, "evaluate_every": 1, "best_by": "loss", "learning_rate": 3e-2, "patience": 3}
    trainer = make_trainer("DPO", tmp_path, held_out=held_out(), **settings)
    history = trainer.train()
    assert history.best is not None
    assert len(history.updates) == history.best + 3 < trainer.updates
    assert history.stopped == "no better loss in 3 evaluations"
    again = make_trainer("DPO", tmp_path, held_out=held_out(), **settings)
    assert len(again.train().updates) == len(history.updates)
    for name, value in weights(trainer).items():
        assert torch.equal(value, weights(again)[name])


def test_a_metric_that_is_not_measured_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no metric 'beauty' to keep the best weights by; there are update, accuracy"):
        make_trainer("DPO", tmp_path, held_out=held_out(), best_by="beauty").train()


def test_a_reference_of_another_model_is_refused(tmp_path: Path) -> None:
    data = make_data()
    other = known_values(make_model(seed=5), data)
    with pytest.raises(InputError, match=r"differ by .* \(the model at its start\) are of another"):
        make_trainer("DPO", tmp_path, reference=other).train()
    assert not (tmp_path / "checkpoints").exists()
    # One option in one of the window's micro-batches is enough; one that is not meant to be equal is not asked.
    sums = known_values(make_model(), data).sums.clone()
    sums[int(data.units["main"].options[0, 0])] += 0.5
    with pytest.raises(InputError, match="policy and reference differ"):
        make_trainer("DPO", tmp_path, reference=KnownValues(sums), batch_size=24).train()
    make_trainer("DPO", tmp_path, reference=other, starts_at_reference=False).train()


def test_no_reference_is_refused(tmp_path: Path) -> None:
    trainer = make_trainer("SimPO", tmp_path)
    with pytest.raises(InputError, match="give the reference's log-probabilities"):
        Trainer(trainer.policy, PRESETS["DPO"](), trainer.data, trainer.settings, tmp_path)


def test_gradients_that_are_no_numbers_stop_it_before_the_weights_change(tmp_path: Path) -> None:
    trainer = make_trainer("DPO", tmp_path, save_every=1)
    shorten, before, updates = trainer.accelerator.clip_grad_norm_, {}, 0

    def spoiled(parameters: object, length: float) -> Tensor | None:
        nonlocal updates
        updates += 1
        if updates == 3:
            before.update(weights(trainer))
            next(p for p in trainer.step.parameters() if p.grad is not None).grad[0, 0] = torch.nan
        return shorten(parameters, length)

    trainer.accelerator.clip_grad_norm_ = spoiled
    with pytest.raises(InputError, match="update 3: the gradient is no finite number any more; lower learning_rate"):
        trainer.train()
    assert before
    for name, value in weights(trainer).items():
        assert torch.equal(value, before[name])
    assert trainer.checkpoints.newest() == 2


def test_long_gradients_are_shortened_and_the_rate_follows_the_schedule(tmp_path: Path) -> None:
    trainer = make_trainer("DPO", tmp_path, max_grad_norm=1e-3, warmup=0.5, epochs=2)
    norms = []
    step = trainer.optimizer.step

    def watched(*others: object) -> object:
        squares = [p.grad.square().sum() for p in trainer.step.parameters() if p.grad is not None]
        norms.append(torch.stack(squares).sum().sqrt().item())
        return step(*others)

    trainer.optimizer.step = watched
    history = trainer.train()
    assert norms == pytest.approx([1e-3] * 6, rel=1e-3)
    assert all(update["gradient_norm"] > 0.01 for update in history.updates)
    assert [update["rate"] for update in history.updates] == pytest.approx(
        [1e-2 * share for share in (1 / 3, 2 / 3, 1, 1, 2 / 3, 1 / 3)]
    )


def test_dropout_is_silent_also_in_layers_that_are_computed_twice(tmp_path: Path) -> None:
    from transformers import OPTConfig, OPTForCausalLM

    torch.manual_seed(0)
    config = OPTConfig(
        vocab_size=61,
        hidden_size=32,
        ffn_dim=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
        word_embed_proj_dim=32,
        dropout=0.5,
        attention_dropout=0.5,
        layerdrop=0.5,
    )
    model = OPTForCausalLM(config)
    silence_dropout(model.gradient_checkpointing_enable() or model)
    ids = torch.arange(3, 20)[None]
    assert any(module.training for module in model.modules()), "layers recompute in training mode only"
    first, second = model(input_ids=ids).logits, model(input_ids=ids).logits
    assert torch.equal(first, second)
    assert torch.equal(first, model.eval()(input_ids=ids).logits)
    assert model.config.dropout == 0.5, "what is saved is the model's own configuration"


def test_a_model_with_dropout_learns_without(tmp_path: Path) -> None:
    model = make_model().model
    for layer in model.model.layers:
        layer.mlp = torch.nn.Sequential(layer.mlp, torch.nn.Dropout(0.5))
    model.train()
    history = make_trainer("DPO", tmp_path, model=LanguageModel(model)).train()
    assert history.updates[0]["loss"] == pytest.approx(math.log(2), abs=1e-6)


def test_denormals_are_flushed_only_meanwhile() -> None:
    tiny = torch.tensor([1e-39])
    assert (tiny * 0.5).item() > 0
    with contextlib.suppress(RuntimeError), flushed_denormals(torch.device("cpu")):
        assert (tiny * 0.5).item() == 0
        raise RuntimeError
    assert (tiny * 0.5).item() > 0


def test_bf16_has_nearly_the_same_gradients_and_learns(tmp_path: Path) -> None:
    exact = make_trainer("DPO", tmp_path / "exact", epochs=4)
    own = first_gradients(exact)
    exact.train()
    rough = make_trainer("DPO", tmp_path / "rough", epochs=4, precision="bf16")
    found = first_gradients(rough)
    losses = [update["loss"] for update in rough.train().updates]
    first, second = (torch.cat([gradients[name].flatten() for name in own]) for gradients in (own, found))
    # A number of 8 bits is up to 2^-9 off; a gradient passes a few tens of them.
    assert 0 < (first - second).norm() / first.norm() < 0.05
    assert np.mean(losses[-3:]) < 0.6 < np.mean(losses[:3])
    assert all(parameter.dtype == torch.float32 for parameter in rough.policy.parameters())
    assert not torch.is_autocast_enabled("cpu")


def test_tensorboard_gets_what_the_metrics_file_gets(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    history = make_trainer("DPO", tmp_path, held_out=held_out(), trackers=("tensorboard",)).train()
    events = EventAccumulator(str(tmp_path / "llull"))
    events.Reload()
    losses = events.Scalars("update/loss")
    assert [(e.step, e.value) for e in losses] == [
        (update["update"], pytest.approx(update["loss"], rel=1e-6)) for update in history.updates
    ]
    assert [e.step for e in events.Scalars("evaluation/accuracy")] == [0, len(history.updates)]


def test_parameters_of_an_objective_are_trained_and_kept(tmp_path: Path) -> None:
    trainer = make_trainer("DavidsonDPO", tmp_path)
    before = {name: value.clone() for name, value in trainer.objective.named_parameters()}
    assert before
    trainer.train()
    assert all(not torch.equal(value, before[name]) for name, value in trainer.objective.named_parameters())
    saved = load_file(tmp_path / "checkpoints" / "6" / "state.safetensors")
    assert any("objective.link.log_nu" in name for name in saved)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"batch_size": 0}, "batch_size must be positive"), ({"warmup": 2.0}, "warmup is a share")],
)
def test_bad_settings_are_refused(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Training(**wrong)
