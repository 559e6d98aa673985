"""Plain statistics of a text, each of which a person can understand and recount."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log1p
from typing import Any

import numpy as np

from llull.encoders.cache import text_key
from llull.encoders.encoder import Encoder
from llull.errors import InputError
from llull.judgments.record import content_hash
from llull.judgments.views import Options

_WORD = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*")
_SENTENCE_END = re.compile(r"[.!?。！？]+(?=[\s\"'”’)\]]|$)")
_VOWELS = re.compile(r"[aeiouy]+")
_HEADING = re.compile(r"^ {0,3}#{1,6}\s", re.MULTILINE)
_BULLET = re.compile(r"^\s*[-*+•]\s+\S", re.MULTILINE)
_NUMBERED = re.compile(r"^\s*\d{1,3}[.)]\s+\S", re.MULTILINE)
_BOLD = re.compile(r"\*\*[^*\n]+\*\*|__[^_\n]+__")
_FENCE = re.compile(r"^\s*(?:```|~~~)", re.MULTILINE)
_FENCED = re.compile(r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1|\Z)", re.MULTILINE | re.DOTALL)
_INLINE_CODE = re.compile(r"`[^`\n]+`")
_TABLE_ROW = re.compile(r"^\s*\|.*\|\s*$", re.MULTILINE)
_LINK = re.compile(r"https?://\S+|\]\([^)\s]+\)")
_PARAGRAPH = re.compile(r"\n\s*\n")
_EMOJI = re.compile("[\U0001f300-\U0001faff☀-➿\U0001f1e6-\U0001f1ff]")


def _phrases(*phrases: str) -> re.Pattern[str]:
    return re.compile(r"\b(?:" + "|".join(phrases) + r")\b", re.IGNORECASE)


# Typographic apostrophes are made plain before these are counted.
_REFUSAL = _phrases(
    r"i(?:'m| am) sorry,? (?:but )?i (?:can't|cannot|can not)",
    r"i(?:'m| am) (?:not able to|unable to|not comfortable|not going to|not willing to)",
    r"i (?:can't|cannot|can not|won't|will not|shouldn't) (?:help|assist|provide|do that|answer|support|give|offer)",
    r"i (?:can't|cannot|can not|won't|will not|shouldn't) (?:recommend|condone|encourage|comply|engage|participate)",
    r"(?:against|violates?) (?:my|the|our) (?:guidelines|policy|policies|programming|rules)",
    r"(?:that|this|it)(?:'s| is| would be) (?:illegal|unethical|against the law|not legal|not ethical)",
    r"as an? (?:ai|artificial intelligence|language model)",
)
_HEDGE = _phrases(
    "maybe|perhaps|possibly|probably|might|could be|may be|it seems|seems? to|appears? to|apparently",
    "i think|i believe|i guess|i suppose|i'm not sure|i am not sure|not certain|somewhat|sort of|kind of",
    "likely|unlikely|usually|generally|often|sometimes|roughly|about right|in some cases|it depends",
)
_APOLOGY = _phrases("sorry", r"apolog(?:y|ies|ize|izes|ized|ise|ised)", "my mistake", "forgive me", "regret")
_POLITE = _phrases(
    "please|thanks|thank you|you're welcome|welcome|glad|happy to|of course|certainly|kindly|appreciate",
)
_FIRST_PERSON = _phrases("i|i'm|i've|i'd|i'll|me|my|mine|myself|we|our|us")
_SECOND_PERSON = _phrases("you|you're|you've|you'd|you'll|your|yours|yourself")
_QUESTION = re.compile("[?？]")
_EXCLAMATION = re.compile("[!！]")
_QUESTION_BACK = re.compile(r"\?\s*[\"'”’)]*\s*$")


class Text:
    """A text, with what several statistics need counted once."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def plain(self) -> str:
        """With typographic apostrophes made plain, for matching phrases."""
        return self.text.replace("’", "'")

    @cached_property
    def prose(self) -> str:
        """Without fenced code."""
        return _FENCED.sub("\n", self.text) if "```" in self.text or "~~~" in self.text else self.text

    @cached_property
    def words(self) -> list[str]:
        """Runs of letters and digits, lower case; apostrophes and hyphens within a word belong to it."""
        return [word.lower() for word in _WORD.findall(self.prose)]

    @cached_property
    def sentences(self) -> int:
        """Sentence ends, and one more if the text goes on after the last; at least 1 where there are words."""
        if not self.words:
            return 0
        ends = list(_SENTENCE_END.finditer(self.prose))
        tail = self.prose[ends[-1].end() :] if ends else self.prose
        return max(1, len(ends) + bool(_WORD.search(tail)))

    @cached_property
    def syllables(self) -> int:
        """Runs of vowels in each word, at least one, less a silent final e. An estimate for English."""
        count = 0
        for word in self.words:
            runs = len(_VOWELS.findall(word))
            if word.endswith("e") and not word.endswith(("le", "ee")) and runs > 1:
                runs -= 1
            count += max(runs, 1)
        return count

    def count(self, pattern: re.Pattern[str]) -> int:
        """How often a pattern is found."""
        return sum(1 for _ in pattern.finditer(self.plain))

    def share(self, count: int) -> float:
        """A count for each hundred words."""
        return 100.0 * count / len(self.words) if self.words else 0.0


def flesch_reading_ease(text: Text) -> float:
    """Flesch reading ease (Flesch, 1948): 206.835 - 1.015 words/sentences - 84.6 syllables/words, within -100..150.

    Higher is easier. It is made for English prose; a text without words counts as 0.
    """
    words = len(text.words)
    if not words:
        return 0.0
    ease = 206.835 - 1.015 * words / text.sentences - 84.6 * text.syllables / words
    return min(150.0, max(-100.0, ease))


@dataclass(frozen=True)
class Statistic:
    """One number of a text."""

    name: str
    description: str
    measure: Callable[[Text], float]


def _log_count(pattern: re.Pattern[str]) -> Callable[[Text], float]:
    return lambda text: log1p(text.count(pattern))


def _per_hundred_words(pattern: re.Pattern[str]) -> Callable[[Text], float]:
    return lambda text: text.share(text.count(pattern))


def _character_share(keep: Callable[[str], bool]) -> Callable[[Text], float]:
    return lambda text: sum(map(keep, text.text)) / len(text.text) if text.text else 0.0


def _type_token_ratio(text: Text) -> float:
    return len(set(text.words)) / len(text.words) if text.words else 0.0


def _ends_with_question(text: Text) -> float:
    return float(bool(_QUESTION_BACK.search(text.text)))


def _uppercase_share(text: Text) -> float:
    letters = sum(map(str.isalpha, text.text))
    return sum(map(str.isupper, text.text)) / letters if letters else 0.0


def _code_share(text: Text) -> float:
    fenced = sum(len(block.group()) for block in _FENCED.finditer(text.text))
    return fenced / len(text.text) if text.text else 0.0


# Counts that grow with a text are log(1 + count): the step from 1 to 2 is worth more than that from 41 to 42.
STATISTICS: tuple[Statistic, ...] = (
    Statistic("length (log)", "log(1 + characters)", lambda t: log1p(len(t.text))),
    Statistic("words (log)", "log(1 + words outside fenced code)", lambda t: log1p(len(t.words))),
    Statistic("sentences (log)", "log(1 + sentences)", lambda t: log1p(t.sentences)),
    Statistic("paragraphs (log)", "log(1 + blank lines between paragraphs)", _log_count(_PARAGRAPH)),
    Statistic("word length", "characters a word", lambda t: sum(map(len, t.words)) / len(t.words) if t.words else 0.0),
    Statistic("sentence length", "words a sentence", lambda t: len(t.words) / t.sentences if t.sentences else 0.0),
    Statistic("distinct words", "distinct words / words (type-token ratio)", _type_token_ratio),
    Statistic("reading ease", "Flesch reading ease; higher is easier", flesch_reading_ease),
    Statistic("headings (log)", "log(1 + markdown headings)", _log_count(_HEADING)),
    Statistic("bullets (log)", "log(1 + lines that start with a bullet)", _log_count(_BULLET)),
    Statistic("numbered items (log)", "log(1 + lines that start with a number)", _log_count(_NUMBERED)),
    Statistic("bold (log)", "log(1 + passages in bold)", _log_count(_BOLD)),
    Statistic("table rows (log)", "log(1 + rows of markdown tables)", _log_count(_TABLE_ROW)),
    Statistic("code blocks (log)", "log(1 + fence lines of code blocks)", _log_count(_FENCE)),
    Statistic("code share", "share of characters within fenced code", _code_share),
    Statistic("inline code (log)", "log(1 + passages of inline code)", _log_count(_INLINE_CODE)),
    Statistic("links (log)", "log(1 + links)", _log_count(_LINK)),
    Statistic("question marks (log)", "log(1 + question marks)", _log_count(_QUESTION)),
    Statistic("ends with a question", "1 if the text ends with a question mark", _ends_with_question),
    Statistic("exclamation marks (log)", "log(1 + exclamation marks)", _log_count(_EXCLAMATION)),
    Statistic("digits", "share of characters that are digits", _character_share(str.isdigit)),
    Statistic("capitals", "share of letters that are capitals", _uppercase_share),
    Statistic("non-ASCII", "share of characters outside ASCII", _character_share(lambda c: c > "\x7f")),
    Statistic("emoji (log)", "log(1 + emoji and pictographs)", _log_count(_EMOJI)),
    Statistic("refusals", "refusal phrases (English), log(1 + count)", _log_count(_REFUSAL)),
    Statistic("hedges", "hedging phrases (English) a hundred words", _per_hundred_words(_HEDGE)),
    Statistic("apologies", "apologies (English), log(1 + count)", _log_count(_APOLOGY)),
    Statistic("polite phrases", "polite phrases (English) a hundred words", _per_hundred_words(_POLITE)),
    Statistic("first person", "first-person words (English) a hundred words", _per_hundred_words(_FIRST_PERSON)),
    Statistic("second person", "second-person words (English) a hundred words", _per_hundred_words(_SECOND_PERSON)),
)


_REMEMBERED = 500_000
"""Texts whose statistics are kept in memory."""


class TextStatistics(Encoder):
    """Lengths, layout, readability and turns of phrase: the features of `STATISTICS`.

    Args:
        leave_out: names of statistics that are not to be features.

    Examples:
        >>> from llull.encoders.statistics import Text, STATISTICS
        >>> text = Text("Perhaps. I can't help with that!")
        >>> {s.name: round(s.measure(text), 2) for s in STATISTICS if s.name in ("sentences (log)", "refusals")}
        {'sentences (log)': 1.1, 'refusals': 0.69}
    """

    def __init__(self, leave_out: Sequence[str] = ()) -> None:
        known = [statistic.name for statistic in STATISTICS]
        if unknown := [name for name in leave_out if name not in known]:
            near = difflib.get_close_matches(unknown[0], known, n=1)
            raise InputError(f"there is no statistic {unknown[0]!r}; {f'did you mean {near[0]!r}?' if near else known}")
        self.leave_out = tuple(leave_out)
        self._statistics = tuple(statistic for statistic in STATISTICS if statistic.name not in leave_out)
        self._measured: dict[bytes, np.ndarray] = {}

    def encode(self, options: Options, progress: bool = True) -> np.ndarray:
        """float32 [m, number of statistics]; each distinct text is measured once."""
        texts = options.texts()
        keys = [text_key(text) for text in texts]
        if len(self._measured) > _REMEMBERED:
            self._measured.clear()
        # The folds of a cross-validation ask for the same texts again and again.
        for key, text in zip(keys, texts, strict=True):
            if key not in self._measured:
                counted = Text(text)
                self._measured[key] = np.array([s.measure(counted) for s in self._statistics], np.float32)
        rows = [self._measured[key] for key in keys]
        return np.stack(rows) if rows else np.empty((0, len(self._statistics)), np.float32)

    @property
    def names(self) -> tuple[str, ...]:
        """Those of the statistics."""
        return tuple(statistic.name for statistic in self._statistics)

    @property
    def descriptions(self) -> tuple[str, ...]:
        """Those of the statistics."""
        return tuple(statistic.description for statistic in self._statistics)

    @property
    def fingerprint(self) -> str:
        """The names and descriptions; a statistic whose meaning changes must change its description."""
        return f"statistics({content_hash([[s.name, s.description] for s in self._statistics])})"

    def config(self) -> dict[str, Any]:
        """What is left out."""
        return {"leave_out": list(self.leave_out)}
