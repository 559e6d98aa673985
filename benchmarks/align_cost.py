"""What a step costs against prompt length, number of options and vocabulary, and against expanding lists to pairs.

One forward and backward pass of a 15-million-parameter Llama over one context with K options: as a tree; one option at
a time, each with its own copy of the context; and expanded to pairs as trainers of pairs need it, either the best
option against each other one, 2 (K - 1) sequences, or all pairs, K (K - 1) sequences. CPU seconds, and the growth of
peak memory.

Run: OMP_NUM_THREADS=1 python benchmarks/align_cost.py
"""

from __future__ import annotations

import argparse
import time
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from llull.language.model import LanguageModel
from llull.language.packing import pack
from llull.language.trees import PrefixTree

OPTION = 80


def make(vocabulary: int) -> LanguageModel:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=288,
        intermediate_size=768,
        num_hidden_layers=6,
        num_attention_heads=6,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
    )
    return LanguageModel(LlamaForCausalLM(config))


def cost(model: LanguageModel, trees: list[PrefixTree], repeats: int) -> float:
    """Least CPU seconds of a forward and backward pass over all trees, a row at a time."""
    rows = pack(trees, 2048)
    best = float("inf")
    for _ in range(repeats + 1):
        started = time.process_time()
        for row in rows:
            model(row).log_probs.sum().backward()
        model.zero_grad(set_to_none=True)
        best = min(best, time.process_time() - started)
    return best


def tree(prompt: int, options: int, vocabulary: int, rng: np.random.Generator) -> PrefixTree:
    ids = [rng.integers(3, vocabulary, OPTION) for _ in range(options)]
    return PrefixTree.of_options(rng.integers(3, vocabulary, prompt), ids)


def alone(whole: PrefixTree, pairs: str = "none") -> list[PrefixTree]:
    """Each option under its own copy of the context, as often as it is in a pair."""
    prompt = whole.ids[: whole.path(0)[-OPTION]]
    options = [whole.ids[whole.path(k)[-OPTION:]] for k in range(whole.n_options)]
    if pairs == "best":
        options = [one for other in options[1:] for one in (options[0], other)]
    if pairs == "all":
        options = [one for couple in combinations(options, 2) for one in couple]
    return [PrefixTree.of_options(prompt, [one]) for one in options]


def peak() -> float:
    # Not ``ru_maxrss``: a child's begins with the memory of the process that started it.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=2)
    asked = parser.parse_args()
    rng = np.random.default_rng(0)
    model = make(32_000)
    print("prompt  options   tree s  one by one  best against rest  all pairs (times the tree)", flush=True)
    for prompt, options in ((100, 2), (400, 2), (1200, 2), (300, 2), (300, 4), (300, 8)):
        whole = tree(prompt, options, 32_000, rng)
        took = cost(model, [whole], asked.repeats)
        others = [cost(model, alone(whole, pairs), asked.repeats) / took for pairs in ("none", "best", "all")]
        shown = f"{others[0]:10.2f}  {others[1]:17.2f}  {others[2]:9.2f}"
        print(f"{prompt:>6}  {options:>7}  {took:7.3f}  {shown}", flush=True)
    print("vocabulary  s of 2 options on 300 tokens  growth of peak memory, GiB")
    for vocabulary in (4_000, 32_000, 128_000):
        sized = make(vocabulary)
        before = peak()
        took = cost(sized, [tree(300, 2, vocabulary, rng)], asked.repeats)
        weights = sum(p.numel() for p in sized.parameters()) * 4 / 2**30
        print(f"{vocabulary:>10}  {took:28.3f}  {peak() - before:.2f} (weights {weights:.2f})")


if __name__ == "__main__":
    main()
