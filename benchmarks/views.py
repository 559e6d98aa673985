"""How long the views of a million two-option judgments take on one core."""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa

from llull.judgments import Judgment, Preferences, Rating
from llull.judgments.simulate import Community, Population, judge, worded_options
from llull.judgments.table import to_table

JUDGMENTS = 1_000_000
TARGET_SECONDS = 1.5
RUNS = 3


def votes(judgments: int) -> Preferences:
    """Votes on pairs of answers, with annotators, groups, shown order and ties, and ratings of every tenth judgment."""
    pool = worded_options(contexts=200, per_context=8)
    people = Population((Community("all", (0.5, 0.2, 0.3, -0.2, -1.0)),), annotators=1000, ties=0.3)
    once = judge(pool, people, questions=25, votes=20).preferences.table
    rated = to_table(
        Judgment(judgment.options, judgment.context, verdict="rated", ratings=[Rating(0, "accept", 1.0, 0.0, 1.0)])
        for judgment in Preferences.from_table(once.slice(0, len(once) // 9))
    )
    both = pa.concat_tables([once, rated])
    return Preferences.from_table(pa.concat_tables([both] * (judgments // len(both) + 1)).slice(0, judgments))


def seconds(view: Callable[[], object]) -> float:
    """The median of a few runs."""
    taken = []
    for _ in range(RUNS):
        start = time.perf_counter()
        view()
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))


def main() -> None:
    pa.set_cpu_count(1)
    preferences = votes(JUDGMENTS)
    print(f"{len(preferences):,} judgments, one core, median of {RUNS} runs")
    for name in ("pairs", "rankings", "ratings", "trees"):
        taken = seconds(getattr(preferences, name))
        target = f"  (target {TARGET_SECONDS} s: {'met' if taken < TARGET_SECONDS else 'MISSED'})" * (name == "pairs")
        print(f"{name:<10} {taken:6.2f} s{target}")


if __name__ == "__main__":
    main()
