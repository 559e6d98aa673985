"""Reward models: a language model with a head that reads the hidden state at an option's end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from llull.align.reward_heads import RewardHead
from llull.errors import InputError
from llull.language.model import LanguageModel, TokenValues, Want
from llull.language.packing import Packed
from llull.language.trees import PrefixTree

_AT_END = Want(log_probs=False, hidden_at_end=True)


class RewardModel(LanguageModel):
    """Gives each option one number, its reward, where a language model gives a log-probability to each token.

    Towards the trainer it is a language model whose options have a single token each, so that an objective reads the
    reward as the option's score and 1 as its length.

    The hidden state is that of the option's last token, found by its place and not by comparing ids with the padding's.
    The vocabulary's head is never computed; where it shares no weights with the embeddings it is frozen.

    Args:
        model: a `transformers.PreTrainedModel` with a language-modeling head, or a `peft.PeftModel` around one.
        head: from hidden states [n, d] to rewards [n].
        layout: as in `llull.language.model.LanguageModel`.
    """

    def __init__(self, model: nn.Module, head: RewardHead, layout: Literal["auto", "tree", "flat"] = "auto") -> None:
        super().__init__(model, layout)
        self.reward_head = head
        embeddings = self.anatomy.base.get_input_embeddings().weight
        for parameter in self.anatomy.base.get_output_embeddings().parameters():
            if parameter is not embeddings:
                # Parallel wrappers wait for a gradient of everything that learns, and this gets none.
                parameter.requires_grad_(False)
        self.reward_head.to(embeddings.device)

    def forward(self, packed: Packed, want: Want = _AT_END) -> TokenValues:
        """The reward of each option of a row, as the log-probability of its one token.

        Args:
            packed: trees.
            want: nothing of the vocabulary can be wanted beside log-probabilities; hidden states at the end can.

        Returns:
            ``log_probs`` float32 [k] are the rewards of ``packed.options``, ``option`` their numbers.

        Raises:
            InputError: if something is wanted that only a distribution over tokens has.
        """
        if want.entropy or want.top1 or want.divergence is not None or want.hidden:
            raise InputError("a reward model has no distribution over tokens: train it by an objective of rewards")
        hidden = super().forward(packed, _AT_END).hidden_at_end
        assert hidden is not None
        weight = next(self.reward_head.parameters())
        # Rewards are differences of large sums: bf16 would leave two of their digits.
        with torch.autocast(hidden.device.type, enabled=False):
            rewards = self.reward_head(hidden.to(weight.dtype))
        options = packed.options.to(hidden.device)
        at_end = hidden if want.hidden_at_end else None
        return TokenValues(rewards, options, torch.zeros_like(options), hidden_at_end=at_end)

    def rewards(self, trees: Sequence[PrefixTree], budget: int = 8192) -> Tensor:
        """Rewards of all options of some trees, without gradients and without dropout.

        Args:
            trees: whose options.
            budget: tokens of a row.

        Returns:
            [n], in rising order of the trees' own numbers, or else in that of the trees.
        """
        return self.log_probs(trees, budget).sums
