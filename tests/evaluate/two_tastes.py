"""A small world with two communities of opposed taste, and the smallest model that can be fitted to it."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit

from llull.judgments import Judgment, Preferences, prompt, text_option


class WordCount:
    """P = logistic(b * difference in words), with one b for all or one for each group."""

    def __init__(self, group: str | None = None) -> None:
        self.group = group
        self.fits = 0

    def pairs(self, preferences):
        return preferences.pairs(group=self.group)

    def fit(self, preferences):
        pairs = self.pairs(preferences)
        self.fits += 1
        self.slopes_ = {}
        for code in np.unique(pairs.group):
            mine = pairs.select(pairs.group == code)
            x, y = self._words(mine), np.where(mine.tie, 0.5, 1.0)

            def loss(b, x=x, y=y):
                return float(np.sum(np.logaddexp(0, -b * x) + (1 - y) * b * x) + 0.05 * b * b)

            name = mine.groups[code] if code >= 0 else None
            self.slopes_[name] = float(minimize_scalar(loss, bounds=(-5, 5), method="bounded").x)
        return self

    def prob(self, pairs):
        slopes = np.array([self.slopes_.get(name, 0.0) for name in pairs.groups] + [self.slopes_.get(None, 0.0)])
        return expit(slopes[pairs.group] * self._words(pairs))

    @staticmethod
    def _words(pairs):
        words = np.array([len(text.split()) for text in pairs.options.texts()], float)
        return (words[pairs.winner] - words[pairs.loser]) / 5


def make_votes(contexts: int = 120, votes: int = 3, seed: int = 0, ties: float = 0.1) -> Preferences:
    """Votes on two answers to each prompt; "long" wants many words and "short" few, each nine times in ten."""
    generator = np.random.default_rng(seed)
    judgments = []
    for context in range(contexts):
        lengths = generator.choice(np.arange(2, 30), 2, replace=False)
        answers = [text_option(f"a{context} " + "w " * n, source=f"model-{i}") for i, n in enumerate(lengths)]
        longer = int(np.argmax(lengths))
        for vote in range(votes):
            group = "long" if generator.random() < 0.5 else "short"
            best = longer if (group == "long") == (generator.random() < 0.9) else 1 - longer
            tied = generator.random() < ties
            judgments.append(
                Judgment(
                    answers,
                    prompt(f"question {context}"),
                    ranking=[[0, 1]] if tied else [[best], [1 - best]],
                    verdict="both_good" if tied else "ranked",
                    shown=[0, 1],
                    annotator=f"{group}-{vote}",
                    groups={"taste": group},
                    criterion="style" if context % 2 else "content",
                )
            )
    return Preferences.from_judgments(judgments)
