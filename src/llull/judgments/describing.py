"""What a set of judgments holds: who judged what, how often they agree, and what the labels lean on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import stats

from llull.judgments.agreement import Agreement, agreement, flip_rate, one_vote_each
from llull.judgments.columns import Labels, encode, lists, number
from llull.judgments.viewing import pairs, ratings, winner_listed_first
from llull.judgments.views import Options, Pairs, Ratings

if TYPE_CHECKING:
    from rich.table import Table

_SHOWN_VALUES = 6


@dataclass(frozen=True)
class Share:
    """A proportion with its 95% interval (Wilson, at the effective number of independent judgments)."""

    share: float
    low: float
    high: float
    count: int
    """How many pairs it is a proportion of."""

    def __str__(self) -> str:
        return f"{self.share:.1%} [{self.low:.1%}, {self.high:.1%}] of {self.count:,}"


@dataclass(frozen=True)
class Workload:
    """How many annotators there are, and how much each did."""

    number: int
    median: float
    """Judgments of the median annotator."""
    largest: int
    """Judgments of the busiest annotator."""
    unknown: int
    """Judgments that do not say who made them."""


@dataclass(frozen=True)
class Overlap:
    """How many annotators judged the same item: an unordered pair of options, or one option under one aspect."""

    items: int
    shared: int
    """Items judged by at least two annotators."""
    mean: float
    """Annotators per item."""
    largest: int


@dataclass(frozen=True)
class RatingSummary:
    """Ratings under one aspect."""

    count: int
    mean: float
    low: float
    """Lowest value given."""
    high: float
    """Highest value given."""
    overlap: Overlap
    agreement: Agreement | None
    """None where no option was rated by two annotators."""


@dataclass(frozen=True)
class Description:
    """What a set of judgments holds. Print it, or take ``to_dict()`` for JSON."""

    judgments: int
    contexts: int
    options: int
    """Unique options, each under its context."""
    options_per_judgment: dict[int, int]
    verdicts: dict[str, int]
    annotator_kinds: dict[str, int]
    criteria: dict[str, int]
    groups: dict[str, dict[str, int]]
    annotators: Workload
    rationales: int
    """Judgments that give a reason."""
    pairs: int
    ties: float
    """Share of pairs that are ties; NaN without pairs."""
    overlap: Overlap
    """Of pairs."""
    agreement: Agreement | None
    """On pairs; None where no pair was judged by two annotators."""
    label_noise: float
    """Estimated rate of reversed votes (see `llull.judgments.agreement.flip_rate`); NaN without overlap."""
    characters: float
    """Median length of an option's text; NaN where options have none."""
    longer_wins: Share | None
    """Of pairs of texts that are no ties and differ in length."""
    first_shown_wins: Share | None
    """Of pairs that are no ties and whose shown order is known."""
    first_listed_wins: Share | None
    """Of pairs that are no ties: whether the data set's own order of options gives the answer away."""
    ratings: dict[str, RatingSummary]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what is not known is None."""
        return _plain(asdict(self))

    def lines(self) -> Iterator[tuple[str, str]]:
        """Name and text of each line that there is something to say about."""
        yield "judgments", f"{self.judgments:,} on {self.contexts:,} contexts and {self.options:,} options"
        yield "options each", _counts({str(k): v for k, v in self.options_per_judgment.items()})
        yield "verdicts", _counts(self.verdicts)
        yield "judged by", _counts(self.annotator_kinds)
        who = self.annotators
        if who.number:
            unknown = f"; {who.unknown:,} judgments by unknown" if who.unknown else ""
            yield "annotators", f"{who.number:,}, median {who.median:g} judgments, most {who.largest:,}{unknown}"
        for key, values in self.groups.items():
            yield f"group {key}", _counts(values)
        if self.criteria:
            yield "criteria", _counts(self.criteria)
        if self.rationales:
            yield "reasons", f"given in {self.rationales:,} judgments"
        if self.pairs:
            yield "pairs", f"{self.pairs:,}, {self.ties:.1%} ties"
            yield "overlap", _overlap(self.overlap, "pairs")
        if self.agreement:
            noise = "" if math.isnan(self.label_noise) else f"; label noise at most {self.label_noise:.1%}"
            yield "agreement", _agreement(self.agreement) + noise
        if not math.isnan(self.characters):
            yield "length", f"median {self.characters:,.0f} characters"
        for name, share in (
            ("longer wins", self.longer_wins),
            ("first shown wins", self.first_shown_wins),
            ("first listed wins", self.first_listed_wins),
        ):
            if share:
                yield name, str(share)
        for aspect, rated in self.ratings.items():
            text = f"{rated.count:,}, mean {rated.mean:.3g} in [{rated.low:g}, {rated.high:g}]"
            shared = f"; {_agreement(rated.agreement)}" if rated.agreement else ""
            yield f"rating {aspect}", text + shared

    def __str__(self) -> str:
        lines = list(self.lines())
        width = max(len(name) for name, _ in lines)
        return "\n".join(f"{name:<{width}}  {text}" for name, text in lines)

    def __rich__(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="bold")
        grid.add_column()
        for name, text in self.lines():
            grid.add_row(Text(name), Text(text))
        return grid


def describe(table: pa.Table) -> Description:
    """Describe a table of judgments; see `Description` for what is counted and how."""
    found = pairs(table)
    characters = option_characters(table)
    item = pair_items(found)
    answer = pair_answers(found)
    votes = one_vote_each(item, found.annotator)
    sizes = lists(table["options"]).length
    return Description(
        judgments=len(table),
        contexts=len(set(encode(table["context_id"]).names) - {""}),
        options=len(found.options),
        options_per_judgment={int(k): int(n) for k, n in zip(*np.unique(sizes, return_counts=True), strict=True)},
        verdicts=_tally(encode(table["verdict"])),
        annotator_kinds=_tally(encode(table["annotator_kind"]), "unknown"),
        criteria=_tally(encode(table["criterion"])),
        groups=_groups(table),
        annotators=_workload(encode(table["annotator"])),
        rationales=len(table) - table["rationale"].null_count,
        pairs=len(found),
        ties=float(found.tie.mean()) if len(found) else math.nan,
        overlap=_overlap_of(item[votes]),
        agreement=agreement(item[votes], answer[votes], mirrored=True),
        label_noise=flip_rate(item[votes], answer[votes]),
        characters=float(np.median(characters[characters > 0])) if np.any(characters > 0) else math.nan,
        longer_wins=_longer_wins(found, characters),
        first_shown_wins=share(found.side[_told(found)] > 0, found.judgment[_told(found)]),
        first_listed_wins=share(winner_listed_first(table)[~found.tie], found.judgment[~found.tie]),
        ratings=_rating_summaries(ratings(table)),
    )


def share(yes: np.ndarray, judgment: np.ndarray) -> Share | None:
    """A proportion with a 95% interval that knows that pairs of one judgment are not independent.

    The variance of p = sum(yes) / n is that between judgments, sum_j (yes_j - p n_j)^2 / n^2. It gives the effective
    number p (1 - p) / variance, at which the Wilson interval is taken.

    Args:
        yes: [n] bool.
        judgment: [n] the judgment each comes from.
    """
    if not len(yes):
        return None
    _, cluster = np.unique(judgment, return_inverse=True)
    p = float(yes.mean())
    deviation = np.bincount(cluster, yes) - p * np.bincount(cluster)
    variance = float(np.sum(deviation**2)) / len(yes) ** 2
    effective = p * (1.0 - p) / variance if variance > 0 else float(cluster.max() + 1)
    z = float(stats.norm.ppf(0.975))
    center = (p + z**2 / (2 * effective)) / (1 + z**2 / effective)
    half = z / (1 + z**2 / effective) * math.sqrt(p * (1 - p) / effective + z**2 / (4 * effective**2))
    return Share(p, max(0.0, center - half), min(1.0, center + half), len(yes))


def pair_items(found: Pairs) -> np.ndarray:
    """The item each pair is a vote on: two options, in either order, under one criterion. int64 [n]."""
    low, high = np.minimum(found.winner, found.loser), np.maximum(found.winner, found.loser)
    criteria = len(found.criteria) + 1
    return (low.astype(np.int64) * len(found.options) + high) * criteria + (found.criterion + 1)


def pair_answers(found: Pairs) -> np.ndarray:
    """The vote: 1 for the option with the lower number, -1 for the other, 0 for a tie. float64 [n]."""
    return np.where(found.tie, 0.0, np.where(found.winner < found.loser, 1.0, -1.0))


def option_characters(table: pa.Table) -> np.ndarray:
    """Characters of each option as listed: int64 [total number of options]."""
    options = lists(table["options"])
    messages = lists(options.field("messages"))
    each = pc.fill_null(pc.utf8_length(messages.field("content")), 0).to_numpy()
    return np.bincount(messages.row, each, minlength=len(options.row)).astype(np.int64)


def _longer_wins(found: Pairs, characters: np.ndarray) -> Share | None:
    of_option = characters[_listed(found.options)]
    more = of_option[found.winner] - of_option[found.loser]
    written = found.options.with_text
    decided = ~found.tie & (more != 0) & written[found.winner] & written[found.loser]
    return share(more[decided] > 0, found.judgment[decided])


def _listed(options: Options) -> np.ndarray:
    return lists(options.table["options"]).start[options.row] + options.position


def _told(found: Pairs) -> np.ndarray:
    return ~found.tie & (found.side != 0)


def _rating_summaries(given: Ratings) -> dict[str, RatingSummary]:
    summaries = {}
    for code, aspect in enumerate(given.aspects):
        at = np.flatnonzero(given.aspect == code)
        value, item = given.value[at], given.option[at]
        votes = one_vote_each(item, given.annotator[at])
        summaries[aspect] = RatingSummary(
            count=len(at),
            mean=float(value.mean()),
            low=float(value.min()),
            high=float(value.max()),
            overlap=_overlap_of(item[votes]),
            agreement=agreement(item[votes], value[votes]),
        )
    return summaries


def _overlap_of(item: np.ndarray) -> Overlap:
    per_item = np.bincount(number(item.astype(np.int64))[0])
    if not len(per_item):
        return Overlap(0, 0, math.nan, 0)
    return Overlap(len(per_item), int((per_item > 1).sum()), float(per_item.mean()), int(per_item.max()))


def _workload(annotators: Labels) -> Workload:
    known = annotators.codes[annotators.codes >= 0]
    per_annotator = np.bincount(known, minlength=len(annotators.names))
    if not len(per_annotator):
        return Workload(0, math.nan, 0, len(annotators.codes))
    return Workload(
        len(per_annotator),
        float(np.median(per_annotator)),
        int(per_annotator.max()),
        len(annotators.codes) - len(known),
    )


def _groups(table: pa.Table) -> dict[str, dict[str, int]]:
    entries = lists(table["groups"])
    keys, values = encode(entries.field("key")), entries.field("value")
    return {
        key: _tally(encode(values.take(pa.array(np.flatnonzero(keys.codes == code)))), "unknown")
        for code, key in enumerate(keys.names)
    }


def _tally(found: Labels, missing: str | None = None) -> dict[str, int]:
    """How often each name occurs, most frequent first; those without one under ``missing``, if that is given."""
    counts = np.bincount(found.codes[found.codes >= 0], minlength=len(found.names))
    tally = {found.names[i]: int(counts[i]) for i in np.argsort(-counts, kind="stable")}
    absent = len(found.codes) - int(counts.sum())
    if missing is not None and absent:
        tally[missing] = tally.get(missing, 0) + absent
    return tally


def _counts(tally: dict[str, int]) -> str:
    shown = [f"{name} {count:,}" for name, count in list(tally.items())[:_SHOWN_VALUES]]
    more = [f"{len(tally) - _SHOWN_VALUES:,} more"] if len(tally) > _SHOWN_VALUES else []
    return ", ".join(shown + more)


def _overlap(overlap: Overlap, things: str) -> str:
    return f"{overlap.shared:,} of {overlap.items:,} {things} judged by two or more; {overlap.mean:.2f} annotators each"


def _agreement(found: Agreement) -> str:
    if not math.isfinite(found.alpha_nominal):
        return f"{found.percent:.1%} over {found.items:,} items; all answers are the same, so no alpha is defined"
    return (
        f"{found.percent:.1%}, Krippendorff's alpha {found.alpha_nominal:.3f} nominal, "
        f"{found.alpha_ordinal:.3f} ordinal, over {found.items:,} items"
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
