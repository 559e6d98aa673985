"""A process that fills a reference column and stops for good after its third write, to be killed there."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from llull.language.trees import PrefixTree

N_TREES = 12
BATCH = 24


def story_trees(n: int = N_TREES, vocabulary: int = 50) -> list[PrefixTree]:
    generator = np.random.default_rng(7)

    def ids(length: int) -> np.ndarray:
        return generator.integers(0, vocabulary, length)

    return [PrefixTree.of_options(ids(5), [ids(3), ids(4)]) for _ in range(n)]


def main(model_folder: str, cache_folder: str) -> None:
    from transformers import AutoModelForCausalLM

    from llull.language.model import LanguageModel
    from llull.language.reference import fill_column, source_fingerprint
    from llull.language.reference_cache import ReferenceCache

    model = LanguageModel(AutoModelForCausalLM.from_pretrained(model_folder))
    writes = 0

    def stop_after_three(done: int, total: int) -> None:
        nonlocal writes
        writes += 1
        print(done, flush=True)
        if writes == 3:
            time.sleep(600)

    source = source_fingerprint(model, template="plain")
    print(source, flush=True)
    fill_column(
        model.log_probs,
        story_trees(),
        ReferenceCache(Path(cache_folder)),
        source,
        batch=BATCH,
        progress=stop_after_three,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
