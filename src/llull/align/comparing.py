"""Steps from comparisons (ComPO) on the output layer, for pairs that the reference finds almost equally likely."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from llull.align.references import KnownValues
from llull.align.step import option_sums
from llull.align.training_set import TrainingSet
from llull.align.windows import MicroBatch, micro_batches, windows
from llull.errors import InputError
from llull.language.logprobs import selected_log_probs
from llull.language.model import LanguageModel, TokenValues
from llull.objectives import PairUnits
from llull.objectives.batch import MAIN
from llull.objectives.comparison_oracle import ComparisonOracle, LogProbs, nearly_equal


@dataclass(frozen=True)
class Compared:
    """What steps from comparisons came to."""

    pairs: int
    """Pairs that the reference finds almost equally likely."""
    taken: int
    """Steps that were taken."""
    tried: int
    improving: float
    """Mean share of directions that served their pair."""


def step_by_comparisons(
    policy: LanguageModel,
    data: TrainingSet,
    reference: KnownValues,
    oracle: ComparisonOracle,
    *,
    width: float = 3.0,
    epochs: float = 1.0,
    seed: int = 0,
) -> Compared:
    """Move a policy's output layer by one comparison step for each pair that is nearly even under the reference.

    The second stage of ComPO (2025): clear pairs are for DPO, these for steps without gradients. Only the output
    layer's matrix moves; where it is the embedding itself, it is first made a matrix of its own. Hidden states are
    computed once for each pair, and each direction costs one matrix product.

    Args:
        policy: the model; it is changed in place.
        data: pairs; those that are not nearly even are passed over.
        reference: the reference's log-probabilities of all options.
        oracle: how steps are tried and taken.
        width: |gap of log-probabilities| up to which a pair is nearly even, in nats.
        epochs: how often each pair is tried.
        seed: of the order and the directions.

    Raises:
        InputError: if the judgments are no pairs, or none of them is nearly even.
    """
    units = data.units[MAIN]
    if not isinstance(units, PairUnits):
        raise InputError("comparison steps compare two options: prepare the judgments as pairs")
    near = nearly_equal(reference.sums[units.chosen], reference.sums[units.rejected], width) & ~units.tie
    if not bool(near.any()):
        raise InputError(f"none of {len(units):,} pairs is within {width:g} nats under the reference; widen it")
    even = replace(data, units={MAIN: units.select(near)}, beside={})
    layer = own_output_layer(policy)
    random = torch.Generator(layer.device).manual_seed(seed)
    taken, improving, tried = 0, 0, 0
    for window in windows(even, 1, epochs, seed):
        (batch,) = micro_batches(even, window, 1, layout=policy.layout)
        found = oracle.step(layer.data, _log_probs(policy, batch), random)
        layer.data.copy_(found.parameter)
        taken, improving, tried = taken + found.taken, improving + found.improving, tried + 1
    return Compared(int(near.sum()), taken, tried, improving / (tried * oracle.directions))


def _log_probs(policy: LanguageModel, batch: MicroBatch) -> LogProbs:
    """Log-probabilities of a batch's chosen and rejected options as a function of the output layer's matrix."""
    pairs, packed = batch.units[MAIN], batch.packed
    assert isinstance(pairs, PairUnits)
    teacher = policy.teach(packed)
    hidden, head = teacher.hidden, teacher.head
    target, entry, option = (at.to(hidden.device) for at in (packed.target_ids, packed.entry, packed.option))

    def log_probs(weight: Tensor) -> tuple[Tensor, Tensor]:
        said = selected_log_probs(hidden, weight, target, bias=head.bias, softcap=head.softcap, scale=head.scale)
        sums = option_sums(TokenValues(said[entry], option, torch.zeros_like(option)), packed)
        return sums[pairs.chosen], sums[pairs.rejected]

    return log_probs


def own_output_layer(policy: LanguageModel) -> nn.Parameter:
    """The matrix of the output layer, made a parameter of its own where it is the embedding's.

    Raises:
        InputError: if the output layer has adapters or quantized weights, which have no one matrix to move.
    """
    model: Any = policy.anatomy.base
    head = model.get_output_embeddings()
    weight = getattr(head, "weight", None)
    if not isinstance(head, nn.Linear) or not isinstance(weight, nn.Parameter) or not weight.is_floating_point():
        raise InputError(
            "comparison steps move the output layer's matrix: merge adapters into it, and load weights unquantized"
        )
    if weight is model.get_input_embeddings().weight:
        weight = nn.Parameter(weight.detach().clone(), requires_grad=weight.requires_grad)
        head.weight = weight
        model.config.tie_word_embeddings = False
    return weight
