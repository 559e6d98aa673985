"""Letting a population judge a pool of options."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llull.errors import InputError
from llull.judgments.columns import lists
from llull.judgments.preferences import Preferences
from llull.judgments.simulate.pool import Pool
from llull.judgments.simulate.population import Annotators, Population
from llull.judgments.table import ENTRIES, OPTION, SCHEMA

_ROWS_AT_ONCE = 20_000
_MOST_SUBSETS = 200


@dataclass(frozen=True)
class Truth:
    """What a simulation knows and real data do not; n judgments of s options each."""

    annotators: Annotators
    annotator: np.ndarray
    """int64 [n], index into ``annotators``."""
    option: np.ndarray
    """int64 [n, s], the listed options by their place in the pool's ``attributes``."""
    utility: np.ndarray
    """float64 [n, s], of the listed options to the annotator."""
    probability: np.ndarray | None
    """float64 [n, 3] for pairs: that the first listed is preferred, the second, or neither, noise and bias included."""


@dataclass(frozen=True)
class Simulated:
    """Simulated judgments and the truth behind them."""

    preferences: Preferences
    truth: Truth


def judge(
    pool: Pool, population: Population, *, options: int = 2, questions: int = 1, votes: int = 1, seed: int = 0
) -> Simulated:
    """Let a population judge a pool of options.

    A question is a context and some of its options, drawn and listed in random order; no two questions of a context are
    alike. Each vote on a question comes from another annotator and shows the options in an order of its own.

    Args:
        options: how many options a question has.
        questions: how many are asked about each context.
        votes: annotators per question.
        seed: of all that is random.

    Returns:
        ``len(pool) * questions * votes`` judgments and their truth. The annotator's community is their group
        ``community``.

    Raises:
        InputError: a context has too few options, there are too few annotators, or tastes and attributes do not match.
    """
    if pool.attributes.shape[1] != len(population.communities[0].weights):
        raise InputError(
            f"the pool has {pool.attributes.shape[1]} attributes and the communities "
            f"{len(population.communities[0].weights)} weights; give one weight for each of {', '.join(pool.names)}"
        )
    if votes > population.annotators:
        raise InputError(f"{votes} votes per question need as many annotators; there are {population.annotators}")
    generator = np.random.default_rng(seed)
    who = population.sample(generator)
    context = np.repeat(np.arange(len(pool)), questions)
    offered = np.repeat(_offer(pool, questions, options, generator), votes, axis=0)
    annotator = _ask(len(context), votes, who.load, generator)
    shown = generator.random(offered.shape).argsort(axis=1)
    utility = np.empty(offered.shape)
    for at in range(0, len(offered), _ROWS_AT_ONCE):
        rows = slice(at, at + _ROWS_AT_ONCE)
        worth = who.worth(pool.attributes[offered[rows]], annotator[rows, None])
        utility[rows] = worth.sum(axis=-1)
    lifted = utility / population.temperature
    lifted[np.arange(len(lifted)), shown[:, 0]] += population.position_bias
    if options == 2:
        probability = pair_probabilities(lifted[:, 0] - lifted[:, 1], population.ties, population.flips)
        answer = (generator.random(len(lifted))[:, None] > np.cumsum(probability, axis=1)[:, :2]).sum(axis=1)
        order = np.where((answer == 1)[:, None], [1, 0], [0, 1])
        tie = answer == 2
    else:
        probability = None
        order = (-(lifted + generator.gumbel(size=lifted.shape))).argsort(axis=1)
        turned = generator.random(len(order)) < population.flips
        order[turned] = order[turned, ::-1]
        tie = np.zeros(len(order), bool)
    low = population.both_bad_below
    both_bad = tie & (utility.max(axis=1) < low) if low is not None else np.zeros(len(tie), bool)
    reason = _reasons(pool, who, annotator, offered, order, ~tie & (generator.random(len(tie)) < population.reasons))
    communities = [community.name for community in population.communities]
    table = _table(
        pool, np.repeat(context, votes), offered, order, tie, both_bad, shown, who, annotator, communities, reason, seed
    )
    return Simulated(Preferences.from_table(table), Truth(who, annotator, offered, utility, probability))


def pair_probabilities(z: np.ndarray, ties: float = 0.0, flips: float = 0.0) -> np.ndarray:
    """Chances of the answers to a pair whose utilities differ by z (see `Population`).

    Returns:
        float64 [..., 3]: the first is preferred, the second, neither.
    """
    # Divided through by the largest term, nothing overflows.
    powers = np.stack([z / 2, -z / 2, np.full_like(z, np.log(ties) if ties > 0 else -np.inf)], axis=-1)
    powers = np.exp(powers - powers.max(axis=-1, keepdims=True))
    first, second, neither = np.moveaxis(powers / powers.sum(axis=-1, keepdims=True), -1, 0)
    return np.stack([first + flips * (second - first), second + flips * (first - second), neither], axis=-1)


def _offer(pool: Pool, questions: int, options: int, generator: np.random.Generator) -> np.ndarray:
    """The options of each question, no two questions of a context alike.

    Returns int64 [contexts * questions, options], places in the pool's attributes.
    """
    listed = lists(pool.table["options"])
    if options < 2 or np.any(listed.length < options):
        raise InputError(
            f"a question of {options} options needs at least 2 and no more than the {listed.length.min()} "
            "that the context with the fewest has"
        )
    offered = np.empty((len(pool), questions, options), np.int64)
    for size in np.unique(listed.length):
        at = np.flatnonzero(listed.length == size)
        if comb(int(size), options) < questions:
            raise InputError(f"{size} options make fewer than {questions} different questions of {options}; ask fewer")
        drawn = _subsets(int(size), options, questions, len(at), generator)
        offered[at] = listed.start[at][:, None, None] + drawn
    return generator.permuted(offered.reshape(-1, options), axis=1)


def _subsets(size: int, options: int, questions: int, contexts: int, generator: np.random.Generator) -> np.ndarray:
    """Different sets of ``options`` out of ``size`` for each context: int64 [contexts, questions, options]."""
    if comb(size, options) <= _MOST_SUBSETS:
        every = np.array(list(combinations(range(size), options)))
        lot = generator.random((contexts, len(every)))
        return every[lot.argpartition(questions - 1, axis=1)[:, :questions]]
    drawn = np.empty((contexts, questions, options), np.int64)
    for context in range(contexts):
        chosen: set[tuple[int, ...]] = set()
        while len(chosen) < questions:
            chosen.add(tuple(sorted(generator.choice(size, options, replace=False).tolist())))
        drawn[context] = sorted(chosen)
    return drawn


def _ask(questions: int, votes: int, load: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Annotators of each question, none asked twice: int64 [questions * votes].

    Of log(load) + Gumbel noise, the largest few are a sample without replacement with chances in proportion to load.
    """
    asked = np.empty((questions, votes), np.int64)
    at_once = max(1, 4_000_000 // len(load))
    for at in range(0, questions, at_once):
        rows = slice(at, min(at + at_once, questions))
        keys = np.log(load) + generator.gumbel(size=(rows.stop - at, len(load)))
        asked[rows] = np.argpartition(-keys, votes - 1, axis=1)[:, :votes]
    return asked.ravel()


def _reasons(
    pool: Pool, who: Annotators, annotator: np.ndarray, offered: np.ndarray, order: np.ndarray, given: np.ndarray
) -> pa.Array:
    """The attribute that speaks most for the best against the worst option, in words; null where none is given."""
    phrases = pool.phrases or tuple((f"It has more {name}.", f"It has less {name}.") for name in pool.names)
    at = np.flatnonzero(given)
    best, worst = (pool.attributes[offered[at, order[at, place]]] for place in (0, -1))
    gain = who.worth(best, annotator[at]) - who.worth(worst, annotator[at])
    attribute = gain.argmax(axis=1) if len(at) else np.empty(0, np.int64)
    less = np.take_along_axis(best - worst, attribute[:, None], axis=1)[:, 0] < 0
    index = np.zeros(len(given), np.int64)
    index[at] = 2 * attribute + less
    texts = pa.array([text for pair in phrases for text in pair], pa.string())
    return texts.take(pa.array(index, mask=~given))


def _table(
    pool: Pool,
    context: np.ndarray,
    offered: np.ndarray,
    order: np.ndarray,
    tie: np.ndarray,
    both_bad: np.ndarray,
    shown: np.ndarray,
    who: Annotators,
    annotator: np.ndarray,
    communities: list[str],
    reason: pa.Array,
    seed: int,
) -> pa.Table:
    n, size = offered.shape
    at_context = pa.array(context)
    listed = lists(pool.table["options"])
    fields = {name: listed.field(name).combine_chunks().take(pa.array(offered.ravel())) for name in OPTION.names}
    # A parent may not be among the options of the question.
    fields["parent"] = pa.nulls(n * size, pa.int32())
    ends_tier = np.ones((n, size), bool)
    ends_tier[tie, 0] = False
    members = np.concatenate([[0], np.flatnonzero(ends_tier.ravel()) + 1])
    tiers = _lists(pa.array(order.ravel(), pa.int32()), members)
    community = pa.array(communities, pa.string()).take(pa.array(who.community[annotator]))
    key = pa.array(["community"], pa.string()).take(pa.array(np.zeros(n, np.int64)))
    entries = pa.StructArray.from_arrays([key, community], fields=list(ENTRIES.value_type))
    each = np.arange(n + 1)
    columns = {
        "id": pc.binary_join_element_wise(f"simulated-{seed}", pa.array(np.arange(n)).cast(pa.string()), "-"),
        "context_id": pool.table["context_id"].take(at_context),
        "context": pool.table["context"].take(at_context),
        "options": _lists(pa.StructArray.from_arrays(list(fields.values()), fields=list(OPTION)), each * size),
        "ranking": _lists(tiers, np.concatenate([[0], np.cumsum(ends_tier.sum(axis=1))])),
        "verdict": pa.array(["ranked", "both_bad"]).take(pa.array(both_bad.astype(np.int64))),
        "shown": _lists(pa.array(shown.ravel(), pa.int32()), each * size),
        "rationale": reason,
        "annotator": pa.array(who.names, pa.string()).take(pa.array(annotator)),
        "annotator_kind": pa.array(["human"]).take(pa.array(np.zeros(n, np.int64))),
        "groups": _lists(entries, each),
        "weight": pa.array(np.ones(n)),
    }
    empty = np.zeros(n + 1, np.int64)
    for name in ("ratings", "tags"):
        columns[name] = _lists(pa.array([], SCHEMA.field(name).type.value_type), empty)
    return pa.table([columns.get(f.name, pa.nulls(n, f.type)) for f in SCHEMA], schema=SCHEMA)


def _lists(values: pa.Array, start: np.ndarray) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(start, pa.int32()), values)
