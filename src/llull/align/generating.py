"""What a policy writes, before and after: samples side by side, how far they moved, their length and variety."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import torch

from llull.align.policies import Policy
from llull.evaluate.intervals import Estimate, mean_interval
from llull.language.sampling.hugging_face import HuggingFaceSampler
from llull.language.sampling.sampler import Sample, Settings
from llull.language.templates import Template
from llull.language.trees import PrefixTree


@dataclass(frozen=True)
class Generated:
    """Samples of one policy, and what is measured on them."""

    samples: tuple[Sample, ...]
    """One or more for each prompt, prompt after prompt."""
    prompts: tuple[np.ndarray, ...]
    each: Mapping[str, np.ndarray] = field(default_factory=dict)
    """For each measure float64 [samples]."""

    def estimates(self) -> dict[str, Estimate]:
        """Means with intervals over prompts."""
        prompt = np.array([sample.prompt for sample in self.samples])
        shares = ("distinct_bigrams", "finished")
        return {name: mean_interval(values, prompt, share=name in shares) for name, values in self.each.items()}


def generate(
    policy: Policy, reference: Policy, prompts: Sequence[np.ndarray], settings: Settings, template: Template
) -> Generated:
    """Draw samples of a policy and measure them.

    The measures are ``kl``: log policy - log reference of a sample, whose mean is the divergence KL(policy ||
    reference) where samples are drawn from the policy's own distribution; ``kl_per_token``; ``length`` in tokens;
    ``finished``, whether it came to its end; and ``distinct_bigrams``, the share of a sample's pairs of words that are
    not repeats.

    Args:
        policy: whose samples.
        reference: the model to compare with.
        prompts: ids of contexts.
        settings: of sampling; temperature 1 and nothing cut off, for ``kl`` to be what it says.
        template: of the policy's tokenizer.
    """
    sampler = HuggingFaceSampler(policy.model, template)
    drawn = sampler.sample(list(prompts), settings)
    samples = tuple(sample for of_prompt in drawn for sample in of_prompt)
    trees, length = [], np.zeros(len(samples))
    for number, sample in enumerate(samples):
        ids = np.zeros(0, np.int32) if sample.ids is None else sample.ids
        length[number] = len(ids)
        trees.append(PrefixTree.of_options(prompts[sample.prompt], [ids], numbers=[number]))
    with torch.no_grad():
        moved = [model.log_probs(trees, 2048).sums.double().numpy() for model in (policy.model, reference.model)]
    kl = moved[0] - moved[1]
    each = {
        "kl": kl,
        "kl_per_token": kl / np.maximum(length, 1),
        "length": length,
        "finished": np.array([float(sample.finish == "stop") for sample in samples]),
        "distinct_bigrams": np.array([_distinct(sample.text) for sample in samples]),
    }
    return Generated(samples, tuple(prompts), each)


def room_for(prompts: Sequence[np.ndarray], longest: int | None, settings: Settings) -> list[np.ndarray]:
    """The prompts that leave room for a sample."""
    if longest is None:
        return list(prompts)
    return [prompt for prompt in prompts if len(prompt) + settings.max_tokens <= longest]


def plain(n: int, max_tokens: int, seed: int) -> Settings:
    """Settings that draw from a model's own distribution."""
    return replace(Settings(), n=n, max_tokens=max_tokens, seed=seed)


def _distinct(text: str) -> float:
    words = text.split()
    pairs = list(pairwise(words))
    return len(set(pairs)) / len(pairs) if pairs else float("nan")
