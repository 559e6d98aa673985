"""Scores of options by a model: rewards, log-probabilities, or log-ratios to a reference, each computed once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from llull.align.inputs import Limits
from llull.align.reward_model import RewardModel
from llull.align.training_set import TrainingSet
from llull.judgments.views import Options
from llull.language.model import LanguageModel
from llull.language.reference import fill_column, source_fingerprint
from llull.language.reference_cache import ReferenceCache
from llull.language.templates import Template
from llull.language.tokens import Cut, encode
from llull.language.trees import PrefixTree

_ROWS_AT_A_TIME = 8


@dataclass(frozen=True)
class EncodedOptions:
    """Options as trees, numbered as they are in `llull.judgments.views.Options`."""

    trees: list[PrefixTree]
    kept: np.ndarray
    """bool [n]: False where an option was too long and left out."""
    tokens: np.ndarray
    """int64 [n]: scored tokens of each option."""
    cut: Cut
    template: Template


def encode_options(options: Options, template: Template, limits: Limits = Limits()) -> EncodedOptions:
    """Turn options into trees, one for each context.

    Args:
        options: unique options with messages.
        template: how conversations become text.
        limits: of tokens, and what is done beyond them.
    """
    made = encode(
        options, template, max_tokens=limits.max_tokens, max_prompt_tokens=limits.max_prompt_tokens, cut=limits.cut
    )
    data = TrainingSet(made.prompts, made.options, made.scored, made.prompt, units={})
    return EncodedOptions(data.trees(np.flatnonzero(made.kept)), made.kept, data.tokens, made.cut, template)


def score_options(
    model: LanguageModel,
    encoded: EncodedOptions,
    cache: ReferenceCache,
    *,
    budget: int = 8192,
    progress: Callable[[int, int], object] | None = None,
) -> np.ndarray:
    """The reward of each option by a reward model, or its summed log-probability by any other.

    Args:
        model: which.
        encoded: the options.
        cache: where scores are kept; what is there already is not computed.
        budget: tokens of a row.
        progress: called with the options done and all to do.

    Returns:
        float64 [n], NaN where an option was left out.
    """
    source = source_fingerprint(model, template=encoded.template.fingerprint)
    if isinstance(model, RewardModel):
        source = _with_head(source, model)
    column = fill_column(
        lambda trees: model.log_probs(trees, budget),
        encoded.trees,
        cache,
        source,
        batch=_ROWS_AT_A_TIME * budget,
        progress=progress,
    )
    values = np.full(len(encoded.kept), np.nan)
    # The column is in the order of the trees' numbers.
    values[np.flatnonzero(encoded.kept)] = column.values
    return values


def _with_head(source: str, model: RewardModel) -> str:
    digest = blake2b(source.encode(), digest_size=16)
    for name, value in model.reward_head.state_dict().items():
        digest.update(name.encode() + value.detach().cpu().numpy().tobytes())
    return digest.hexdigest()
