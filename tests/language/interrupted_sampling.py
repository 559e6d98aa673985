"""A process that asks a server for samples, to be killed at it."""

from __future__ import annotations

import sys
from pathlib import Path

from llull.language.sampling import SampleCache, ServerSampler, Settings

PROMPTS = [[{"role": "user", "content": f"question {number}"}] for number in range(10)]
SETTINGS = Settings(n=2, max_tokens=20)


def main(url: str, folder: str) -> None:
    sampler = ServerSampler(url, "m", concurrency=1, cache=SampleCache(Path(folder)))
    sampler.sample(PROMPTS, SETTINGS, progress=lambda done, _: print(done, flush=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
