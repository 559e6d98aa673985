"""Where the reference's numbers come from: a column computed once, or a second model that is run along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor

from llull.align.step import Known, option_sums
from llull.language.model import LanguageModel, Want
from llull.language.packing import Packed
from llull.objectives.axes import Needs
from llull.objectives.references import ReferenceRule


@dataclass(frozen=True)
class KnownValues:
    """The reference's log-probabilities of all options, computed before training."""

    sums: Tensor
    """float32 [n]"""
    tokens: Sequence[Tensor] | None = None
    """For each option float32 [its scored tokens]."""
    fingerprint: str = ""
    """Of the model, adapter, tokenizer and template that they were computed with."""

    def of(self, packed: Packed, needs: Needs, device: torch.device) -> Known:
        """What is known of the options of one row."""
        tokens = None
        if self.tokens is not None and needs.tokens:
            tokens = torch.cat([self.tokens[i] for i in packed.options.tolist()]).to(device)
        return Known(self.sums[packed.options].to(device), tokens)


class LiveReference:
    """A second model, run without gradient beside the policy; what a moving reference or whole distributions need.

    Args:
        model: the frozen reference.
        rule: when and how far it moves.
    """

    def __init__(self, model: LanguageModel, rule: ReferenceRule = ReferenceRule()) -> None:
        self.model, self.rule = model.requires_grad_(False), rule

    @torch.no_grad()
    def of(self, packed: Packed, needs: Needs, device: torch.device) -> Known:
        """What the reference says of the options of one row, at this moment."""
        values = self.model(packed, Want(hidden=needs.state))
        state = None if values.hidden is None else values.hidden.to(device)
        return Known(option_sums(values, packed).to(device), values.log_probs.to(device), state=state)

    @torch.no_grad()
    def after(self, update: int, policy: LanguageModel) -> None:
        """Move, where a move is due after this many updates: (1 - share) reference + share policy."""
        if not self.rule.due(update):
            return
        for mine, theirs in zip(self.model.parameters(), policy.parameters(), strict=True):
            whole = theirs.full_tensor() if isinstance(theirs, DTensor) else theirs
            mine.lerp_(whole.to(mine), self.rule.share)

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint has to hold: the weights, where they move."""
        moving = self.rule.kind != "fixed"
        return {name: value.detach() for name, value in self.model.named_parameters()} if moving else {}

    @torch.no_grad()
    def put_back(self, state: Mapping[str, Tensor]) -> None:
        """Take the weights of a checkpoint."""
        for name, value in self.model.named_parameters():
            if name in state:
                value.copy_(state[name])


ReferenceValues = KnownValues | LiveReference
