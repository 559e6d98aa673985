"""What is wrong, or may be wrong, with a set of judgments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import stats

from llull.judgments.blocks import normalized
from llull.judgments.columns import Labels, encode, floats, integers, labels, lists, number
from llull.judgments.describing import Share, share
from llull.judgments.viewing import options, pairs, winner_listed_first
from llull.judgments.views import Options, Pairs

_EXAMPLES = 5
_CONSTANT_FROM = 20
"""Fewer strict pairs than this can all fall on one side by chance (1 in 2^19)."""
_BIASED_BELOW = 0.01

_ENCODING = {
    "replacement characters": r"\x{FFFD}",
    # UTF-8 read as Latin-1 or Windows-1252: a lead byte as a letter, then continuation bytes as signs.
    "mojibake": r"[ÂÃ][\x{80}-\x{BF}]|Ã[ŒœŠšŸŽžƒˆ˜–—‘’‚“”„†‡•…‰‹›€™]|â€[\x{80}-\x{BF}œ˜™“”¢¦]|ðŸ",
    "control characters": r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x{9F}]",
}


@dataclass(frozen=True)
class Problem:
    """Something that is, or may be, wrong with some judgments."""

    kind: str
    count: int
    """How many judgments it touches."""
    share: float
    """Of all judgments."""
    meaning: str
    """What it means and what can be done, in a sentence."""
    rows: tuple[int, ...]
    """The first few judgments it touches."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.kind}: {self.count:,} judgments ({self.share:.1%}), as in row {self.rows[0]:,}. {self.meaning}"


def problems(table: pa.Table) -> list[Problem]:
    """Look for faults in a table of judgments. What is not found is not listed.

    Looked for: identical options, empty options, duplicate judgments, repeat votes and contradictory ones, a side that
    always wins, position bias, encoding faults, contexts that differ only in their spelling, and options that recur
    under several contexts. Rows are compared by 64-bit hashes of their contents.
    """
    if not len(table):
        return []
    unit_options, unit = options(table, by_source=False)
    found = pairs(table)
    return [
        Problem(kind, len(rows), len(rows) / len(table), meaning, tuple(int(row) for row in rows[:_EXAMPLES]))
        for kind, rows, meaning in (
            *_options_at_fault(table, unit),
            *_repeats(table, unit),
            *_constant_sides(table, found),
            *_position_bias(found),
            *_encoding_faults(table),
            *_respelled_contexts(table),
            *_recurring_options(table, unit_options, unit),
        )
        if len(rows)
    ]


Found = Iterator[tuple[str, np.ndarray, str]]


def _options_at_fault(table: pa.Table, unit: np.ndarray) -> Found:
    listed = lists(table["options"])
    order = np.lexsort((unit, listed.row))
    row, ordered = listed.row[order], unit[order]
    same = (row[1:] == row[:-1]) & (ordered[1:] == ordered[:-1])
    yield (
        "identical options",
        np.unique(row[1:][same]),
        "Two options of one judgment are the same; no choice between them teaches anything.",
    )

    messages = lists(listed.field("messages"))
    written = pc.not_equal(pc.utf8_trim_whitespace(pc.fill_null(messages.field("content"), "")), "")
    said = np.bincount(messages.row, written.to_numpy().astype(float), minlength=len(unit)) > 0
    shown = (lists(listed.field("media")).length > 0) | (
        np.bincount(messages.row, lists(messages.field("media")).length, minlength=len(unit)) > 0
    )
    # An option without any message is one known by name only, which needs no text.
    named = (messages.length == 0) & (pc.fill_null(pc.utf8_length(listed.field("source")), 0).to_numpy() > 0)
    empty = np.unique(listed.row[~(said | shown | named)])
    yield "empty options", empty, "An option has no content; decide whether an empty answer is an answer."


def _repeats(table: pa.Table, unit: np.ndarray) -> Found:
    asked, answered, exact = _fingerprints(table, unit)
    code, first = number(exact.view(np.int64))
    again = first[code] != np.arange(len(table))
    yield (
        "duplicate judgments",
        np.flatnonzero(again),
        "The same options, answer, annotator, reason and time occur before; keep one of them.",
    )
    known = encode(table["annotator"]).codes >= 0
    code, first = number(asked.view(np.int64))
    repeat = known & ~again & (first[code] != np.arange(len(table)))
    agrees = answered == answered[first[code]]
    yield (
        "repeat votes",
        np.flatnonzero(repeat & agrees),
        "The annotator judged the same options before, with the same answer; the second says little more.",
    )
    yield (
        "contradictory repeat votes",
        np.flatnonzero(repeat & ~agrees),
        "The annotator judged the same options before, with another answer; it measures how steady the votes are.",
    )


def _constant_sides(table: pa.Table, found: Pairs) -> Found:
    """Per source where the judgments name one: a constant side in one file hides in many."""
    first = winner_listed_first(table)
    strict = ~found.tie
    tags = encode(lists(table["tags"]).field("key")).names
    of_row = labels(table, "source") if "source" in tags else Labels(np.zeros(len(table), np.int32), ("",))
    source = of_row.codes[found.judgment]
    rows = []
    for code in range(-1, len(of_row.names)):
        at = strict & (source == code)
        if at.sum() >= _CONSTANT_FROM and (first[at].all() or not first[at].any()):
            rows.append(np.unique(found.judgment[at]))
    yield (
        "constant listed side",
        np.concatenate(rows) if rows else np.empty(0, np.int64),
        "The preferred option is always listed in the same place; the order gives the answer away (shuffle_sides).",
    )
    told = strict & (found.side != 0)
    won = found.side[told] > 0
    constant = told.sum() >= _CONSTANT_FROM and (won.all() or not won.any())
    yield (
        "constant shown side",
        np.unique(found.judgment[told]) if constant else np.empty(0, np.int64),
        "The option shown in one place always wins; the shown order is probably not what annotators saw.",
    )


def _position_bias(found: Pairs) -> Found:
    won, judgment = first_shown_wins(found)
    measured = share(won, judgment)
    if measured is None or measured.share in (0.0, 1.0):
        return
    test = stats.binomtest(int(won.sum()), len(won))
    if test.pvalue < _BIASED_BELOW:
        yield "position bias", np.unique(judgment), _bias_in_words(measured, float(test.pvalue))


def first_shown_wins(found: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Whether the first-shown option won, in judgments of one strict pair; and their rows. bool [n], int64 [n]."""
    single = np.bincount(found.judgment, minlength=1)[found.judgment] == 1
    told = single & ~found.tie & (found.side != 0)
    return found.side[told] > 0, found.judgment[told]


def _bias_in_words(measured: Share, chance: float) -> str:
    return (
        f"The option shown first wins {measured} (binomial test, p = {chance:.2g}); "
        "model the position or show both orders."
    )


def _encoding_faults(table: pa.Table) -> Found:
    listed = lists(table["options"])
    said = lists(listed.field("messages"))
    context = lists(table["context"])
    places = (
        (encode(said.field("content")), listed.row[said.row]),
        (encode(context.field("content")), context.row),
        (encode(table["rationale"]), np.arange(len(table))),
    )
    for kind, pattern in _ENCODING.items():
        rows = []
        for texts, row in places:
            faulty = pc.match_substring_regex(pa.array(texts.names, pa.string()), pattern).to_numpy(
                zero_copy_only=False
            )
            # Code -1, a missing text, picks the last entry.
            rows.append(row[np.append(faulty.astype(bool), False)[texts.codes]])
        yield (
            kind,
            np.unique(np.concatenate(rows)),
            "Text was damaged before it came here; read the source anew or repair it.",
        )


def _respelled_contexts(table: pa.Table) -> Found:
    contexts = encode(table["context_id"])
    _, first = number(contexts.codes)
    texts = _whole_contexts(table, first)
    blocks = encode(normalized(texts)).codes
    spelled = encode(texts).codes
    _, kinds = np.unique(np.unique(np.stack([blocks, spelled]), axis=1)[0], return_counts=True)
    several = (kinds > 1)[blocks]
    yield (
        "respelled contexts",
        np.flatnonzero(several[contexts.codes]),
        "Contexts differ only by case, whitespace, punctuation or Unicode form; splits keep them together.",
    )


def _whole_contexts(table: pa.Table, rows: np.ndarray) -> pa.Array:
    context = lists(table["context"].take(pa.array(rows)))
    contents = pc.fill_null(context.field("content"), "").combine_chunks()
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(context.start, pa.int32()), contents), "\n")


def _recurring_options(table: pa.Table, found: Options, unit: np.ndarray) -> Found:
    listed = lists(table["options"])
    ids = encode(listed.field("id")).codes
    written = (lists(listed.field("messages")).length > 0) | (lists(listed.field("media")).length > 0)
    per_id = np.bincount(ids[listed.start[found.row] + found.position], minlength=int(ids.max(initial=-1)) + 1)
    yield (
        "options under several contexts",
        np.unique(listed.row[(per_id[ids] > 1) & written]),
        "The same text answers different contexts: stock replies or refusals, or contexts that were mixed up.",
    )


def _fingerprints(table: pa.Table, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hashes of what each judgment was asked, what it answered in any listing order, and all of it: uint64 [n] each."""
    rows = len(table)
    listed = lists(table["options"])
    tiers = lists(table["ranking"])
    members = lists(tiers.values)
    in_row = tiers.row[members.row]
    tier = (np.arange(len(tiers.row)) - tiers.start[tiers.row])[members.row]
    ranked = unit[listed.start[in_row] + integers(members.values)]
    ratings = lists(table["ratings"])
    rated = unit[listed.start[ratings.row] + integers(ratings.field("option"))]
    aspect = encode(ratings.field("aspect")).codes
    value = floats(ratings.field("value"))

    offered = _sum(listed.row, _mix(unit), rows)
    # The judgments of one choice compare other options of the same list; who ranks none was asked about all.
    compared = np.where(tiers.length > 0, _sum(in_row, _mix(ranked), rows), offered)
    # Rating another option or aspect is no repeat, so what is rated belongs to what was asked.
    to_rate = _sum(ratings.row, _mix(rated, aspect), rows)
    asked = _mix(offered, compared, to_rate, encode(table["annotator"]).codes, encode(table["criterion"]).codes)
    answered = _mix(
        _sum(in_row, _mix(ranked, tier), rows),
        _sum(ratings.row, _mix(rated, aspect, value.view(np.int64)), rows),
        encode(table["verdict"]).codes,
    )
    position = np.arange(len(listed.row)) - listed.start[listed.row]
    shown = lists(table["shown"])
    seen = np.arange(len(shown.row)) - shown.start[shown.row]
    exact = _mix(
        asked,
        answered,
        _sum(listed.row, _mix(unit, position), rows),
        _sum(shown.row, _mix(integers(shown.values), seen), rows),
        floats(table["strength"]).view(np.int64),
        encode(table["rationale"]).codes,
        integers(table["time"].cast("int64")),
    )
    return asked, answered, exact


def _sum(row: np.ndarray, hashes: np.ndarray, rows: int) -> np.ndarray:
    """The sum of the hashes of each row: a hash of an unordered collection."""
    total = np.zeros(rows, np.uint64)
    np.add.at(total, row, hashes)
    return total


def _mix(*parts: np.ndarray) -> np.ndarray:
    """Hash integers into 64 bits, in order (the finalizer of SplitMix64: Steele, Lea and Flood, 2014)."""
    state = np.zeros(len(parts[0]), np.uint64)
    for part in parts:
        state = state + part.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state = state ^ (state >> np.uint64(31))
    return state
