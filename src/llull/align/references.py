"""Where the reference's numbers come from: a column computed once, or a second model that is run along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from llull.align.step import Known, option_sums
from llull.language.model import LanguageModel
from llull.language.packing import Packed
from llull.objectives.axes import Needs


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


@dataclass(frozen=True)
class Follow:
    """How a moving reference moves: every ``every`` updates it takes over a share ``alpha`` of the policy (TR-DPO)."""

    alpha: float
    every: int = 1


class LiveReference:
    """A second model, run without gradient beside the policy; what a moving reference or whole distributions need.

    Args:
        model: the frozen reference.
        follow: how it moves; not at all if not given.
    """

    def __init__(self, model: LanguageModel, follow: Follow | None = None) -> None:
        self.model, self.follow = model.requires_grad_(False), follow

    @torch.no_grad()
    def of(self, packed: Packed, needs: Needs, device: torch.device) -> Known:
        """What the reference says of the options of one row, at this moment."""
        values = self.model(packed)
        return Known(option_sums(values, packed).to(device), values.log_probs.to(device))

    @torch.no_grad()
    def after(self, update: int, policy: LanguageModel) -> None:
        """Move, where a move is due after this many updates: (1 - alpha) reference + alpha policy (TR-DPO)."""
        if self.follow is None or update % self.follow.every:
            return
        for mine, theirs in zip(self.model.parameters(), policy.parameters(), strict=True):
            mine.lerp_(theirs.to(mine), self.follow.alpha)


ReferenceValues = KnownValues | LiveReference
