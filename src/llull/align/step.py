"""One forward pass: a micro-batch in, losses out, as one module that parallel wrappers can wrap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from llull.align.windows import MicroBatch
from llull.errors import InputError
from llull.language.divergences import Mixture
from llull.language.model import DivergenceTo, LanguageModel, TokenValues, Want
from llull.language.packing import Packed
from llull.objectives import Batch, Objective, Scores, Tokens
from llull.objectives.axes import Needs

Ask = Literal["losses", "survey", "sums"]


@dataclass(frozen=True)
class Known:
    """What is known of a micro-batch before the policy sees it."""

    reference: Tensor | None = None
    """float [k]: the reference's log-probability of each option of the row."""
    reference_tokens: Tensor | None = None
    """float [s]: and of each scored token, in the row's order."""
    columns: dict[str, Tensor] = field(default_factory=dict)
    """Given numbers of options: [k] or [k, d]."""
    inside: dict[str, Tensor] = field(default_factory=dict)
    """Given numbers of scored tokens, [s]: ``step`` and ``weight``."""
    state: Tensor | None = None
    """float [s, d]: the reference's hidden states at the scored tokens."""


@dataclass(frozen=True)
class Teaching:
    """Frozen models whose next-token distributions the policy's is compared with.

    Args:
        models: one, as the reference of TDPO, or several.
        mixture: how several make one distribution.
        temperature: divides the logits.
    """

    models: Sequence[LanguageModel]
    mixture: Mixture | None = None
    temperature: float = 1.0


class Step(nn.Module):
    """Policy and objective together: everything that has a gradient happens in this forward pass.

    Args:
        policy: the model that learns, a `llull.language.LanguageModel` or what answers like one.
        objective: what it learns by; its own parameters learn along.
        teaching: the models whose distributions the objective compares the policy's with, if it does.
    """

    def __init__(self, policy: nn.Module, objective: Objective, teaching: Teaching | None = None) -> None:
        super().__init__()
        self.policy, self.objective = policy, objective
        # A plain attribute: teachers do not learn, are in no checkpoint, and are not wrapped.
        self.want = wanted(objective.needs, teaching)

    def forward(self, batch: MicroBatch, known: Known, ask: Ask = "losses") -> Any:
        """Losses of a micro-batch; or the sums wanted before them; or just each option's summed log-probability [k]."""
        if ask == "sums":
            return option_sums(self.policy(batch.packed), batch.packed)
        needs = self.objective.needs
        values = self.policy(batch.packed, self.want)
        units = {name: units.to(values.log_probs.device) for name, units in batch.units.items()}
        seen = Batch(scores(values, batch.packed, known, needs), units)
        return self.objective.survey(seen) if ask == "survey" else self.objective(seen)


def wanted(needs: Needs, teaching: Teaching | None = None) -> Want:
    """What the model has to compute for an objective's needs.

    Raises:
        InputError: if it needs other models' distributions and none are given.
    """
    divergence = None
    if needs.divergence is not None:
        if teaching is None:
            raise InputError("this objective compares whole distributions: name models with teaching")
        divergence = DivergenceTo(
            needs.divergence, [model.teach for model in teaching.models], teaching.mixture, teaching.temperature
        )
    return Want(
        entropy=needs.entropy,
        concentration=needs.concentration,
        divergence=divergence,
        hidden_at_end=needs.hidden,
    )


def option_places(values: TokenValues, packed: Packed) -> Tensor:
    """int64 [s]: the place in ``packed.options`` of the option of each value."""
    place = torch.empty(int(packed.options.max()) + 1, dtype=torch.int64)
    place[packed.options] = torch.arange(len(packed.options))
    return place.to(values.option.device)[values.option]


def option_sums(values: TokenValues, packed: Packed) -> Tensor:
    """[k]: the summed log-probability of each option of the row, in the order of ``packed.options``."""
    places = option_places(values, packed)
    return values.log_probs.new_zeros(len(packed.options)).index_add(0, places, values.log_probs)


def token_weights(values: TokenValues, known: Known) -> Tensor | None:
    """[s]: the given weights of tokens; else, where teachers are compared with, 1 / the weight of their mixture.

    A mixture that pulls a token w times as hard from its reference is as an objective whose KL weight there is 1 / w
    (AlignDistil, Zhang et al., 2025). Teachers without such a weight count every token alike.
    """
    if "weight" in known.inside:
        return known.inside["weight"]
    if values.divergence is None:
        return None
    return torch.ones_like(values.divergence) if values.mixing is None else 1.0 / values.mixing


def scores(values: TokenValues, packed: Packed, known: Known, needs: Needs) -> Scores:
    """A model's token values as scores of the row's options."""
    option = option_places(values, packed)
    tokens = None
    if needs.tokens or needs.divergence or needs.entropy or needs.concentration or needs.state:
        tokens = Tokens(
            option,
            values.log_probs,
            reference=known.reference_tokens,
            step=known.inside.get("step", values.step),
            divergence=values.divergence,
            entropy=values.entropy,
            weight=token_weights(values, known),
            concentration=values.concentration,
            state=known.state,
        )
    return Scores(
        policy=option_sums(values, packed),
        reference=known.reference,
        length=torch.bincount(option, minlength=len(packed.options)).to(values.log_probs.dtype),
        tokens=tokens,
        hidden=values.hidden_at_end,
        columns=known.columns,
    )
