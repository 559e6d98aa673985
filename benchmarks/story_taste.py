"""Align a story model with a simulated community's taste by several objectives, and see what it writes then.

A pretrained model of 0.66 million parameters writes four stories to each of some openings. A simulated community judges
them: each of its members likes dialogue and happy words, by a utility with noise. From the same judgments the model is
aligned by DPO, SimPO, KTO and Plackett-Luce DPO, each by one run of `llull.align.train`; then each model writes new
stories to openings that were held out, and these are measured: the taste's utility, dialogue, happy words, length,
variety, and the divergence from the start. Intervals are over openings.

Run: python benchmarks/story_taste.py [--models ../shared/models] [--out runs/stories] [--plot docs/images/stories.png]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from llull.align import Policy, Training, load_policy, train
from llull.align.generating import generate, plain
from llull.evaluate.intervals import Estimate, mean_interval
from llull.judgments import Judgment, Preferences
from llull.judgments.record import Message, text_option
from llull.language.sampling.hugging_face import HuggingFaceSampler
from llull.language.templates import Template
from llull.language.tokens import prompt_ids
from llull.objectives import Objective
from llull.objectives.presets import PRESETS

NAMES = ["Lily", "Tom", "Mia", "Ben", "Sue", "Max", "Anna", "Sam", "Tim", "Lucy", "Jack", "Amy"]
PLACES = ["in the park", "at the beach", "in the forest", "at home", "in the garden"]
HAPPY = ("happy", "smile", "laugh", "love", "friend", "hug", "fun", "proud")
OBJECTIVES: dict[str, Callable[[], Objective]] = {
    "DPO": lambda: PRESETS["DPO"](beta=0.1),
    "SimPO": lambda: PRESETS["SimPO"](),
    "KTO": lambda: PRESETS["KTO"](beta=0.1),
    "PlackettLuceDPO": lambda: PRESETS["PlackettLuceDPO"](beta=0.1),
}


def openings() -> list[str]:
    """Beginnings of stories; each ends in a space, as the tokenizer's words do."""
    said = [f"One day, {name} was playing {place}. " for name in NAMES for place in PLACES]
    return said + [f"Once upon a time, {name} found a box {place}. " for name in NAMES for place in PLACES]


def utility(text: str) -> tuple[float, float, float]:
    """What the community's taste is made of: utility, pairs of quotation marks, happy words for each hundred words."""
    words = text.lower().split()
    dialogue = text.count('"') / 2
    happy = sum(word.startswith(HAPPY) for word in words) / max(len(words), 1) * 100
    return min(dialogue, 4) + 0.4 * min(happy, 8), dialogue, happy


def judged(start: Policy, template: Template, said: list[str], seed: int) -> Preferences:
    """Four stories to each opening, ranked by two members of the community each."""
    contexts = [[{"role": "user", "content": text}] for text in said]
    drawn = HuggingFaceSampler(start.model, template).sample(prompt_ids(template, contexts), plain_four(seed))
    rng = np.random.default_rng(seed)
    found = []
    for text, samples in zip(said, drawn, strict=True):
        options = {sample.text: text_option(sample.text, source="start") for sample in samples if sample.text.strip()}
        worth = np.array([utility(one)[0] for one in options])
        for member in range(2):
            order = np.argsort(-(worth + rng.gumbel(size=len(worth))))
            found.append(
                Judgment(
                    context=[Message("user", text)],
                    options=list(options.values()),
                    ranking=[[int(at)] for at in order],
                    annotator=f"member-{rng.integers(20)}-{member}",
                )
            )
    return Preferences.from_judgments(found)


def plain_four(seed: int):
    return plain(4, 120, seed)


def measure(policy: Policy, start: Policy, template: Template, said: list[str], seed: int) -> dict[str, Estimate]:
    """What a policy writes to held-out openings."""
    contexts = [[{"role": "user", "content": text}] for text in said]
    written = generate(policy, start, prompt_ids(template, contexts), plain(2, 120, seed), template)
    prompt = np.array([sample.prompt for sample in written.samples])
    taste = np.array([utility(sample.text) for sample in written.samples])
    found = {name: mean_interval(taste[:, at], prompt) for at, name in enumerate(("utility", "dialogue", "happy"))}
    return found | written.estimates()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=Path("../shared/models"))
    parser.add_argument("--updates", type=int, default=40)
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plot", type=Path)
    asked = parser.parse_args()
    torch.manual_seed(asked.seed)
    name = asked.models / "tinystories-656k"
    start = load_policy(name)
    template = Template(start.tokenizer)
    said = np.random.default_rng(asked.seed).permutation(openings()).tolist()
    learned, held = said[:80], said[80:]
    votes = judged(start, template, learned, asked.seed)
    print(f"{len(votes)} rankings of {len(votes.pairs().options)} stories to {len(learned)} openings")
    results = {"start": measure(start, start, template, held, asked.seed + 1)}
    for title, make in OBJECTIVES.items():
        began = time.perf_counter()
        objective = make()
        # Each objective sees as many judgments of its own kind as there are; the number of updates is the same.
        size = {"pairs": 48, "singles": 48, "lists": 8}[objective.kind]
        count = {"pairs": 960, "singles": 1920, "lists": 160}[objective.kind]
        settings = Training(
            batch_size=size, epochs=asked.updates * size / count, learning_rate=asked.rate, evaluate_every=0, seed=0
        )
        with tempfile.TemporaryDirectory() as folder:
            aligned = train(
                votes, name, objective, settings=settings, held_out=0, out=folder, console=Console(quiet=True)
            )
        results[title] = measure(aligned.policy, start, template, held, asked.seed + 1)
        print(f"{title}: {len(aligned.history.updates)} updates, {time.perf_counter() - began:.0f} s")
    show(results)
    if asked.plot:
        draw(results, asked.plot)


def show(results: dict[str, dict[str, Estimate]]) -> None:
    names = ["utility", "dialogue", "happy", "length", "distinct_bigrams", "finished", "kl"]
    print(f"{'':16}" + "".join(f"{name:>24}" for name in names))
    for title, found in results.items():
        cells = [f"{found[n].value:.2f} ({found[n].low:.2f} to {found[n].high:.2f})" for n in names]
        print(f"{title:16}" + "".join(f"{cell:>24}" for cell in cells))


def draw(results: dict[str, dict[str, Estimate]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    panels = {
        "utility": "utility to the community",
        "distinct_bigrams": "distinct bigrams",
        "kl": "KL from the start, nats",
    }
    figure, axes = plt.subplots(1, 3, figsize=(9, 2.8), layout="constrained", sharey=True)
    titles = list(results)[::-1]
    for axis, (name, label) in zip(axes, panels.items(), strict=True):
        for at, title in enumerate(titles):
            found = results[title][name]
            axis.plot([found.low, found.high], [at, at], color="teal")
            axis.plot(found.value, at, "o", color="teal")
        axis.set(xlabel=label, yticks=range(len(titles)), yticklabels=titles)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
