"""Segments of options and what each is worth, as numbers of tokens: for objectives that look inside an option."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal, get_args

import numpy as np

from llull.encoders.sentences import DEFAULT_MODEL, SentenceEncoder
from llull.errors import InputError
from llull.judgments.views import Options
from llull.language.spans import token_ends
from llull.language.templates import Template

Cut = Literal["given", "paragraphs", "lines", "sentences"]
Worth = Literal["given", "cosine", "changed", "none"]

_BREAKS = {"paragraphs": r"\n\s*\n\s*", "lines": r"\n\s*", "sentences": r"(?<=[.!?])[\"')\]]*\s+"}


@dataclass(frozen=True)
class Segments:
    """How options are cut into segments, and what a segment is worth.

    Args:
        cut: at paragraphs, lines or sentences, or as the judgments give them.
        worth: "given" with the segments; "cosine", one plus the cosine between a segment and the one at the same place
            in the best option of its context; "changed", 1 for tokens that the options it was compared with do not
            have and 0 for those they share; or "none".
        tag: the tag of a judgment that gives segments: for each option a list of {"text", "worth"}, where the worth
            is a number, or a mapping from aspects to numbers, whose mean counts.
        encoder: name of the sentence encoder for cosines.
    """

    cut: Cut = "lines"
    worth: Worth = "none"
    tag: str = "segments"
    encoder: str = DEFAULT_MODEL

    def __post_init__(self) -> None:
        for name, value, allowed in (("cut", self.cut, get_args(Cut)), ("worth", self.worth, get_args(Worth))):
            if value not in allowed:
                raise InputError(f"segments.{name} is {value!r}; it is one of {', '.join(allowed)}")
        if self.worth == "given" and self.cut != "given":
            raise InputError("worths are given with given segments: say segments.cut given")


@dataclass(frozen=True)
class TokenSegments:
    """Each option's tokens as segments."""

    step: tuple[np.ndarray, ...]
    """int64 for each option's tokens: its segment, from 0."""
    weight: tuple[np.ndarray, ...] | None
    """float32 for each option's tokens: what its segment, or itself, is worth."""


def segment(
    options: Options, template: Template, ids: Sequence[np.ndarray], best: np.ndarray, rivals: np.ndarray, how: Segments
) -> TokenSegments:
    """Cut options into segments.

    Args:
        options: the options.
        template: how they became tokens.
        ids: int32 tokens of each option, cut at its end or not.
        best: int64 [number of contexts]: the best option of each context, -1 where there is none.
        rivals: int64 [m, 2]: options that were compared with each other.
        how: they are cut.

    Raises:
        InputError: if segments are to be given and are not, or do not make up their option's text.
    """
    ends = [_fitted(found, len(own)) for found, own in zip(token_ends(options, template), ids, strict=True)]
    texts = options.texts()
    given: list[list[Any]] = _given(options, how.tag) if how.cut == "given" else []
    bounds = (
        [_bounds_of(pieces, text, i, options) for i, (pieces, text) in enumerate(zip(given, texts, strict=True))]
        if given
        else [_breaks(text, how.cut) for text in texts]
    )
    # A token that reaches over a boundary belongs to the later segment.
    steps = tuple(np.minimum(np.searchsorted(b, e), len(b) - 1) for b, e in zip(bounds, ends, strict=True))
    if how.worth == "none":
        return TokenSegments(steps, None)
    if how.worth == "changed":
        return TokenSegments(steps, _changed(ids, rivals))
    if how.worth == "given":
        worths = [np.array([_number(piece, i, options) for piece in pieces]) for i, pieces in enumerate(given)]
    else:
        worths = _cosines(texts, bounds, best[options.context], SentenceEncoder(how.encoder))
    return TokenSegments(steps, tuple(w[s].astype(np.float32) for w, s in zip(worths, steps, strict=True)))


def _fitted(ends: np.ndarray, tokens: int) -> np.ndarray:
    """As many ends as tokens: what closes a text ends where it does, and what was cut off is not there."""
    closing = np.full(max(tokens - len(ends), 0), ends[-1] if len(ends) else 0, np.int64)
    return np.concatenate([ends[:tokens], closing])


def _breaks(text: str, cut: str) -> np.ndarray:
    """int64: where each segment ends; white space between two belongs to the first."""
    found = [m.end() for m in re.finditer(_BREAKS[cut], text) if text[: m.start()].strip() and text[m.end() :].strip()]
    return np.array([*found, len(text)], np.int64)


def _given(options: Options, tag: str) -> list[list[Any]]:
    tags = options.table["tags"].take(options.row).to_pylist()
    found = []
    for i, (entries, position) in enumerate(zip(tags, options.position.tolist(), strict=True)):
        lists = next((json.loads(entry["value"]) for entry in entries if entry["key"] == tag), None)
        if not isinstance(lists, list) or position >= len(lists) or not lists[position]:
            raise InputError(
                f"option {options.ids[i]} has no segments under the tag {tag!r} of its judgment; give a list of "
                '{"text", "worth"} for each option, or cut at paragraphs, lines or sentences'
            )
        found.append(lists[position])
    return found


def _bounds_of(pieces: list[Any], text: str, number: int, options: Options) -> np.ndarray:
    at, ends = 0, []
    for piece in pieces:
        said = piece.get("text") if isinstance(piece, Mapping) else None
        start = text.find(said.strip(), at) if isinstance(said, str) and said.strip() else -1
        if start < 0:
            raise InputError(
                f"option {options.ids[number]}: the segment {said!r} is not in its text behind the ones before it"
            )
        at = start + len(str(said).strip())
        ends.append(at)
    return np.array([*ends[:-1], len(text)], np.int64)


def _number(piece: Any, number: int, options: Options) -> float:
    worth = piece.get("worth")
    values = list(worth.values()) if isinstance(worth, Mapping) else [worth]
    if not values or not all(isinstance(v, int | float) for v in values):
        raise InputError(f"option {options.ids[number]}: a segment's worth is {worth!r}, which is no number")
    return float(np.mean(values))


def _cosines(
    texts: list[str], bounds: list[np.ndarray], best: np.ndarray, encoder: SentenceEncoder
) -> list[np.ndarray]:
    pieces = [
        [text[a:b] for a, b in zip([0, *ends[:-1]], ends, strict=True)]
        for text, ends in zip(texts, bounds, strict=True)
    ]
    unique = {piece: at for at, piece in enumerate(dict.fromkeys(p for own in pieces for p in own))}
    vectors = encoder.encode_texts(list(unique), progress=False).astype(np.float64)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    found = []
    for own, leader in zip(pieces, best.tolist(), strict=True):
        ideal = pieces[leader] if leader >= 0 else []
        shared = min(len(own), len(ideal))
        mine, theirs = ([unique[p] for p in some[:shared]] for some in (own, ideal))
        # A segment beyond the best option's last has nothing to be like.
        found.append(np.concatenate([1.0 + (vectors[mine] * vectors[theirs]).sum(1), np.ones(len(own) - shared)]))
    return found


def _changed(ids: Sequence[np.ndarray], rivals: np.ndarray) -> tuple[np.ndarray, ...]:
    found = [np.zeros(len(own), np.float32) for own in ids]
    for first, second in np.unique(np.sort(rivals, axis=1), axis=0).tolist():
        matcher = SequenceMatcher(None, ids[first].tolist(), ids[second].tolist(), autojunk=False)
        for what, a, b, c, d in matcher.get_opcodes():
            if what != "equal":
                found[first][a:b] = 1.0
                found[second][c:d] = 1.0
    return tuple(found)
