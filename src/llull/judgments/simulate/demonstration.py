"""The data set of the demonstration: two communities that disagree, and a few planted faults."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from llull.judgments.preferences import Preferences
from llull.judgments.record import Judgment, judgment_id, text_option
from llull.judgments.simulate.judging import Simulated, judge
from llull.judgments.simulate.population import Community, Population
from llull.judgments.simulate.wording import worded_options

COMMUNITIES = (
    # Weights in the order of `wording.ATTRIBUTES`: length, politeness, structure, hedging, refusal.
    Community("careful", weights=(0.9, 1.0, 0.5, 1.2, -0.6), share=0.55),
    Community("direct", weights=(-0.9, -0.7, 0.9, -1.3, -3.0), share=0.45),
)

POPULATION = Population(
    COMMUNITIES,
    annotators=40,
    spread=0.2,
    temperature=0.7,
    flips=0.04,
    position_bias=0.3,
    ties=0.35,
    both_bad_below=-1.0,
    reasons=0.4,
    workload_spread=0.5,
)
"""Both like structure and dislike refusals; they are opposed on length, politeness and hedging."""


def demo(seed: int = 0) -> Preferences:
    """Some 2,200 votes by 40 annotators on pairs of answers to 240 everyday questions.

    Two communities, ``careful`` and ``direct``, have partly opposed tastes. There are ties, reasons, label noise and a
    preference for what is shown first. A few faults are planted among the last rows: identical options, empty options,
    repeated votes, a contradictory repeat, damaged text, and a question that occurs in two spellings.

    Examples:
        >>> votes = demo()
        >>> sorted(votes.describe().groups["community"])
        ['careful', 'direct']
    """
    simulated = demo_truth(seed).preferences
    faults = _faults(simulated, np.random.default_rng(seed))
    return Preferences.concat([simulated, Preferences.from_judgments(faults)])


def demo_truth(seed: int = 0) -> Simulated:
    """The votes of `demo` without the planted faults, and the truth behind them."""
    return judge(worded_options(seed=seed), POPULATION, questions=3, votes=3, seed=seed)


def _faults(votes: Preferences, generator: np.random.Generator) -> list[Judgment]:
    drawn = [votes[int(row)] for row in generator.choice(len(votes), 60, replace=False)]
    strict = [vote for vote in drawn if len(vote.ranking) == 2]
    same, same_too, empty, empty_too, again, again_too, against, damaged, spelled = strict[:9]
    spelled.context[0].content = spelled.context[0].content.upper()
    planted = [
        *(replace(vote, options=[vote.options[0], vote.options[0]]) for vote in (same, same_too)),
        *(replace(vote, options=[vote.options[0], text_option("")]) for vote in (empty, empty_too)),
        again,
        again_too,
        replace(against, ranking=against.ranking[::-1]),
        replace(damaged, options=[text_option("Itâ€™s easy: just try."), damaged.options[1]]),
        spelled,
    ]
    return [replace(vote, id=judgment_id(vote)) for vote in planted]
