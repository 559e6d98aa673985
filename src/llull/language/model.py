"""A causal language model that scores the options of prefix trees."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from llull.errors import InputError
from llull.language.anatomy import Anatomy
from llull.language.attention import TreeLayout
from llull.language.divergences import Divergence, Mixture, Teacher, TokenStatistics, token_statistics
from llull.language.packing import Layout, Packed, pack
from llull.language.probing import agrees, evaluating, random_row, why_not_trees
from llull.language.trees import PrefixTree

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DivergenceTo:
    """A divergence of the model's distribution from that of others, see `llull.language.divergences.Divergence`.

    Args:
        kind: which.
        teachers: what gives the other models' distributions for a row, each the `LanguageModel.teach` of one.
        mixture: how several make one distribution.
        temperature: divides the logits.
    """

    kind: str
    teachers: Sequence[Callable[[Packed], Teacher]]
    mixture: Mixture | None = None
    temperature: float = 1.0


@dataclass(frozen=True)
class Want:
    """What to compute of each scored token."""

    log_probs: bool = True
    """Log-probabilities; where nothing that needs logits is wanted, the head is left out."""
    entropy: bool = False
    """The entropy of the distribution it was drawn from."""
    top1: bool = False
    """Whether it is the most probable one."""
    concentration: bool = False
    """The log of the sum of squared probabilities of that distribution."""
    divergence: DivergenceTo | None = None
    """How far that distribution is from another model's."""
    hidden: bool = False
    """The last layer's hidden state at the token."""
    hidden_at_end: bool = False
    """The last layer's hidden state at the last token of each option (what a reward head reads)."""

    @property
    def logits(self) -> bool:
        """Whether the head is needed."""
        return self.log_probs or self.entropy or self.top1 or self.concentration or self.divergence is not None


_LOG_PROBS = Want()


class TokenValues(NamedTuple):
    """What a model says of the scored tokens of some packed trees, one entry for each token of each option."""

    log_probs: Tensor
    """float32 [s] (float64 for float64 models), differentiable; [0] where only hidden states were wanted."""
    option: Tensor
    """int64 [s]: number of the option."""
    step: Tensor
    """int64 [s]: its step, 0 where options have none."""
    entropy: Tensor | None = None
    """[s], in nats, differentiable."""
    top1: Tensor | None = None
    """bool [s]"""
    divergence: Tensor | None = None
    """[s], differentiable in this model only."""
    mixing: Tensor | None = None
    """[s]: the weight that the teachers' mixture gave to the token, where it has one."""
    concentration: Tensor | None = None
    """[s], no gradient"""
    hidden: Tensor | None = None
    """[s, d]"""
    hidden_at_end: Tensor | None = None
    """[options of the row, d], in the order of `Packed.options`."""


@dataclass(frozen=True)
class OptionLogProbs:
    """Log-probabilities of options."""

    sums: Tensor
    """float32 [n]: of each whole option."""
    tokens: tuple[Tensor, ...]
    """For each option, float32 [its scored tokens]."""


class LanguageModel(nn.Module):
    """A causal language model of transformers, with or without PEFT's adapters, that scores packed trees.

    Everything, the head included, happens in `forward`, so that hooks of parallel wrappers see it.

    Args:
        model: a `transformers.PreTrainedModel` with a language-modeling head, or a `peft.PeftModel` around one. Its
            attention is replaced by one that takes trees and is otherwise what it was.
        layout: "tree": each token once; "flat": each option with its own copy of its context; "auto": trees if a
            small random one gives the numbers that the model gives for its paths one at a time, else flat.

    Raises:
        InputError: if the model is not a causal language model, or cannot use the layout asked for.
    """

    def __init__(self, model: nn.Module, layout: Literal["auto", "tree", "flat"] = "auto") -> None:
        super().__init__()
        if layout not in ("auto", "tree", "flat"):
            raise InputError(f"layout {layout!r}: choose auto, tree or flat")
        self.model = model
        self._asked = layout
        self._layout: Layout | None = None
        self._anatomy = Anatomy(model)

    @property
    def anatomy(self) -> Anatomy:
        """The model's parts."""
        return self._anatomy

    @property
    def layout(self) -> Layout:
        """ "tree" or "flat"; the first use probes the model."""
        if self._layout is None:
            self._layout = self._probe()
        return self._layout

    def _probe(self) -> Layout:
        name = type(self.anatomy.base).__name__
        if self._asked != "flat":
            reason = why_not_trees(self.anatomy, self._score)
            if reason is None:
                return "tree"
            if self._asked == "tree":
                raise InputError(f"{name} cannot score trees: {reason}. Use layout='flat' or 'auto'")
            _log.warning("%s is scored one option at a time (flat layout): %s", name, reason)
        if not agrees(self.anatomy, self._score, random_row(self.anatomy), None):
            raise InputError(f"{name}: its logits are not its head applied to its backbone's last hidden states")
        return "flat"

    def _score(self, packed: Packed, trees: TreeLayout | None) -> Tensor:
        return self._statistics(self._hidden(packed, trees), packed, trees, _LOG_PROBS, None).log_probs

    def forward(self, packed: Packed, want: Want = _LOG_PROBS) -> TokenValues:
        """Log-probabilities, and what else is wanted, of every scored token.

        Args:
            packed: trees, from `llull.language.packing.pack`.
            want: what else to compute.

        Returns:
            The values.

        Raises:
            InputError: if a path is longer than the model's positions allow.
        """
        trees = self._trees(packed)
        # Teachers first: what they compute is gone before this model keeps its activations.
        divergence = None if want.divergence is None else _taught(want.divergence, packed)
        hidden = self._hidden(packed, trees)
        device = hidden.device
        entry = packed.entry.to(device)

        def each(values: Tensor | None) -> Tensor | None:
            return None if values is None else values[entry]

        asked = self._statistics(hidden, packed, trees, want, divergence) if want.logits else None
        at_target = _rows(packed, packed.target, packed.owner, trees).to(device)
        at_end = _rows(packed, packed.last, None, trees).to(device)
        return TokenValues(
            log_probs=hidden.new_zeros(0) if asked is None else asked.log_probs[entry],
            option=packed.option.to(device),
            step=packed.step.to(device),
            entropy=None if asked is None else each(asked.entropy),
            top1=None if asked is None else each(asked.top1),
            divergence=None if asked is None else each(asked.divergence),
            mixing=None if asked is None else each(asked.mixing),
            concentration=None if asked is None else each(asked.concentration),
            hidden=hidden[at_target[entry]] if want.hidden else None,
            hidden_at_end=hidden[at_end] if want.hidden_at_end else None,
        )

    def teach(self, packed: Packed) -> Teacher:
        """This model's distribution at each distinct scored token of a row, without gradient and without dropout.

        Args:
            packed: trees.

        Returns:
            Hidden states and head, for `DivergenceTo`.
        """
        trees = self._trees(packed)
        with torch.no_grad(), evaluating(self):
            hidden = self._hidden(packed, trees)
            at = _rows(packed, packed.source, packed.owner, trees).to(hidden.device)
            return Teacher(hidden[at], self.anatomy.head())

    def _trees(self, packed: Packed) -> TreeLayout | None:
        return TreeLayout(packed, self.anatomy.device) if self.layout == "tree" else None

    def _statistics(
        self, hidden: Tensor, packed: Packed, trees: TreeLayout | None, want: Want, divergence: Divergence | None
    ) -> TokenStatistics:
        at = _rows(packed, packed.source, packed.owner, trees).to(hidden.device)
        return token_statistics(
            # Not indexing by brackets, whose backward pass sorts the indices.
            hidden.index_select(0, at),
            self.anatomy.head(),
            packed.target_ids.to(hidden.device),
            entropy=want.entropy,
            top1=want.top1,
            concentration=want.concentration,
            divergence=divergence,
        )

    def _hidden(self, packed: Packed, trees: TreeLayout | None) -> Tensor:
        """Last hidden states, [tokens, d], of the row of trees, or of the padded rows of options (flat)."""
        anatomy = self.anatomy
        if anatomy.longest is not None and packed.longest > anatomy.longest:
            raise InputError(
                f"a context and option of {packed.longest} tokens, and this model's positions end or change at "
                f"{anatomy.longest}: cut both to that many together"
            )
        device = anatomy.device
        inputs: dict[str, Any]
        if trees is not None:
            inputs = {
                "input_ids": packed.ids.to(device)[None],
                "position_ids": packed.position.to(device)[None],
                # A mask of four dimensions is passed on as it is: architectures then build none of their own.
                "attention_mask": torch.ones(1, 1, 1, 1, dtype=torch.bool, device=device),
                "tree_layout": trees,
            }
        else:
            ids, lengths = packed.rows
            mask = torch.arange(ids.shape[1])[None] < lengths[:, None]
            inputs = {"input_ids": ids.to(device), "attention_mask": mask.to(device, torch.long)}
        out = anatomy.backbone(**inputs, use_cache=False, return_dict=True)
        return out.last_hidden_state.flatten(0, 1)

    def log_probs(self, trees: Sequence[PrefixTree], budget: int = 8192) -> OptionLogProbs:
        """Log-probabilities of all options of some trees, without gradients and without dropout.

        Args:
            trees: whose options.
            budget: tokens of a row.

        Returns:
            The options' log-probabilities, in rising order of the trees' own numbers, or else in that of the trees.
        """
        values, options = [], []
        with torch.no_grad(), evaluating(self):
            for packed in pack(trees, budget, layout=self.layout):
                out = self(packed)
                values.append(out.log_probs.cpu())
                options.append(out.option.cpu())
        if not values:
            return OptionLogProbs(torch.zeros(0), ())
        value, option = torch.cat(values), torch.cat(options)
        _, rank, counts = option.unique(return_inverse=True, return_counts=True)
        tokens = value[rank.argsort(stable=True)].split(counts.tolist())
        return OptionLogProbs(sum_per_option(value, rank, len(counts)), tokens)


def sum_per_option(values: Tensor, option: Tensor, n: int) -> Tensor:
    """Sum the values of each option's tokens.

    Args:
        values: [s].
        option: int64 [s] number of each token's option.
        n: how many options there are.

    Returns:
        [n], differentiable.
    """
    return values.new_zeros(n).index_add(0, option, values)


def _taught(wanted: DivergenceTo, packed: Packed) -> Divergence:
    teachers = [teach(packed) for teach in wanted.teachers]
    return Divergence(wanted.kind, teachers, wanted.mixture, wanted.temperature)


def _rows(packed: Packed, tokens: Tensor, owner: Tensor | None, trees: TreeLayout | None) -> Tensor:
    """Where the hidden states of some tokens are: flat rows have a copy of each for every option that shares it."""
    if trees is not None:
        return tokens
    options = torch.arange(len(tokens)) if owner is None else owner
    return options * packed.longest + packed.position[tokens]
